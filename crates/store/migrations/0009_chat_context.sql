-- What workspaces tell AI agents of themselves, and what of it a chat works with; what is known of
-- the pull requests of chats.

-- The latest that an agent told: instructions, skills, tools.
CREATE TABLE workspace_agent_context_snapshots (
    agent_id uuid PRIMARY KEY REFERENCES workspace_agents ON DELETE CASCADE,
    -- Counted by the agent's process; begins anew with it.
    version bigint NOT NULL,
    aggregate_hash bytea NOT NULL,
    snapshot_error text NOT NULL DEFAULT '',
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspace_agent_context_resources (
    agent_id uuid NOT NULL REFERENCES workspace_agent_context_snapshots ON DELETE CASCADE,
    kind text NOT NULL,
    source text NOT NULL,
    source_path text NOT NULL,
    content_hash bytea NOT NULL,
    size_bytes bigint NOT NULL,
    status text NOT NULL,
    error text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    content text NOT NULL,
    tools jsonb NOT NULL,
    PRIMARY KEY (agent_id, kind, source)
);

-- What a chat was told, until someone has it told anew: no hash, nothing yet.
ALTER TABLE chats ADD COLUMN context_aggregate_hash bytea;
CREATE INDEX chats_agent ON chats (agent_id) WHERE agent_id IS NOT NULL AND NOT archived;

CREATE TABLE chat_context_resources (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    kind text NOT NULL,
    source text NOT NULL,
    source_path text NOT NULL,
    content_hash bytea NOT NULL,
    size_bytes bigint NOT NULL,
    status text NOT NULL,
    error text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    content text NOT NULL,
    tools jsonb NOT NULL,
    PRIMARY KEY (chat_id, kind, source)
);

ALTER TABLE chat_diff_statuses
    ADD COLUMN changes_requested boolean NOT NULL DEFAULT false,
    ADD COLUMN head_branch text,
    -- When branch or origin were told last.
    ADD COLUMN told_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX chat_diff_statuses_stale ON chat_diff_statuses (stale_at) WHERE git_remote_origin <> '';
