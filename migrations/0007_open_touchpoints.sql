-- What a leg's report resolves is found among the open touchpoints alone, however many there ever were.
CREATE INDEX touchpoint_open_leg ON touchpoint (leg_id) WHERE resolved_at IS NULL AND leg_id IS NOT NULL;
-- Commands that a person or a platform keeps waiting.
CREATE INDEX command_waiting ON command (leg_id) WHERE state = 'queued' AND waiting_for IS NOT NULL;
