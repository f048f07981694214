-- The budget of server errors that GA4 allows a property in an hour, over all instances and restarts.
CREATE TABLE ga4_budget (
    property      text PRIMARY KEY,                    -- properties/1; immutable
    server_errors timestamptz[] NOT NULL DEFAULT '{}', -- those of the last hour
    not_before    timestamptz,                         -- GA4 said to wait until then
    asking_until  timestamptz                          -- one instance is asking; free again then, should it have died
);

-- What a check found besides its reason, where it is about money: as in the error of an event.
ALTER TABLE gate_check ADD COLUMN plan_amount    text;  -- what the plan asks for
ALTER TABLE gate_check ADD COLUMN platform_limit text;  -- what the platform allows
ALTER TABLE gate_check ADD COLUMN alert_code     text;  -- PRE-<PLATFORM>-PAYER
ALTER TABLE gate_check ADD COLUMN route          text;  -- agency_master

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaign_execution_app') THEN
        GRANT SELECT, INSERT, UPDATE ON ga4_budget TO campaign_execution_app;
    END IF;
END $$;
