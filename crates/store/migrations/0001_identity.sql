-- Users, organizations, groups, credentials, audit, deployment-wide settings.
--
-- Enumerations are text with a check: a value can then be added in one step
-- while older servers still run. "Never" is the year 1, as in the API.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL CHECK (length(username) BETWEEN 1 AND 32),
    email text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    avatar_url text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'dormant' CHECK (status IN ('active', 'dormant', 'suspended')),
    login_type text NOT NULL DEFAULT 'password'
        CHECK (login_type IN ('password', 'github', 'oidc', 'none')),
    roles text[] NOT NULL DEFAULT '{}',
    hashed_password text NOT NULL DEFAULT '',
    is_system boolean NOT NULL DEFAULT false,
    is_service_account boolean NOT NULL DEFAULT false,
    quiet_hours_schedule text NOT NULL DEFAULT '',
    hashed_one_time_passcode text NOT NULL DEFAULT '',
    one_time_passcode_expires_at timestamptz,
    deleted boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT '0001-01-01T00:00:00Z',
    username_lower text NOT NULL GENERATED ALWAYS AS (lower(username)) STORED,
    email_lower text NOT NULL GENERATED ALWAYS AS (lower(email)) STORED,
    CONSTRAINT users_email_or_service_account CHECK (is_service_account = (email = ''))
);
-- Names and addresses of deleted users are free again.
CREATE UNIQUE INDEX users_username_key ON users (username_lower) WHERE NOT deleted;
CREATE UNIQUE INDEX users_email_key ON users (email_lower) WHERE NOT deleted AND email <> '';

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 32),
    display_name text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    icon text NOT NULL DEFAULT '',
    is_default boolean NOT NULL DEFAULT false,
    -- Roles that every member has beside its own.
    default_org_member_roles text[] NOT NULL DEFAULT '{organization-workspace-access}',
    shareable_workspace_owners text NOT NULL DEFAULT 'everyone'
        CHECK (shareable_workspace_owners IN ('none', 'everyone', 'service_accounts')),
    deleted boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX organizations_name_key ON organizations (lower(name)) WHERE NOT deleted;
CREATE UNIQUE INDEX organizations_one_default ON organizations (is_default) WHERE is_default;

CREATE TABLE organization_members (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    roles text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX organization_members_user ON organization_members (user_id);

-- The Everyone group of an organization has the organization's id and no
-- member rows: every member of the organization belongs to it.
CREATE TABLE groups (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    avatar_url text NOT NULL DEFAULT '',
    quota_allowance integer NOT NULL DEFAULT 0,
    source text NOT NULL DEFAULT 'user' CHECK (source IN ('user', 'oidc')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id)
);
CREATE UNIQUE INDEX groups_name_key ON groups (organization_id, lower(name));

-- Who leaves an organization leaves its groups.
CREATE TABLE group_members (
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (group_id, user_id),
    FOREIGN KEY (group_id, organization_id) REFERENCES groups (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (organization_id, user_id) REFERENCES organization_members ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE api_keys (
    id text PRIMARY KEY CHECK (length(id) = 10),
    hashed_secret bytea NOT NULL CHECK (length(hashed_secret) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    login_type text NOT NULL CHECK (login_type IN ('password', 'github', 'oidc', 'token', 'none')),
    token_name text NOT NULL DEFAULT '',
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    allow_list text[] NOT NULL CHECK (cardinality(allow_list) > 0),
    lifetime_seconds bigint NOT NULL DEFAULT 86400,
    expires_at timestamptz NOT NULL,
    last_used timestamptz NOT NULL DEFAULT '0001-01-01T00:00:00Z',
    ip_address text NOT NULL DEFAULT '0.0.0.0',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_user ON api_keys (user_id);
CREATE INDEX api_keys_expiry ON api_keys (expires_at);
CREATE UNIQUE INDEX api_keys_token_name_key ON api_keys (user_id, token_name)
    WHERE login_type = 'token';

CREATE TABLE user_links (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    login_type text NOT NULL,
    linked_id text NOT NULL DEFAULT '',
    oauth_access_token text NOT NULL DEFAULT '',
    oauth_refresh_token text NOT NULL DEFAULT '',
    oauth_expiry timestamptz NOT NULL DEFAULT '0001-01-01T00:00:00Z',
    claims jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (user_id, login_type)
);
CREATE UNIQUE INDEX user_links_linked_id_key ON user_links (login_type, linked_id)
    WHERE linked_id <> '';

CREATE TABLE git_ssh_keys (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    private_key text NOT NULL,
    public_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_configs (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE TABLE user_status_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    new_status text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX user_status_changes_time ON user_status_changes (changed_at);

CREATE FUNCTION record_user_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.status IS DISTINCT FROM NEW.status THEN
        INSERT INTO user_status_changes (user_id, new_status) VALUES (NEW.id, NEW.status);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_record_status AFTER INSERT OR UPDATE OF status ON users
    FOR EACH ROW EXECUTE FUNCTION record_user_status();

-- No references: an entry outlives what it speaks of.
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY,
    "time" timestamptz NOT NULL DEFAULT now(),
    user_id uuid,
    organization_id uuid,
    ip text,
    user_agent text,
    resource_type text NOT NULL,
    resource_id uuid NOT NULL,
    resource_target text NOT NULL,
    resource_icon text NOT NULL DEFAULT '',
    action text NOT NULL,
    diff jsonb NOT NULL DEFAULT '{}',
    status_code integer NOT NULL,
    additional_fields jsonb NOT NULL DEFAULT '{}',
    request_id uuid NOT NULL
);
CREATE INDEX audit_logs_time ON audit_logs ("time" DESC);
CREATE INDEX audit_logs_user ON audit_logs (user_id, "time" DESC);
CREATE INDEX audit_logs_resource ON audit_logs (resource_id, "time" DESC);

CREATE TABLE site_configs (
    key text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE crypto_keys (
    feature text NOT NULL,
    sequence integer NOT NULL,
    secret text NOT NULL,
    starts_at timestamptz NOT NULL,
    deletes_at timestamptz,
    PRIMARY KEY (feature, sequence)
);

INSERT INTO site_configs (key, value) VALUES ('deployment_id', gen_random_uuid()::text);

WITH organization AS (
    INSERT INTO organizations (id, name, display_name, is_default)
    VALUES (gen_random_uuid(), 'coder', 'Coder', true)
    RETURNING id
)
INSERT INTO groups (id, organization_id, name) SELECT id, id, 'Everyone' FROM organization;
