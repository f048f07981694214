-- What a platform does not let be changed is replaced: another campaign is built, and the one there was goes off when that is on.

-- A leg that was a campaign of another leg, which has another one by now: it stays on (`outgoing`) until that is on, and is
-- kept, off, after that. The other leg keeps the planner's key, and its manifest has become this one's. So of a manifest, and of
-- its mutations with an unknown outcome, the leg may change once, and `adopted_from` goes with the campaign.
ALTER TABLE leg ADD COLUMN replaced_by bigint REFERENCES leg;
CREATE INDEX leg_replaced ON leg (replaced_by) WHERE replaced_by IS NOT NULL;

ALTER TABLE leg DROP CONSTRAINT leg_state_check;
ALTER TABLE leg ADD CONSTRAINT leg_state_check CHECK (state IN ('waiting', 'building', 'built', 'activating', 'scheduled',
    'live', 'failed', 'undoing', 'undone', 'stuck', 'amending', 'unamended', 'retiring', 'retired', 'superseded', 'outgoing'));
