-- MCP servers that a chat brings along.
CREATE TABLE chat_inline_mcp_servers (
    id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    position smallint NOT NULL,
    slug text NOT NULL,
    url text NOT NULL,
    -- Headers as sealed JSON.
    secrets text,
    secrets_key_id text REFERENCES dbcrypt_keys,
    tool_allow_list text[] NOT NULL,
    tool_deny_list text[] NOT NULL,
    allow_in_subagents boolean NOT NULL,
    forward_coder_headers boolean NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (chat_id, slug)
);
