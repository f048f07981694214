-- The truth: everything the service knows, in one schema. Times are timestamptz, set by the database's clock.
-- Columns marked immutable never change after the insert.

-- Clients of the agency, as onboarding last described them.
CREATE TABLE tenant (
    tenant_id   text PRIMARY KEY,
    updated_at  timestamptz NOT NULL,               -- the document's own time; a later one replaces an earlier one
    document    jsonb NOT NULL,                     -- tenant.onboarded as it came
    first_launch_at timestamptz                     -- when its first execution passed the gate; none: it never launched
);

-- Messages that were taken in. A row is written in the transaction of its effects.
CREATE TABLE inbox (
    topic         text NOT NULL,                    -- immutable, without the configured prefix
    business_key  text NOT NULL,                    -- immutable: tenant/plan_version@approved_at#payload-hash and the like
    event_id      text,                             -- immutable: the producer's own id, if any
    received_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen          bigint NOT NULL DEFAULT 1,        -- how many times it came
    PRIMARY KEY (topic, business_key)
);

-- One plan version being carried out.
CREATE TABLE execution (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text NOT NULL,                   -- immutable
    plan_id        text NOT NULL,                   -- immutable
    plan_version   text NOT NULL,                   -- immutable
    payload        jsonb NOT NULL,                  -- the plan as last approved
    payload_hash   text NOT NULL,                   -- sha-256 of its canonical JSON, hex
    approved_at    timestamptz NOT NULL,            -- of that payload
    approved_by    text NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    gate           text NOT NULL DEFAULT 'pending'  -- pending: to be asked at gate_at; blocked: asked again at gate_at; open
                   CHECK (gate IN ('pending', 'blocked', 'open', 'cancelled')),
    gate_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    gate_lease     timestamptz,                     -- a gatekeeper works on it until then
    gate_token     bigint NOT NULL DEFAULT 0,       -- fences that lease
    gate_opened_at timestamptz,
    saga           jsonb,                           -- domain::saga::Saga; none until the gate opened
    settled        text,                            -- saga outcome at rest, for look-ups
    settled_at     timestamptz,
    deadline_at    timestamptz NOT NULL,            -- the SLA's
    waited_s       bigint NOT NULL DEFAULT 0,       -- seconds spent waiting for people
    traceparent    text,                            -- of the message that started it
    revision       bigint NOT NULL DEFAULT 0,       -- counts what was published about it
    UNIQUE (tenant_id, plan_version)
);
CREATE INDEX execution_gate ON execution (gate_at) WHERE gate IN ('pending', 'blocked');
CREATE INDEX execution_recent ON execution (received_at DESC);

-- Verdicts of the gate, the latest per check.
CREATE TABLE gate_check (
    execution_id bigint NOT NULL REFERENCES execution,
    check_name   text NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('pass', 'fail', 'unknown', 'waiting')),
    reason       text NOT NULL,
    remedy       text NOT NULL,
    age_s        bigint NOT NULL,                   -- how old a shared verdict was when it was used
    checked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (execution_id, check_name)
);

-- Verdicts of probes that plans share for a while.
CREATE TABLE probe_verdict (
    tenant_id  text NOT NULL,
    probe      text NOT NULL,                       -- account:meta, ga4:properties/1 …
    verdict    jsonb NOT NULL,
    probed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, probe)
);

-- One campaign of an execution: the idempotency key of the owner's spec is its unique key.
CREATE TABLE leg (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id   bigint NOT NULL REFERENCES execution,
    tenant_id      text NOT NULL,                   -- immutable
    plan_version   text NOT NULL,                   -- immutable
    platform       text NOT NULL,                   -- immutable
    logical_campaign_key text NOT NULL,             -- immutable
    position       smallint NOT NULL,               -- the platform's place in the recommended order
    ordinal        integer NOT NULL,                -- the leg's place in the plan
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'building', 'built', 'activating',
                   'scheduled', 'live', 'failed', 'undoing', 'undone', 'stuck')),
    spec           jsonb NOT NULL,                  -- domain::spec::LegSpec: what it should look like
    error          jsonb,                           -- domain::error::LegError of the last failure
    attempt        integer NOT NULL DEFAULT 0,      -- counts the commands sent
    starts_at      timestamptz NOT NULL,            -- the flight's start
    watch_at       timestamptz,                     -- when the clock looks at a scheduled leg again
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant_id, plan_version, platform, logical_campaign_key)
);
CREATE INDEX leg_execution ON leg (execution_id, state);
CREATE INDEX leg_watch ON leg (watch_at) WHERE watch_at IS NOT NULL;

-- Instructions to a platform's adapter, accepted from launch.<platform>.
CREATE TABLE command (
    id           uuid PRIMARY KEY,                  -- immutable; dealt with the outbox row that carried it
    leg_id       bigint NOT NULL REFERENCES leg,    -- immutable
    platform     text NOT NULL,                     -- immutable
    account_key  text NOT NULL,                     -- immutable: tenant; the fair queue it stands in
    kind         text NOT NULL CHECK (kind IN ('build', 'activate', 'undo')),
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done')),
    not_before   timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until  timestamptz,                       -- a worker works on it until then
    lease_token  bigint NOT NULL DEFAULT 0,         -- fences that lease: each write names it
    attempts     integer NOT NULL DEFAULT 0,        -- how often it was leased
    last_error   text,                              -- why it was given back
    report       text,                              -- what came of it
    traceparent  text,
    accepted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz
);
-- Finished commands leave it, so it stays as small as the work at hand.
CREATE INDEX command_due ON command (platform, account_key, not_before) WHERE state = 'queued';
CREATE INDEX command_leg ON command (leg_id);

