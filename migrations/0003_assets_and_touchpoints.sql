-- What an ad account was given of the asset library: one row per content and account, whichever legs or tenants need it.
CREATE TABLE platform_asset (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform     text NOT NULL,                     -- immutable
    account_id   text NOT NULL,                     -- immutable
    content      text NOT NULL,                     -- immutable: sha256:<hex>, or library:<tenant>/<asset_id> where there is none
    tenant_id    text NOT NULL,                     -- immutable: who needed it first
    asset_id     text NOT NULL,                     -- immutable: what that tenant's library calls it
    upload       jsonb NOT NULL,                    -- immutable: platform::Upload, as it is sent and looked up
    state        text NOT NULL DEFAULT 'intended'   -- intended: not there yet, or not known to be; processing: there, not
                 CHECK (state IN ('intended', 'processing', 'ready', 'failed')), -- usable yet; failed: refused for its content
    refs         jsonb NOT NULL DEFAULT '{}',       -- what the platform calls it
    error        jsonb,                             -- domain::error::LegError of the refusal
    lease_until  timestamptz,                       -- one leg's worker deals with it until then
    lease_token  bigint NOT NULL DEFAULT 0,         -- fences that: each write names it
    sent_at      timestamptz,                       -- committed before each call; none: no call's outcome is unknown
    unknown_until timestamptz,                      -- not to be looked at before: settle time, or the platform's processing
    looks        integer NOT NULL DEFAULT 0,        -- look-ups that did not settle it since then
    sends        integer NOT NULL DEFAULT 0,        -- calls sent
    processing_since timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (platform, account_id, content)
);

-- Which of them a leg relies on.
CREATE TABLE leg_upload (
    leg_id    bigint NOT NULL REFERENCES leg,
    asset_id  text NOT NULL,
    upload_id bigint NOT NULL REFERENCES platform_asset,
    PRIMARY KEY (leg_id, asset_id)
);
CREATE INDEX leg_upload_of ON leg_upload (upload_id);

-- What a command waits for that is not ours to hurry. Such a wait is no attempt.
ALTER TABLE command
    ADD COLUMN waiting_for text CHECK (waiting_for IN ('review', 'upload', 'asset')),
    ADD COLUMN waiting_since timestamptz,
    ADD COLUMN polls integer NOT NULL DEFAULT 0;    -- looks since then

-- The platform's review, apart from working time.
ALTER TABLE leg
    ADD COLUMN review_since timestamptz,            -- it is running since then
    ADD COLUMN review_s bigint NOT NULL DEFAULT 0,  -- earlier ones took so long, seconds
    ADD COLUMN review_looks integer NOT NULL DEFAULT 0;

-- The service's own role, where the owner of the database made one (0001).
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaign_execution_app') THEN
        GRANT SELECT, INSERT, UPDATE ON platform_asset, leg_upload TO campaign_execution_app;
    END IF;
END $$;
