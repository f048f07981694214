-- What time does: the deadline of an execution, the escalation of its failures, and the alerts that tell people.

-- At most two clocks per execution: `launch` runs from the approval until everything is live or scheduled, `failure` from a
-- failure until it is mended. Both are started again when there is something to wait for again (a new round).
CREATE TABLE clock (
    execution_id bigint NOT NULL REFERENCES execution, -- immutable
    kind         text NOT NULL CHECK (kind IN ('launch', 'failure')), -- immutable
    round        integer NOT NULL DEFAULT 1,        -- counts how often it was started; part of what its events are called
    since        timestamptz NOT NULL,              -- it counts from then
    limit_s      bigint NOT NULL,                   -- launch: to the breach; failure: to the escalation
    warn_s       bigint NOT NULL DEFAULT 0,         -- launch: to the warning
    grace_s      bigint NOT NULL DEFAULT 0,         -- launch: the limit of the failure clocks of its execution
    step         text NOT NULL CHECK (step IN ('warn', 'breach', 'escalate', 'done')), -- what it does next
    due_at       timestamptz,                       -- not before then; none: nothing is waited for
    ended_at     timestamptz,                       -- what it waited for happened, or does not matter any more
    legs         integer NOT NULL DEFAULT 0,        -- failure: how many legs are in trouble
    told_at      timestamptz,                       -- when it breached or escalated
    PRIMARY KEY (execution_id, kind)
);
-- As large as what still runs. A look at what is due reads its first page.
CREATE INDEX clock_due ON clock (due_at) WHERE due_at IS NOT NULL;

-- From when a launch's clock counts: from the approval, but not from the future, and not from an approval that was a day old when
-- it came (a topic that was read anew, an import): that one counts from now.
CREATE FUNCTION clock_start(approved timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN approved < clock_timestamp() - interval '1 day' THEN clock_timestamp()
           ELSE least(approved, clock_timestamp()) END
$$;

-- Executions that there are already: those on their way get the rest of their time, the others' clocks have ended.
INSERT INTO clock (execution_id, kind, since, limit_s, warn_s, grace_s, step, due_at, ended_at)
SELECT id, 'launch', deadline_at - interval '4 hours', 14400, 10800, 900, 'warn',
       CASE WHEN gate <> 'cancelled' AND settled IS NULL THEN greatest(deadline_at - interval '1 hour', clock_timestamp()) END,
       CASE WHEN gate = 'cancelled' OR settled IS NOT NULL THEN coalesce(settled_at, received_at) END
FROM execution;
-- execution.deadline_at and execution.waited_s are not read any more: a deadline moves with what was waited for
-- (execution_waited).

-- The platforms' reviews that are over, for the time they took. A running one is leg.review_since.
CREATE TABLE leg_review (
    execution_id bigint NOT NULL,                   -- immutable
    leg_id       bigint NOT NULL,                   -- immutable
    began_at     timestamptz NOT NULL,              -- immutable
    ended_at     timestamptz NOT NULL DEFAULT clock_timestamp() -- immutable
);
CREATE INDEX leg_review_execution ON leg_review (execution_id);
CREATE INDEX leg_in_review ON leg (execution_id) WHERE review_since IS NOT NULL;
CREATE INDEX touchpoint_execution ON touchpoint (execution_id);

-- How long an execution waited for people (open touchpoints), for a platform's review, and under the kill switch, between two
-- instants: each by itself, and together (what overlaps counts once); and whether it waits at this moment.
CREATE FUNCTION execution_waited(of_execution bigint, of_tenant text, from_at timestamptz, to_at timestamptz,
    OUT people_s float8, OUT review_s float8, OUT paused_s float8, OUT total_s float8, OUT waiting boolean)
LANGUAGE sql STABLE AS $$
    WITH wait AS (
        SELECT 'people' AS what, opened_at AS a, resolved_at AS z FROM touchpoint WHERE execution_id = of_execution
        UNION ALL SELECT 'paused', paused_at, lifted_at FROM tenant_pause
            WHERE tenant_id = of_tenant AND coalesce(lifted_at, 'infinity') >= from_at
        UNION ALL SELECT 'review', began_at, ended_at FROM leg_review WHERE execution_id = of_execution
        UNION ALL SELECT 'review', review_since, NULL FROM leg
            WHERE execution_id = of_execution AND review_since IS NOT NULL),
    time AS (
        SELECT what, bool_or(z IS NULL) AS open,
               range_agg(tstzrange(a, greatest(a, coalesce(z, 'infinity')))
                         * tstzrange(from_at, greatest(from_at, to_at))) AS spans
        FROM wait GROUP BY GROUPING SETS ((what), ())),
    sum AS (
        SELECT what, open, coalesce((SELECT sum(extract(epoch FROM upper(s) - lower(s))) FROM unnest(spans) s), 0)::float8 AS s
        FROM time)
    SELECT coalesce(max(s) FILTER (WHERE what = 'people'), 0), coalesce(max(s) FILTER (WHERE what = 'review'), 0),
           coalesce(max(s) FILTER (WHERE what = 'paused'), 0), coalesce(max(s) FILTER (WHERE what IS NULL), 0),
           coalesce(bool_or(open), false)
    FROM sum
$$;

-- ---- alerts ----------------------------------------------------------------------------------------------------------

-- Webhooks to be sent: one row for each route that a step of a clock tells. Kept, so that it can be seen who was told when.
-- No foreign key: it would lock the execution's row from outside the order of locks.
CREATE TABLE alert (
    id           text PRIMARY KEY,                  -- immutable: webhook-id, the same as its event's ce_id
    execution_id bigint NOT NULL,                   -- immutable
    tenant_id    text NOT NULL,                     -- immutable
    plan_version text NOT NULL,                     -- immutable
    reason       text NOT NULL CHECK (reason IN ('deadline_breached', 'failure')), -- immutable
    route        text NOT NULL,                     -- immutable: client, agency_master
    receiver     text,                              -- immutable: [alerts.<receiver>] of the configuration; none: it has no webhook
    body         text NOT NULL,                     -- immutable: sent as it is, at every attempt
    state        text NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up', 'no_webhook')),
    promised_at  timestamptz NOT NULL,              -- immutable: delivered after this it is late
    not_before   timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until  timestamptz,                       -- an instance is sending it
    lease_token  bigint NOT NULL DEFAULT 0,         -- fences that lease
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,                              -- why the last attempt failed; no URL, no secret
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz
);
CREATE INDEX alert_due ON alert (not_before) WHERE state = 'waiting';
CREATE INDEX alert_execution ON alert (execution_id);
CREATE INDEX alert_recent ON alert (created_at DESC);

-- What clocks and alerts did so far, for the metrics: counted when it happens, so that nobody has to count rows.
CREATE TABLE counter (
    name  text NOT NULL,
    label text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (name, label)
);

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaign_execution_app') THEN
        GRANT SELECT, INSERT, UPDATE ON clock, leg_review, alert, counter TO campaign_execution_app;
    END IF;
END $$;
