-- MCP servers that organizations offer to chats, and users' tokens for them.

CREATE TABLE mcp_server_configs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    display_name text NOT NULL,
    slug text NOT NULL,
    description text NOT NULL,
    icon_url text NOT NULL,
    transport text NOT NULL CHECK (transport IN ('streamable_http', 'sse')),
    url text NOT NULL,
    auth_type text NOT NULL
        CHECK (auth_type IN ('none', 'oauth2', 'api_key', 'custom_headers', 'user_oidc')),
    oauth2_client_id text NOT NULL,
    oauth2_auth_url text NOT NULL,
    oauth2_token_url text NOT NULL,
    oauth2_revocation_url text NOT NULL,
    oauth2_scopes text NOT NULL,
    api_key_header text NOT NULL,
    -- Client secret, key and headers as one sealed JSON.
    secrets text,
    secrets_key_id text REFERENCES dbcrypt_keys,
    tool_allow_list text[] NOT NULL,
    tool_deny_list text[] NOT NULL,
    availability text NOT NULL CHECK (availability IN ('force_on', 'default_on', 'default_off')),
    enabled boolean NOT NULL,
    model_intent boolean NOT NULL,
    allow_in_plan_mode boolean NOT NULL,
    forward_coder_headers boolean NOT NULL,
    user_acl jsonb NOT NULL DEFAULT '{}',
    group_acl jsonb NOT NULL DEFAULT '{}',
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX mcp_server_configs_slug ON mcp_server_configs (organization_id, slug);

CREATE TABLE mcp_server_user_tokens (
    mcp_server_config_id uuid NOT NULL REFERENCES mcp_server_configs ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    access_token text NOT NULL,
    access_token_key_id text REFERENCES dbcrypt_keys,
    refresh_token text NOT NULL,
    refresh_token_key_id text REFERENCES dbcrypt_keys,
    token_type text NOT NULL,
    expiry timestamptz,
    refresh_failure text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mcp_server_config_id, user_id)
);
CREATE INDEX mcp_server_user_tokens_user ON mcp_server_user_tokens (user_id);
