-- Which version the payload in force takes over. A version that comes late, when the one that supersedes it is launched already,
-- is found by it and not launched beside that.
ALTER TABLE execution ADD COLUMN takes_over text;   -- set when a payload is applied
UPDATE execution SET takes_over = applied_payload ->> 'supersedes' WHERE saga IS NOT NULL;
CREATE INDEX execution_takes_over ON execution (tenant_id, takes_over) WHERE takes_over IS NOT NULL;
