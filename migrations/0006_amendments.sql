-- A plan version may be approved again with other content after its launch, and a newer version may take campaigns over.

-- The payload that the legs were made from. `payload` is the one last approved: while an amendment waits for the gate the
-- two differ, and a refused amendment leaves this one in force.
ALTER TABLE execution
    ADD COLUMN applied_payload     jsonb,
    ADD COLUMN applied_hash        text,
    ADD COLUMN applied_approved_at timestamptz,
    ADD COLUMN applied_approved_by text,
    ADD COLUMN supersedes          bigint REFERENCES execution,  -- whose campaigns it took over; none: nobody's
    ADD COLUMN superseded_by       bigint REFERENCES execution;  -- who took its campaigns over
UPDATE execution SET applied_payload = payload, applied_hash = payload_hash, applied_approved_at = approved_at,
    applied_approved_by = approved_by WHERE gate = 'open';

ALTER TABLE leg DROP CONSTRAINT leg_state_check;
ALTER TABLE leg ADD CONSTRAINT leg_state_check CHECK (state IN ('waiting', 'building', 'built', 'activating', 'scheduled',
    'live', 'failed', 'undoing', 'undone', 'stuck', 'amending', 'unamended', 'retiring', 'retired', 'superseded'));
ALTER TABLE leg
    ADD COLUMN adopted_from bigint REFERENCES leg,          -- immutable: the older version's leg whose campaign it took over
    ADD COLUMN gave_up_for  bigint REFERENCES execution,    -- the newer version that took it over or no longer has it
    ADD COLUMN was_on       boolean NOT NULL DEFAULT false; -- whether its campaign was on at that moment

ALTER TABLE command DROP CONSTRAINT command_kind_check;
ALTER TABLE command ADD CONSTRAINT command_kind_check CHECK (kind IN ('build', 'activate', 'undo', 'retire'));
-- A worker that holds it stops before its next write call: the execution was turned round.
ALTER TABLE command ADD COLUMN withdraw boolean NOT NULL DEFAULT false;
