-- Files, templates and their versions, provisioner jobs and daemons, workspaces,
-- their builds, and what builds made: resources, agents, apps, scripts, metadata.
--
-- Enumerations are text with a CHECK: adding a value is then a cheap migration.
-- Durations are milliseconds (`_ms`) or seconds (`_seconds`), as their names say.

CREATE TABLE files (
    id          uuid PRIMARY KEY,
    -- Hex SHA-256 of `data`; with the creator it makes an upload idempotent.
    hash        text NOT NULL,
    created_at  timestamptz NOT NULL,
    created_by  uuid NOT NULL,
    mimetype    text NOT NULL,
    data        bytea NOT NULL,
    UNIQUE (hash, created_by)
);

-- Archives are already compressed or small; plain storage makes reading them one copy.
ALTER TABLE files ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE templates (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    deleted         boolean NOT NULL DEFAULT false,
    name            text NOT NULL,
    display_name    text NOT NULL DEFAULT '',
    description     text NOT NULL DEFAULT '',
    icon            text NOT NULL DEFAULT '',
    provisioner     text NOT NULL CHECK (provisioner IN ('terraform', 'echo')),
    active_version_id uuid NOT NULL,
    created_by      uuid NOT NULL REFERENCES users (id),
    default_ttl_ms  bigint NOT NULL DEFAULT 0,
    activity_bump_ms bigint NOT NULL DEFAULT 3600000,
    time_til_autostop_notify_ms bigint NOT NULL DEFAULT 0,
    failure_ttl_ms  bigint NOT NULL DEFAULT 0,
    time_til_dormant_ms bigint NOT NULL DEFAULT 0,
    time_til_dormant_autodelete_ms bigint NOT NULL DEFAULT 0,
    -- Bit 0 is Monday. `autostart_block` holds the days on which autostart is NOT allowed.
    autostop_requirement_days smallint NOT NULL DEFAULT 0,
    autostop_requirement_weeks bigint NOT NULL DEFAULT 1,
    autostart_block_days smallint NOT NULL DEFAULT 0,
    allow_user_cancel_workspace_jobs boolean NOT NULL DEFAULT true,
    allow_user_autostart boolean NOT NULL DEFAULT true,
    allow_user_autostop boolean NOT NULL DEFAULT true,
    require_active_version boolean NOT NULL DEFAULT false,
    -- Deprecation message; empty means not deprecated.
    deprecated      text NOT NULL DEFAULT '',
    max_port_share_level text NOT NULL DEFAULT 'owner'
        CHECK (max_port_share_level IN ('owner', 'authenticated', 'organization', 'public')),
    cors_behavior   text NOT NULL DEFAULT 'simple' CHECK (cors_behavior IN ('simple', 'passthru')),
    use_classic_parameter_flow boolean NOT NULL DEFAULT false,
    disable_module_cache boolean NOT NULL DEFAULT false,
    agents_allowed  boolean NOT NULL DEFAULT true,
    -- {"<user or group id>": ["read", "use", …]}
    user_acl        jsonb NOT NULL DEFAULT '{}',
    group_acl       jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX templates_name ON templates (organization_id, lower(name)) WHERE NOT deleted;

CREATE TABLE provisioner_daemons (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    key_id          uuid NOT NULL,
    name            text NOT NULL,
    provisioners    text[] NOT NULL,
    tags            jsonb NOT NULL,
    version         text NOT NULL,
    api_version     text NOT NULL,
    -- The server process that runs or serves this daemon: what it held is free to be
    -- reaped at once when that process is known to be gone.
    replica_id      uuid,
    last_seen_at    timestamptz
);
CREATE UNIQUE INDEX provisioner_daemons_name
    ON provisioner_daemons (organization_id, lower(name), (coalesce(tags ->> 'owner', '')));

CREATE TABLE provisioner_jobs (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    started_at      timestamptz,
    canceled_at     timestamptz,
    completed_at    timestamptz,
    error           text,
    error_code      text,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    initiator_id    uuid NOT NULL,
    provisioner     text NOT NULL CHECK (provisioner IN ('terraform', 'echo')),
    type            text NOT NULL
        CHECK (type IN ('template_version_import', 'workspace_build', 'template_version_dry_run')),
    file_id         uuid NOT NULL,
    tags            jsonb NOT NULL,
    input           jsonb NOT NULL,
    worker_id       uuid,
    logs_length     integer NOT NULL DEFAULT 0,
    logs_overflowed boolean NOT NULL DEFAULT false,
    job_status      text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN error IS NOT NULL AND error <> '' THEN 'failed'
            WHEN canceled_at IS NOT NULL THEN
                CASE WHEN completed_at IS NOT NULL THEN 'canceled' ELSE 'canceling' END
            WHEN completed_at IS NOT NULL THEN 'succeeded'
            WHEN started_at IS NULL THEN 'pending'
            ELSE 'running'
        END
    ) STORED
);
CREATE INDEX provisioner_jobs_pending ON provisioner_jobs (created_at) WHERE job_status = 'pending';
CREATE INDEX provisioner_jobs_open ON provisioner_jobs (updated_at)
    WHERE job_status IN ('pending', 'running', 'canceling');
