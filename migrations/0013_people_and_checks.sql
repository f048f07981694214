-- When the payload that is there was taken in, if it took the place of an earlier one: what a person decided before that was
-- about the earlier one.
ALTER TABLE execution ADD COLUMN amended_at timestamptz;

-- Executions that somebody asked about again (their message came once more) and whose record has nothing left to do: what the
-- platforms hold is compared with it, once for however many messages.
ALTER TABLE execution
    ADD COLUMN check_at    timestamptz,     -- when that is due; none: nobody asked
    ADD COLUMN check_lease timestamptz,     -- one instance compares until then
    ADD COLUMN check_tries integer NOT NULL DEFAULT 0,  -- looks that a platform did not answer, since it was asked for
    ADD COLUMN checked_at  timestamptz;     -- when it was last compared: not again for a while
CREATE INDEX execution_check ON execution (check_at) WHERE check_at IS NOT NULL;
