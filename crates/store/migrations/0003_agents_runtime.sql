-- What agents report while they run, and who connected to them.

CREATE TABLE workspace_agent_logs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    level       text NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    log_source_id uuid NOT NULL,
    output      text NOT NULL
);
CREATE INDEX workspace_agent_logs_agent ON workspace_agent_logs (agent_id, id);

CREATE TABLE workspace_agent_stats (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL,
    agent_id    uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id     uuid NOT NULL,
    template_id uuid NOT NULL,
    connections_by_proto jsonb NOT NULL,
    connection_count bigint NOT NULL,
    rx_packets  bigint NOT NULL,
    rx_bytes    bigint NOT NULL,
    tx_packets  bigint NOT NULL,
    tx_bytes    bigint NOT NULL,
    -- Active sessions by app name: {"ssh": 1, "vscode": 2}.
    session_counts jsonb NOT NULL,
    -- Negative when there was no peer to measure.
    connection_median_latency_ms double precision NOT NULL
);
CREATE INDEX workspace_agent_stats_time ON workspace_agent_stats (created_at);
CREATE INDEX workspace_agent_stats_agent ON workspace_agent_stats (agent_id, created_at DESC);

-- No references: an entry outlives what it speaks of.
CREATE TABLE connection_logs (
    id          uuid PRIMARY KEY,
    connect_time timestamptz NOT NULL,
    organization_id uuid NOT NULL,
    workspace_owner_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    workspace_name text NOT NULL,
    agent_name  text NOT NULL,
    type        text NOT NULL,
    ip          text,
    -- Exit status or HTTP status, once known.
    code        integer,
    user_agent  text,
    user_id     uuid,
    slug_or_port text,
    connection_id uuid,
    disconnect_time timestamptz,
    disconnect_reason text
);
CREATE INDEX connection_logs_time ON connection_logs (connect_time DESC);
-- What an agent reports of one connection comes in two parts, in any order.
CREATE UNIQUE INDEX connection_logs_connection
    ON connection_logs (connection_id, workspace_id, agent_name) WHERE connection_id IS NOT NULL;