CREATE INDEX provisioner_jobs_organization ON provisioner_jobs (organization_id, created_at DESC);
CREATE INDEX provisioner_jobs_worker ON provisioner_jobs (worker_id, started_at DESC);

CREATE TABLE provisioner_job_logs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      uuid NOT NULL REFERENCES provisioner_jobs (id) ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    source      text NOT NULL CHECK (source IN ('provisioner_daemon', 'provisioner')),
    level       text NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    stage       text NOT NULL,
    output      text NOT NULL
);
CREATE INDEX provisioner_job_logs_job ON provisioner_job_logs (job_id, id);

CREATE TABLE provisioner_job_timings (
    job_id      uuid NOT NULL REFERENCES provisioner_jobs (id) ON DELETE CASCADE,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('init', 'plan', 'graph', 'apply')),
    source      text NOT NULL,
    action      text NOT NULL,
    resource    text NOT NULL
);
CREATE INDEX provisioner_job_timings_job ON provisioner_job_timings (job_id);

CREATE TABLE template_versions (
    id              uuid PRIMARY KEY,
    template_id     uuid REFERENCES templates (id),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    name            text NOT NULL,
    message         text NOT NULL DEFAULT '',
    readme          text NOT NULL DEFAULT '',
    job_id          uuid NOT NULL UNIQUE REFERENCES provisioner_jobs (id),
    created_by      uuid NOT NULL REFERENCES users (id),
    archived        boolean NOT NULL DEFAULT false,
    source_example_id text,
    has_external_agent boolean NOT NULL DEFAULT false,
    -- [{"id": …, "optional": …}]
    external_auth_providers jsonb NOT NULL DEFAULT '[]',
    -- `data "coder_workspace_tags"` as declared, values not yet evaluated.
    workspace_tags  jsonb NOT NULL DEFAULT '{}',
    -- Plan JSON of the import, for form evaluation; and the archive of its modules.
    cached_plan     bytea,
    cached_module_files uuid REFERENCES files (id)
);
CREATE UNIQUE INDEX template_versions_name ON template_versions (template_id, lower(name))
    WHERE template_id IS NOT NULL;
CREATE INDEX template_versions_template ON template_versions (template_id, created_at DESC);

CREATE TABLE template_version_parameters (
    template_version_id uuid NOT NULL REFERENCES template_versions (id) ON DELETE CASCADE,
    position        integer NOT NULL,
    name            text NOT NULL,
    display_name    text NOT NULL,
    description     text NOT NULL,
    type            text NOT NULL,
    form_type       text NOT NULL,
    mutable         boolean NOT NULL,
    default_value   text NOT NULL,
    icon            text NOT NULL,
    options         jsonb NOT NULL,
    validation_regex text NOT NULL,
    validation_error text NOT NULL,
    validation_min  integer,
    validation_max  integer,
    validation_monotonic text NOT NULL,
    required        boolean NOT NULL,
    display_order   integer NOT NULL,
    ephemeral       boolean NOT NULL,
    PRIMARY KEY (template_version_id, name)
);

CREATE TABLE template_version_variables (
    template_version_id uuid NOT NULL REFERENCES template_versions (id) ON DELETE CASCADE,
    position        integer NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL,
    type            text NOT NULL,
    value           text NOT NULL,
    default_value   text NOT NULL,
    required        boolean NOT NULL,
    sensitive       boolean NOT NULL,
    PRIMARY KEY (template_version_id, name)
);