-- What we made, one row per leg: the owner's execution_manifest.
CREATE TABLE execution_manifest (
    leg_id               bigint PRIMARY KEY REFERENCES leg,
    tenant_id            text NOT NULL,             -- immutable
    plan_version         text NOT NULL,             -- immutable
    platform             text NOT NULL,             -- immutable
    logical_campaign_key text NOT NULL,             -- immutable
    account_id           text NOT NULL,             -- immutable
    campaign_name        text NOT NULL,             -- given once, kept
    platform_campaign_id text,
    tracking_mode        text CHECK (tracking_mode IN ('auto_tagging', 'utm_macro', 'utm_injected')),
    spec                 jsonb,                     -- the spec last applied; none: nothing was yet
    revision             bigint NOT NULL DEFAULT 0, -- counts applied changes
    mutation_count       bigint NOT NULL DEFAULT 0, -- write calls sent
    objects              jsonb NOT NULL DEFAULT '[]', -- [domain::manifest::RemoteObject], in the order of creation
    unknown_until        timestamptz,               -- an outcome is unknown; not to be looked up before
    unresolved_looks     integer NOT NULL DEFAULT 0,-- look-ups that found nothing since then
    updated_at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX execution_manifest_key
    ON execution_manifest (tenant_id, plan_version, platform, logical_campaign_key);

-- Write calls: an intent is committed before each, its outcome after.
CREATE TABLE mutation (
    id           uuid PRIMARY KEY,                  -- immutable
    leg_id       bigint NOT NULL REFERENCES leg,    -- immutable
    command_id   uuid NOT NULL,                     -- immutable
    lease_token  bigint NOT NULL,                   -- immutable: whose intent it is
    request      jsonb NOT NULL,                    -- immutable: platform::Mutation, sent as it stands
    state        text NOT NULL DEFAULT 'in_flight'
                 CHECK (state IN ('in_flight', 'done', 'refused', 'not_sent', 'unknown', 'adopted', 'void')),
    intended_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz
);
CREATE INDEX mutation_open ON mutation (leg_id) WHERE state IN ('in_flight', 'unknown');

-- Where a person must act. Opened and resolved, never deleted.
CREATE TABLE touchpoint (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES execution,
    leg_id       bigint REFERENCES leg,
    kind         text NOT NULL,
    payload_hash text NOT NULL,                     -- what was shown; an amendment needs a new one
    what_to_do   text NOT NULL,
    opened_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at  timestamptz,
    resolution   text,                              -- approve, reject, superseded, appeared …
    resolved_by  text,
    reason       text
);
CREATE UNIQUE INDEX touchpoint_open ON touchpoint (execution_id, kind, coalesce(leg_id, 0)) WHERE resolved_at IS NULL;

-- What must be published, in the transaction that made it so. Published rows stay for a while for `explain`.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL,                     -- without the configured prefix
    key          text NOT NULL,                     -- tenant_id/plan_id: all events of a plan stay in order
    event_id     text NOT NULL UNIQUE,              -- ce_id: deterministic, so consumers can deduplicate
    payload      jsonb,                             -- the data; none: raw holds it
    raw          bytea,                             -- dead letters: the bytes as they came
    headers      jsonb NOT NULL DEFAULT '{}',       -- further headers, text
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- The heads of the audit chains, one per tenant; a writer locks its head until commit.
CREATE TABLE audit_head (
    tenant_id text PRIMARY KEY,
    seq       bigint NOT NULL,
    hash      text NOT NULL                         -- hex; of the last entry
);

-- Who did what, for ever. hash = sha-256(prev_hash || seq || entry).
CREATE TABLE audit_log (
    tenant_id  text NOT NULL,
    seq        bigint NOT NULL,
    entry      text NOT NULL,                       -- JSON, the exact bytes that were hashed
    prev_hash  text NOT NULL,
    hash       text NOT NULL,
    action     text GENERATED ALWAYS AS ((entry::jsonb) ->> 'action') STORED,
    plan_version text GENERATED ALWAYS AS ((entry::jsonb) ->> 'plan_version') STORED,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_log_plan ON audit_log (tenant_id, plan_version, seq);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % is not allowed', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE FUNCTION audit_head_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.seq > OLD.seq AND NEW.tenant_id = OLD.tenant_id THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'an audit head only grows' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_head_grows BEFORE UPDATE OR DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_head_only_grows();

-- The service's own role, where the owner of the database made one: no changing what was audited.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaign_execution_app') THEN
        GRANT USAGE ON SCHEMA public TO campaign_execution_app;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO campaign_execution_app;
        GRANT DELETE ON outbox, probe_verdict, gate_check TO campaign_execution_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM campaign_execution_app;
    END IF;
END $$;
