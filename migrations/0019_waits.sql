-- Which undos of a version are off already: asked after each of them, so it must not read all commands of the platform.
CREATE INDEX command_off ON command (leg_id) WHERE state = 'queued' AND kind = 'undo' AND off_at IS NOT NULL;

-- Looking for what was made and does not show yet is no attempt: a platform that is slow takes no leg its patience.
ALTER TABLE command DROP CONSTRAINT command_waiting_for_check;
ALTER TABLE command ADD CONSTRAINT command_waiting_for_check
    CHECK (waiting_for IN ('review', 'upload', 'asset', 'pauses', 'read_back'));
