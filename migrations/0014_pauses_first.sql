-- A rollback switches everything off before it removes anything: an undo whose leg is off waits for the others of its version, and
-- what only switches off is leased before all other work.

ALTER TABLE command
    ADD COLUMN off_at timestamptz; -- an undo: when its leg was seen off; only then is anything removed

ALTER TABLE command DROP CONSTRAINT command_waiting_for_check;
ALTER TABLE command ADD CONSTRAINT command_waiting_for_check
    CHECK (waiting_for IN ('review', 'upload', 'asset', 'pauses'));

-- Empty but while something is being switched off.
CREATE INDEX command_urgent ON command (platform, account_key, not_before)
    WHERE state = 'queued' AND kind IN ('undo', 'retire', 'hold') AND off_at IS NULL;

-- As before, and what is urgent: see the index.
CREATE OR REPLACE VIEW command_ready AS
SELECT c.id, c.platform, c.account_key, c.not_before, c.lease_until,
       c.kind IN ('undo', 'retire', 'hold') AND c.off_at IS NULL AS urgent
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

-- Whether a removal of a leg has begun.
CREATE INDEX mutation_removal ON mutation (leg_id) WHERE request #>> '{op,op}' = 'remove';