CREATE TABLE template_version_presets (
    id              uuid PRIMARY KEY,
    template_version_id uuid NOT NULL REFERENCES template_versions (id) ON DELETE CASCADE,
    position        integer NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL,
    icon            text NOT NULL,
    is_default      boolean NOT NULL,
    -- {"name": "value", …} of parameters.
    parameters      jsonb NOT NULL,
    desired_instances integer,
    invalidate_after_seconds integer NOT NULL DEFAULT 0,
    -- {"timezone": …, "schedule": [{"cron": …, "instances": …}]}
    scheduling      jsonb,
    UNIQUE (template_version_id, name)
);

CREATE TABLE workspaces (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    owner_id        uuid NOT NULL REFERENCES users (id),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    template_id     uuid NOT NULL REFERENCES templates (id),
    deleted         boolean NOT NULL DEFAULT false,
    name            text NOT NULL,
    autostart_schedule text,
    ttl_ms          bigint,
    last_used_at    timestamptz NOT NULL,
    dormant_at      timestamptz,
    deleting_at     timestamptz,
    automatic_updates text NOT NULL DEFAULT 'never' CHECK (automatic_updates IN ('always', 'never')),
    favorite        boolean NOT NULL DEFAULT false,
    next_start_at   timestamptz,
    user_acl        jsonb NOT NULL DEFAULT '{}',
    group_acl       jsonb NOT NULL DEFAULT '{}',
    -- Raised with every build, in that build's transaction: it numbers builds, makes two
    -- builds started at once wait for each other, and finds the latest one by its key.
    latest_build_number integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX workspaces_name ON workspaces (owner_id, lower(name)) WHERE NOT deleted;
CREATE INDEX workspaces_template ON workspaces (template_id) WHERE NOT deleted;

CREATE TABLE workspace_builds (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    template_version_id uuid NOT NULL REFERENCES template_versions (id),
    template_version_preset_id uuid REFERENCES template_version_presets (id) ON DELETE SET NULL,
    build_number    integer NOT NULL,
    transition      text NOT NULL CHECK (transition IN ('start', 'stop', 'delete')),
    initiator_id    uuid NOT NULL,
    reason          text NOT NULL,
    job_id          uuid NOT NULL UNIQUE REFERENCES provisioner_jobs (id),
    provisioner_state bytea,
    deadline        timestamptz,
    max_deadline    timestamptz,
    daily_cost      integer NOT NULL DEFAULT 0,
    has_external_agent boolean,
    UNIQUE (workspace_id, build_number),
    -- A build may not be due later than it is allowed to be.
    CHECK (max_deadline IS NULL OR (deadline IS NOT NULL AND deadline <= max_deadline))
);
CREATE INDEX workspace_builds_version ON workspace_builds (template_version_id);

CREATE TABLE workspace_build_parameters (
    workspace_build_id uuid NOT NULL REFERENCES workspace_builds (id) ON DELETE CASCADE,
    name            text NOT NULL,
    value           text NOT NULL,
    PRIMARY KEY (workspace_build_id, name)
);

-- What shall follow a build when it succeeds (a restart is a stop with a start behind it).
-- Taken over into a build of its own in the transaction that completes the parent.
CREATE TABLE workspace_build_followups (
    parent_build_id uuid PRIMARY KEY REFERENCES workspace_builds (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    -- The follower runs with the rights of this user at that time.
    initiator_id    uuid NOT NULL REFERENCES users (id),
    transition      text NOT NULL CHECK (transition IN ('start', 'stop', 'delete')),
    reason          text NOT NULL,
    template_version_id uuid,
    template_version_preset_id uuid,
    rich_parameter_values jsonb NOT NULL,
    log_level       text NOT NULL DEFAULT '',
    status          text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'completed', 'failed', 'canceled')),
    child_build_id  uuid REFERENCES workspace_builds (id) ON DELETE SET NULL,
    error           text
);
CREATE INDEX workspace_build_followups_pending ON workspace_build_followups (created_at)
    WHERE status = 'pending';

