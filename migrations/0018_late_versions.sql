-- The version that a payload supersedes: of one that was launched the payload in force, of any other the latest. So a version is
-- placed among the others of its plan without reading their payloads (domain::lineage).
ALTER TABLE execution ADD COLUMN takes_over text
    GENERATED ALWAYS AS (coalesce(applied_payload, payload) ->> 'supersedes') STORED;
CREATE INDEX execution_plan ON execution (tenant_id, plan_id);

-- Whether a version's campaigns are a newer one's: not when that one goes back, for they come back then.
CREATE FUNCTION is_superseded(by_execution bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM execution n WHERE n.id = by_execution AND n.saga ->> 'direction' IS DISTINCT FROM 'back')
$$;
