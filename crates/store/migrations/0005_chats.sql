-- Chats with AI agents: their history, queue, files, and who works on them.
--
-- Each transition of a chat counts snapshot_version up by one; the other versions say at which
-- snapshot that part of the chat changed last.

CREATE TABLE chats (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    workspace_id uuid REFERENCES workspaces ON DELETE SET NULL,
    build_id uuid,
    agent_id uuid,
    parent_chat_id uuid REFERENCES chats ON DELETE CASCADE,
    root_chat_id uuid REFERENCES chats ON DELETE CASCADE,
    title text NOT NULL,
    -- Free text: what no version of the server knows any more is reconciled, not refused.
    status text NOT NULL,
    worker_id uuid,
    runner_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_model_config_id uuid NOT NULL,
    last_reasoning_effort text,
    archived boolean NOT NULL DEFAULT false,
    last_error jsonb,
    mode text CHECK (mode IN ('computer_use', 'explore')),
    plan_mode text NOT NULL DEFAULT '' CHECK (plan_mode IN ('', 'plan')),
    client_type text NOT NULL DEFAULT 'api' CHECK (client_type IN ('ui', 'api')),
    mcp_server_ids uuid[] NOT NULL DEFAULT '{}',
    labels jsonb NOT NULL DEFAULT '{}',
    pin_order integer NOT NULL DEFAULT 0 CHECK (pin_order >= 0),
    last_read_message_id bigint NOT NULL DEFAULT 0,
    dynamic_tools jsonb NOT NULL DEFAULT '[]',
    last_turn_summary text,
    summary text,
    user_acl jsonb NOT NULL DEFAULT '{}',
    group_acl jsonb NOT NULL DEFAULT '{}',
    snapshot_version bigint NOT NULL DEFAULT 1,
    history_version bigint NOT NULL DEFAULT 0,
    queue_version bigint NOT NULL DEFAULT 0,
    generation_attempt bigint NOT NULL DEFAULT 0,
    retry_state_version bigint NOT NULL DEFAULT 0,
    retry_state jsonb,
    requires_action_deadline_at timestamptz,
    compaction_requested_at timestamptz,
    context_dirty_since timestamptz,
    context_error text NOT NULL DEFAULT '',
    CONSTRAINT chats_pin_only_roots CHECK (pin_order = 0 OR (parent_chat_id IS NULL AND NOT archived)),
    CONSTRAINT chats_share_only_roots CHECK (parent_chat_id IS NULL OR (user_acl = '{}' AND group_acl = '{}'))
);
CREATE INDEX chats_owner ON chats (owner_id, updated_at DESC) WHERE parent_chat_id IS NULL;
CREATE INDEX chats_root ON chats (root_chat_id) WHERE root_chat_id IS NOT NULL;
CREATE INDEX chats_parent ON chats (parent_chat_id) WHERE parent_chat_id IS NOT NULL;
CREATE INDEX chats_workspace ON chats (workspace_id, updated_at DESC) WHERE workspace_id IS NOT NULL;
CREATE INDEX chats_runnable ON chats (updated_at)
    WHERE status IN ('running', 'interrupting', 'requires_action') AND NOT archived;

CREATE TABLE chat_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    model_config_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    role text NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
    content jsonb NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('user', 'model', 'both')),
    input_tokens bigint,
    output_tokens bigint,
    total_tokens bigint,
    reasoning_tokens bigint,
    cache_creation_tokens bigint,
    cache_read_tokens bigint,
    context_limit bigint,
    -- Part of a summary of what came before.
    compressed boolean NOT NULL DEFAULT false,
    created_by uuid,
    total_cost_micros bigint,
    runtime_ms bigint,
    deleted boolean NOT NULL DEFAULT false,
    queued_message_id bigint,
    -- The chat's snapshot at which it was written last.
    revision bigint NOT NULL
);
CREATE INDEX chat_messages_chat ON chat_messages (chat_id, id);
CREATE INDEX chat_messages_revision ON chat_messages (chat_id, revision);

CREATE TABLE chat_queued_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    model_config_id uuid,
    reasoning_effort text,
    position bigint NOT NULL,
    created_by uuid
);
CREATE INDEX chat_queued_messages_chat ON chat_queued_messages (chat_id, position, id);

-- Which replicas work: a chat whose worker is not here, or was not heard of lately, is free.
CREATE UNLOGGED TABLE chat_workers (
    id uuid PRIMARY KEY,
    heartbeat_at timestamptz NOT NULL
);

-- Calls of tools that were begun: what stands here without an end may or may not have run.
CREATE TABLE chat_tool_runs (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    message_id bigint NOT NULL,
    tool_call_id text NOT NULL,
    runner_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- The finished tool-result part.
    result jsonb,
    PRIMARY KEY (chat_id, message_id, tool_call_id)
);

CREATE TABLE chat_files (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    mimetype text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    data bytea NOT NULL
);
-- Images and archives do not get smaller.
ALTER TABLE chat_files ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE chat_file_links (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    file_id uuid NOT NULL REFERENCES chat_files ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chat_id, file_id)
);
CREATE INDEX chat_file_links_file ON chat_file_links (file_id);

-- What is known of the branch or pull request that a chat works on.
CREATE TABLE chat_diff_statuses (
    chat_id uuid PRIMARY KEY REFERENCES chats ON DELETE CASCADE,
    url text,
    pull_request_state text,
    pull_request_title text NOT NULL DEFAULT '',
    pull_request_draft boolean NOT NULL DEFAULT false,
    pr_number integer,
    additions integer NOT NULL DEFAULT 0,
    deletions integer NOT NULL DEFAULT 0,
    changed_files integer NOT NULL DEFAULT 0,
    git_branch text NOT NULL DEFAULT '',
    git_remote_origin text NOT NULL DEFAULT '',
    refreshed_at timestamptz,
    stale_at timestamptz NOT NULL DEFAULT now()
);