CREATE TABLE workspace_resources (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    job_id          uuid NOT NULL REFERENCES provisioner_jobs (id) ON DELETE CASCADE,
    transition      text NOT NULL CHECK (transition IN ('start', 'stop', 'delete')),
    type            text NOT NULL,
    name            text NOT NULL,
    hide            boolean NOT NULL DEFAULT false,
    icon            text NOT NULL DEFAULT '',
    instance_type   text NOT NULL DEFAULT '',
    daily_cost      integer NOT NULL DEFAULT 0,
    module_path     text NOT NULL DEFAULT '',
    -- [{"key", "value", "sensitive"}] in declared order: read and written whole.
    metadata        jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX workspace_resources_job ON workspace_resources (job_id);

CREATE TABLE workspace_modules (
    id              uuid PRIMARY KEY,
    job_id          uuid NOT NULL REFERENCES provisioner_jobs (id) ON DELETE CASCADE,
    transition      text NOT NULL CHECK (transition IN ('start', 'stop', 'delete')),
    created_at      timestamptz NOT NULL,
    source          text NOT NULL,
    version         text NOT NULL,
    key             text NOT NULL
);
CREATE INDEX workspace_modules_job ON workspace_modules (job_id);

CREATE TABLE workspace_agents (
    id              uuid PRIMARY KEY,
    parent_id       uuid REFERENCES workspace_agents (id) ON DELETE CASCADE,
    resource_id     uuid NOT NULL REFERENCES workspace_resources (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    -- Set when a later build replaced this agent: its token is then refused.
    deleted         boolean NOT NULL DEFAULT false,
    name            text NOT NULL,
    auth_token      uuid NOT NULL,
    auth_instance_id text,
    architecture    text NOT NULL,
    operating_system text NOT NULL,
    environment_variables jsonb NOT NULL DEFAULT '{}',
    directory       text NOT NULL DEFAULT '',
    expanded_directory text NOT NULL DEFAULT '',
    connection_timeout_seconds integer NOT NULL DEFAULT 0,
    troubleshooting_url text NOT NULL DEFAULT '',
    motd_file       text NOT NULL DEFAULT '',
    display_apps    text[] NOT NULL DEFAULT '{}',
    display_order   integer NOT NULL DEFAULT 0,
    api_key_scope   text NOT NULL DEFAULT 'all' CHECK (api_key_scope IN ('all', 'no_user_data')),
    -- What the agent itself reports while it runs.
    version         text NOT NULL DEFAULT '',
    api_version     text NOT NULL DEFAULT '',
    subsystems      text[] NOT NULL DEFAULT '{}',
    lifecycle_state text NOT NULL DEFAULT 'created'
        CHECK (lifecycle_state IN ('created', 'starting', 'start_timeout', 'start_error', 'ready',
                                   'shutting_down', 'shutdown_timeout', 'shutdown_error', 'off')),
    started_at      timestamptz,
    ready_at        timestamptz,
    first_connected_at timestamptz,
    last_connected_at timestamptz,
    disconnected_at timestamptz,
    last_connected_replica_id uuid,
    logs_length     integer NOT NULL DEFAULT 0,
    logs_overflowed boolean NOT NULL DEFAULT false
);
CREATE INDEX workspace_agents_resource ON workspace_agents (resource_id);
CREATE INDEX workspace_agents_token ON workspace_agents (auth_token) WHERE NOT deleted;
CREATE INDEX workspace_agents_instance ON workspace_agents (auth_instance_id)
    WHERE auth_instance_id IS NOT NULL AND NOT deleted;
CREATE INDEX workspace_agents_parent ON workspace_agents (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE workspace_apps (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    agent_id        uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    slug            text NOT NULL,
    display_name    text NOT NULL,
    icon            text NOT NULL,
    command         text NOT NULL DEFAULT '',
    url             text NOT NULL DEFAULT '',
    subdomain       boolean NOT NULL DEFAULT false,
    sharing_level   text NOT NULL DEFAULT 'owner'
        CHECK (sharing_level IN ('owner', 'authenticated', 'organization', 'public')),
    external        boolean NOT NULL DEFAULT false,
    hidden          boolean NOT NULL DEFAULT false,
    open_in         text NOT NULL DEFAULT 'slim-window' CHECK (open_in IN ('slim-window', 'tab')),
    display_order   integer NOT NULL DEFAULT 0,
    display_group   text NOT NULL DEFAULT '',
    tooltip         text NOT NULL DEFAULT '',
    healthcheck_url text NOT NULL DEFAULT '',
    healthcheck_interval integer NOT NULL DEFAULT 0,
    healthcheck_threshold integer NOT NULL DEFAULT 0,
    health          text NOT NULL DEFAULT 'disabled'
        CHECK (health IN ('disabled', 'initializing', 'healthy', 'unhealthy')),
    UNIQUE (agent_id, slug)
);

CREATE TABLE workspace_app_statuses (
    id              uuid PRIMARY KEY,
    created_at      timestamptz NOT NULL,
    workspace_id    uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    agent_id        uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    app_id          uuid NOT NULL REFERENCES workspace_apps (id) ON DELETE CASCADE,
    state           text NOT NULL CHECK (state IN ('working', 'idle', 'complete', 'failure')),
    message         text NOT NULL,
    uri             text NOT NULL DEFAULT ''
);
CREATE INDEX workspace_app_statuses_workspace ON workspace_app_statuses (workspace_id, created_at DESC);
CREATE INDEX workspace_app_statuses_app ON workspace_app_statuses (app_id, created_at DESC);

CREATE TABLE workspace_agent_log_sources (
    id              uuid NOT NULL,
    workspace_agent_id uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    display_name    text NOT NULL,
    icon            text NOT NULL,
    PRIMARY KEY (workspace_agent_id, id)
);

CREATE TABLE workspace_agent_scripts (
    id              uuid PRIMARY KEY,
    workspace_agent_id uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    log_source_id   uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    position        integer NOT NULL,
    display_name    text NOT NULL,
    script          text NOT NULL,
    log_path        text NOT NULL,
    cron            text NOT NULL,
    start_blocks_login boolean NOT NULL,
    run_on_start    boolean NOT NULL,
    run_on_stop     boolean NOT NULL,
    timeout_seconds integer NOT NULL,
    -- How its latest run ended; null until it ran.
    exit_code       integer,
    status          text CHECK (status IN ('ok', 'exit_failure', 'timed_out', 'pipes_left_open'))
);
CREATE INDEX workspace_agent_scripts_agent ON workspace_agent_scripts (workspace_agent_id);

CREATE TABLE workspace_agent_script_timings (
    script_id       uuid NOT NULL REFERENCES workspace_agent_scripts (id) ON DELETE CASCADE,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz NOT NULL,
    exit_code       integer NOT NULL,
    stage           text NOT NULL CHECK (stage IN ('start', 'stop', 'cron')),
    status          text NOT NULL CHECK (status IN ('ok', 'exit_failure', 'timed_out', 'pipes_left_open')),
    PRIMARY KEY (script_id, started_at)
);

CREATE TABLE workspace_agent_metadata (
    workspace_agent_id uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    key             text NOT NULL,
    display_name    text NOT NULL,
    script          text NOT NULL,
    interval_seconds bigint NOT NULL,
    timeout_seconds bigint NOT NULL,
    display_order   integer NOT NULL DEFAULT 0,
    value           text NOT NULL DEFAULT '',
    error           text NOT NULL DEFAULT '',
    collected_at    timestamptz,
    PRIMARY KEY (workspace_agent_id, key)
);

CREATE TABLE workspace_agent_devcontainers (
    id              uuid PRIMARY KEY,
    workspace_agent_id uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    name            text NOT NULL,
    workspace_folder text NOT NULL,
    config_path     text NOT NULL,
    subagent_id     uuid
);
CREATE INDEX workspace_agent_devcontainers_agent ON workspace_agent_devcontainers (workspace_agent_id);

-- Thresholds that the template sets on an agent's memory (`path` empty) and volumes.
CREATE TABLE workspace_agent_resource_monitors (
    workspace_agent_id uuid NOT NULL REFERENCES workspace_agents (id) ON DELETE CASCADE,
    path            text NOT NULL,
    enabled         boolean NOT NULL,
    threshold       integer NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'OK' CHECK (state IN ('OK', 'NOK')),
    debounced_until timestamptz,
    PRIMARY KEY (workspace_agent_id, path)
);
