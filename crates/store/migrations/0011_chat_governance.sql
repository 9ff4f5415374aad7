-- What calls of models under way may cost at most: it counts against the budget of their user until
-- they end, so that calls made at the same time do not all see the same rest of it.
CREATE TABLE ai_budget_reservations (
    -- The call.
    interception_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    effective_group_id uuid NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    -- What a dead server reserved is free again then.
    expires_at timestamptz NOT NULL
);
CREATE INDEX ai_budget_reservations_user ON ai_budget_reservations (user_id);

-- What went to models and came back, for chats whose owner keeps debug logs.
CREATE TABLE chat_debug_runs (
    id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    root_chat_id uuid,
    parent_chat_id uuid,
    model_config_id uuid,
    trigger_message_id bigint,
    history_tip_message_id bigint,
    kind text NOT NULL CHECK (kind IN ('chat_turn', 'title_generation', 'quickgen', 'compaction')),
    status text NOT NULL CHECK (status IN ('in_progress', 'completed', 'error', 'interrupted')),
    provider text,
    model text,
    summary jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX chat_debug_runs_chat ON chat_debug_runs (chat_id, started_at DESC);
CREATE INDEX chat_debug_runs_updated ON chat_debug_runs (updated_at);

CREATE TABLE chat_debug_steps (
    id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES chat_debug_runs ON DELETE CASCADE,
    chat_id uuid NOT NULL,
    step_number integer NOT NULL,
    operation text NOT NULL CHECK (operation IN ('stream', 'generate')),
    status text NOT NULL CHECK (status IN ('in_progress', 'completed', 'error', 'interrupted')),
    history_tip_message_id bigint,
    normalized_request jsonb NOT NULL,
    normalized_response jsonb,
    usage jsonb,
    attempts jsonb NOT NULL DEFAULT '[]',
    error jsonb,
    metadata jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (run_id, step_number)
);

-- Put away for long, chats are deleted; left alone for long, they are put away.
CREATE INDEX chats_archived ON chats (updated_at) WHERE archived AND parent_chat_id IS NULL;
CREATE INDEX chats_roots_open ON chats (created_at)
    WHERE parent_chat_id IS NULL AND NOT archived AND pin_order = 0;
CREATE INDEX chat_files_created ON chat_files (created_at);

-- Browsers that want to be told.
CREATE TABLE webpush_subscriptions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    endpoint text NOT NULL,
    endpoint_p256dh_key text NOT NULL,
    endpoint_auth_key text NOT NULL,
    UNIQUE (user_id, endpoint)
);

-- The message up to which a chat's summary tells.
ALTER TABLE chats ADD COLUMN summary_up_to bigint NOT NULL DEFAULT 0;
