-- An alert that was given up, or that had nowhere to go, is sent again by a person's word: to whom its route leads by then, under
-- the same id. So `alert.receiver` may change with that word, and with nothing else.
ALTER TABLE alert
    ADD COLUMN resent_at timestamptz;   -- when that was last said: it is tried for days from then on, not from created_at on
