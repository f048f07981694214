-- What operators do: pause a tenant, give a dead letter another try.

-- ---- the kill switch: a paused tenant's plans wait, and what was on is off until the pause is lifted ------------------

-- Who paused which tenant, when and why; lifted, never deleted.
CREATE TABLE tenant_pause (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL,                    -- immutable
    paused_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_by     text NOT NULL,                    -- immutable
    reason        text NOT NULL,                    -- immutable
    lifted_at     timestamptz,                      -- none: the tenant is paused
    lifted_by     text,
    lifted_reason text
);
CREATE UNIQUE INDEX tenant_pause_now ON tenant_pause (tenant_id) WHERE lifted_at IS NULL;
CREATE INDEX tenant_pause_history ON tenant_pause (tenant_id, paused_at);

-- A leg's place under the switch, beside its state: domain::hold.
ALTER TABLE leg ADD COLUMN hold text CHECK (hold IN ('holding', 'held', 'releasing'));
CREATE INDEX leg_hold ON leg (tenant_id, hold) WHERE hold IS NOT NULL;
-- The keys of the objects that the switch turned off: exactly those are turned on again.
ALTER TABLE execution_manifest ADD COLUMN held jsonb;

ALTER TABLE command DROP CONSTRAINT command_kind_check;
ALTER TABLE command ADD CONSTRAINT command_kind_check
    CHECK (kind IN ('build', 'activate', 'undo', 'retire', 'hold', 'release'));
-- Empty but for the minutes after a pause or its end.
CREATE INDEX command_holds ON command (leg_id) WHERE state = 'queued' AND kind IN ('hold', 'release');

-- Whether a tenant may change anything on a platform. Whoever commits intents asks inside the statement that does: the
-- shared lock waits for a pause that is being written, and a pause waits for the intents that are being committed. So an intent
-- is committed before the pause or not at all. (Each statement of a volatile function sees what was committed before it.)
CREATE FUNCTION tenant_may_send(tenant text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('campaign-execution/pause/' || tenant, 0));
    RETURN NOT EXISTS (SELECT FROM tenant_pause p WHERE p.tenant_id = tenant AND p.lifted_at IS NULL);
END $$;

-- Commands whose turn it is, but for `not_before` and leases. One leg's commands are driven one after the other: those of the
-- saga never overlap, and a hold or release waits for what is older on its leg, and is waited for. Of a paused tenant only what
-- switches off is driven.
CREATE VIEW command_ready AS
SELECT c.id, c.platform, c.account_key, c.not_before, c.lease_until
FROM command c
WHERE c.state = 'queued'
  AND NOT EXISTS (SELECT FROM command o WHERE o.leg_id = c.leg_id AND o.state = 'queued' AND o.kind IN ('hold', 'release')
                  AND (o.accepted_at, o.id) < (c.accepted_at, c.id))
  AND (c.kind NOT IN ('hold', 'release')
       OR NOT EXISTS (SELECT FROM command o WHERE o.leg_id = c.leg_id AND o.state = 'queued'
                      AND (o.accepted_at, o.id) < (c.accepted_at, c.id)))
  AND (NOT EXISTS (SELECT FROM tenant_pause p WHERE p.tenant_id = c.account_key AND p.lifted_at IS NULL)
       OR c.kind IN ('hold', 'release', 'undo', 'retire')
       OR EXISTS (SELECT FROM leg l WHERE l.id = c.leg_id AND l.hold = 'holding'));

-- ---- dead letters ----------------------------------------------------------------------------------------------------

-- Which were published again, so that none is by accident a second time.
CREATE TABLE redrive (
    topic       text NOT NULL,                      -- immutable: the dead letter's place, without the configured prefix
    partition   integer NOT NULL,                   -- immutable
    "offset"    bigint NOT NULL,                    -- immutable
    content     text NOT NULL,                      -- immutable: sha-256 of its bytes; a topic made anew is another one
    times       integer NOT NULL DEFAULT 1,
    redriven_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- last
    redriven_by text NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (topic, partition, "offset", content)
);

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaign_execution_app') THEN
        GRANT SELECT, INSERT, UPDATE ON tenant_pause, redrive TO campaign_execution_app;
        GRANT SELECT ON command_ready TO campaign_execution_app;
    END IF;
END $$;
