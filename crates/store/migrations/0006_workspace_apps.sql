-- Ports of workspaces that others may reach, and sessions with apps.

CREATE TABLE workspace_agent_port_shares (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- By name: a share outlives the build that made the agent.
    agent_name  text NOT NULL,
    port        integer NOT NULL CHECK (port BETWEEN 9 AND 65535),
    share_level text NOT NULL
        CHECK (share_level IN ('owner', 'authenticated', 'organization', 'public')),
    protocol    text NOT NULL CHECK (protocol IN ('http', 'https')),
    PRIMARY KEY (workspace_id, agent_name, port)
);

-- No references: what was used stays known.
CREATE TABLE workspace_app_stats (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  uuid NOT NULL,
    user_id     uuid NOT NULL,
    workspace_id uuid NOT NULL,
    agent_id    uuid NOT NULL,
    access_method text NOT NULL,
    slug_or_port text NOT NULL,
    session_started_at timestamptz NOT NULL,
    session_ended_at timestamptz NOT NULL,
    requests    integer NOT NULL,
    UNIQUE (user_id, agent_id, session_id)
);
CREATE INDEX workspace_app_stats_workspace ON workspace_app_stats (workspace_id);
CREATE INDEX workspace_app_stats_time ON workspace_app_stats (session_ended_at);
