-- Model providers, their keys and prices, models of organizations, budgets, and what was used.

-- Keys that seal secrets, by digest; `test` is the sealed text "coder", so that a wrong key is found
-- at start and not at the first use.
CREATE TABLE dbcrypt_keys (
    active_key_digest text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    test text NOT NULL
);

CREATE TABLE ai_providers (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    name text NOT NULL CHECK (name ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    display_name text NOT NULL DEFAULT '',
    icon text NOT NULL DEFAULT '',
    enabled boolean NOT NULL DEFAULT true,
    deleted boolean NOT NULL DEFAULT false,
    base_url text NOT NULL,
    -- Sealed JSON.
    settings text,
    settings_key_id text REFERENCES dbcrypt_keys,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ai_providers_name_key ON ai_providers (name) WHERE NOT deleted;

CREATE TABLE ai_provider_keys (
    id uuid PRIMARY KEY,
    provider_id uuid NOT NULL REFERENCES ai_providers ON DELETE CASCADE,
    api_key text NOT NULL,
    api_key_key_id text REFERENCES dbcrypt_keys,
    -- Keys are tried in this order.
    place bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ai_provider_keys_provider ON ai_provider_keys (provider_id, place);

CREATE TABLE user_ai_provider_keys (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    ai_provider_id uuid NOT NULL REFERENCES ai_providers ON DELETE CASCADE,
    api_key text NOT NULL CHECK (api_key <> ''),
    api_key_key_id text REFERENCES dbcrypt_keys,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, ai_provider_id)
);

CREATE TABLE chat_model_configs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    ai_provider_id uuid NOT NULL REFERENCES ai_providers,
    model text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    enabled boolean NOT NULL DEFAULT true,
    is_default boolean NOT NULL DEFAULT false,
    deleted boolean NOT NULL DEFAULT false,
    context_limit bigint NOT NULL CHECK (context_limit > 0),
    compression_threshold integer NOT NULL CHECK (compression_threshold BETWEEN 0 AND 100),
    options jsonb NOT NULL DEFAULT '{}',
    user_acl jsonb NOT NULL DEFAULT '{}',
    group_acl jsonb NOT NULL DEFAULT '{}',
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chat_model_configs_organization ON chat_model_configs (organization_id) WHERE NOT deleted;
CREATE INDEX chat_model_configs_provider ON chat_model_configs (ai_provider_id);
CREATE UNIQUE INDEX chat_model_configs_one_default ON chat_model_configs (organization_id)
    WHERE is_default AND NOT deleted;

-- Which model serves a purpose, for an organization.
CREATE TABLE chat_model_overrides (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    context text NOT NULL,
    model_config_id uuid NOT NULL REFERENCES chat_model_configs ON DELETE CASCADE,
    reasoning_effort text,
    PRIMARY KEY (organization_id, context)
);
-- The same, as a member chose for itself.
CREATE TABLE user_chat_model_overrides (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    context text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('deployment_default', 'chat_default', 'model')),
    model_config_id uuid REFERENCES chat_model_configs ON DELETE CASCADE,
    reasoning_effort text,
    PRIMARY KEY (organization_id, user_id, context),
    FOREIGN KEY (organization_id, user_id)
        REFERENCES organization_members (organization_id, user_id) ON DELETE CASCADE
);

-- Prices in millionths of a US dollar per million tokens. A custom price wins over a default one.
CREATE TABLE ai_model_prices (
    provider text NOT NULL,
    model text NOT NULL,
    source text NOT NULL CHECK (source IN ('default', 'custom')),
    input_price bigint CHECK (input_price >= 0),
    output_price bigint CHECK (output_price >= 0),
    cache_read_price bigint CHECK (cache_read_price >= 0),
    cache_write_price bigint CHECK (cache_write_price >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model, source)
);

-- What each member of a group may spend in a month, in millionths of a US dollar.
CREATE TABLE group_ai_budgets (
    group_id uuid PRIMARY KEY REFERENCES groups ON DELETE CASCADE,
    spend_limit_micros bigint NOT NULL CHECK (spend_limit_micros >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- What one user may spend instead, counted for that group.
CREATE TABLE user_ai_budget_overrides (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    spend_limit_micros bigint NOT NULL CHECK (spend_limit_micros >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ai_user_daily_spend (
    user_id uuid NOT NULL,
    effective_group_id uuid NOT NULL,
    day date NOT NULL,
    spend_micros bigint NOT NULL CHECK (spend_micros >= 0),
    PRIMARY KEY (user_id, effective_group_id, day)
);
CREATE INDEX ai_user_daily_spend_group ON ai_user_daily_spend (effective_group_id, day);

-- Who leaves a group is no longer counted for it.
CREATE FUNCTION forget_ai_budget_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'group_members' THEN
        DELETE FROM user_ai_budget_overrides WHERE user_id = OLD.user_id AND group_id = OLD.group_id;
    ELSE
        DELETE FROM user_ai_budget_overrides WHERE user_id = OLD.user_id
            AND group_id IN (SELECT id FROM groups WHERE organization_id = OLD.organization_id);
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER forget_ai_budget_override BEFORE DELETE ON group_members
    FOR EACH ROW EXECUTE FUNCTION forget_ai_budget_override();
CREATE TRIGGER forget_ai_budget_override BEFORE DELETE ON organization_members
    FOR EACH ROW EXECUTE FUNCTION forget_ai_budget_override();

-- Calls of models. They outlive what they speak of, up to their retention.
CREATE TABLE aibridge_interceptions (
    id uuid PRIMARY KEY,
    initiator_id uuid NOT NULL,
    organization_id uuid,
    provider text NOT NULL,
    provider_name text NOT NULL DEFAULT '',
    model text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    metadata jsonb,
    api_key_id text,
    client text NOT NULL DEFAULT 'Unknown',
    client_session_id text,
    thread_parent_id uuid,
    thread_root_id uuid,
    session_id text NOT NULL GENERATED ALWAYS AS
        (COALESCE(client_session_id, thread_root_id::text, id::text)) STORED,
    credential_kind text NOT NULL DEFAULT 'centralized' CHECK (credential_kind IN ('centralized', 'byok')),
    credential_hint text NOT NULL DEFAULT '',
    error_type text,
    error_message text
);
CREATE INDEX aibridge_interceptions_started ON aibridge_interceptions (started_at);
CREATE INDEX aibridge_interceptions_initiator ON aibridge_interceptions (initiator_id, started_at DESC);
CREATE INDEX aibridge_interceptions_session ON aibridge_interceptions (session_id);

CREATE TABLE aibridge_token_usages (
    id uuid PRIMARY KEY,
    interception_id uuid NOT NULL REFERENCES aibridge_interceptions ON DELETE CASCADE,
    provider_response_id text NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_input_tokens bigint NOT NULL DEFAULT 0,
    cache_write_input_tokens bigint NOT NULL DEFAULT 0,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    effective_group_id uuid,
    input_price_micros bigint,
    output_price_micros bigint,
    cache_read_price_micros bigint,
    cache_write_price_micros bigint,
    -- Null without a price.
    cost_micros bigint CHECK (cost_micros >= 0)
);
CREATE INDEX aibridge_token_usages_interception ON aibridge_token_usages (interception_id);

CREATE TABLE aibridge_user_prompts (
    id uuid PRIMARY KEY,
    interception_id uuid NOT NULL REFERENCES aibridge_interceptions ON DELETE CASCADE,
    provider_response_id text NOT NULL,
    prompt text NOT NULL,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX aibridge_user_prompts_interception ON aibridge_user_prompts (interception_id);

CREATE TABLE aibridge_tool_usages (
    id uuid PRIMARY KEY,
    interception_id uuid NOT NULL REFERENCES aibridge_interceptions ON DELETE CASCADE,
    provider_response_id text NOT NULL,
    provider_tool_call_id text,
    provider_item_id text,
    server_url text,
    tool text NOT NULL,
    input text NOT NULL,
    injected boolean NOT NULL DEFAULT false,
    invocation_error text,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX aibridge_tool_usages_interception ON aibridge_tool_usages (interception_id);

CREATE TABLE aibridge_model_thoughts (
    interception_id uuid NOT NULL REFERENCES aibridge_interceptions ON DELETE CASCADE,
    content text NOT NULL,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX aibridge_model_thoughts_interception ON aibridge_model_thoughts (interception_id);
