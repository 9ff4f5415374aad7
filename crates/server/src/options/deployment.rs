//! The options as the deployment API tells them (`codersdk.DeploymentConfig`).

use serde_json::{Map, Value, json};

use super::{Kind, Options, Spec, table};

/// Where the value of a flag stands in `config`, dots between; the others stand at the top,
/// named after their flag. A flag in [`RENAMED`] wins over its prefix here.
const SECTIONS: &[(&str, &str)] = &[
    ("ai-gateway-", "ai.bridge"),
    ("chat-", "ai.chat"),
    ("derp-server-", "derp.server"),
    ("email-auth-", "notifications.email.auth"),
    ("email-tls-", "notifications.email.tls"),
    ("email-", "notifications.email"),
    ("notifications-inbox-", "notifications.inbox"),
    ("notifications-webhook-", "notifications.webhook"),
    ("notifications-", "notifications"),
    ("oauth2-github-", "oauth2.github"),
    ("oidc-", "oidc"),
    ("pprof-", "pprof"),
    ("prometheus-", "prometheus"),
    ("provisioner-", "provisioner"),
    ("tls-", "tls"),
    ("workspace-prebuilds-", "workspace_prebuilds"),
];

/// Flags whose place the rule of [`SECTIONS`] does not give.
const RENAMED: &[(&str, &str)] = &[
    (
        "agent-stats-refresh-interval",
        "agent_stat_refresh_interval",
    ),
    (
        "allow-custom-quiet-hours",
        "user_quiet_hours_schedule.allow_user_custom",
    ),
    ("api-keys-retention", "retention.api_keys"),
    ("api-rate-limit", "rate_limit.api"),
    ("audit-logs-retention", "retention.audit_logs"),
    ("block-direct-connections", "derp.config.block_direct"),
    ("cache-dir", "cache_directory"),
    ("cluster-host", "cluster.host"),
    ("connection-logs-retention", "retention.connection_logs"),
    ("dangerous-allow-cors-requests", "dangerous.allow_all_cors"),
    (
        "dangerous-allow-path-app-sharing",
        "dangerous.allow_path_app_sharing",
    ),
    (
        "dangerous-allow-path-app-site-owner-access",
        "dangerous.allow_path_app_site_owner_access",
    ),
    ("dangerous-disable-rate-limits", "rate_limit.disable_all"),
    (
        "dangerous-oidc-skip-issuer-checks",
        "oidc.skip_issuer_checks",
    ),
    (
        "default-oauth-refresh-lifetime",
        "session_lifetime.refresh_default_duration",
    ),
    (
        "default-quiet-hours-schedule",
        "user_quiet_hours_schedule.default_schedule",
    ),
    (
        "default-token-lifetime",
        "session_lifetime.default_token_lifetime",
    ),
    ("derp-config-path", "derp.config.path"),
    ("derp-config-url", "derp.config.url"),
    ("derp-force-websockets", "derp.config.force_websockets"),
    (
        "disable-owner-workspace-access",
        "disable_owner_workspace_exec",
    ),
    (
        "disable-session-expiry-refresh",
        "session_lifetime.disable_expiry_refresh",
    ),
    ("disable-template-builder", "template_builder.disabled"),
    ("email-tls-ca-cert-file", "notifications.email.tls.ca_file"),
    (
        "email-tls-cert-key-file",
        "notifications.email.tls.key_file",
    ),
    (
        "email-tls-skip-verify",
        "notifications.email.tls.insecure_skip_verify",
    ),
    ("email-tls-starttls", "notifications.email.tls.start_tls"),
    ("enable-authz-recordings", "enable_authz_recording"),
    ("ephemeral", "ephemeral_deployment"),
    ("health-check-refresh", "healthcheck.refresh"),
    (
        "health-check-threshold-database",
        "healthcheck.threshold_database",
    ),
    ("host-prefix-cookie", "http_cookies.host_prefix"),
    ("log-filter", "logging.log_filter"),
    ("log-human", "logging.human"),
    ("log-json", "logging.json"),
    ("log-stackdriver", "logging.stackdriver"),
    (
        "max-admin-token-lifetime",
        "session_lifetime.max_admin_token_lifetime",
    ),
    ("max-token-lifetime", "session_lifetime.max_token_lifetime"),
    ("oidc-allowed-groups", "oidc.group_allow_list"),
    ("oidc-client-cert-file", "oidc.client_cert_file"),
    ("oidc-group-field", "oidc.groups_field"),
    ("oidc-ignore-userinfo", "oidc.ignore_user_info"),
    ("oidc-user-role-default", "oidc.user_roles_default"),
    ("postgres-auth", "pg_auth"),
    ("postgres-conn-max-idle", "pg_conn_max_idle"),
    ("postgres-conn-max-open", "pg_conn_max_open"),
    ("postgres-url", "pg_connection_url"),
    ("provisioner-daemons", "provisioner.daemons"),
    ("provisioner-types", "provisioner.daemon_types"),
    ("proxy-health-interval", "proxy_health_status_interval"),
    ("samesite-auth-cookie", "http_cookies.same_site"),
    ("scim-auth-header", "scim_api_key"),
    ("secure-auth-cookie", "http_cookies.secure_auth_cookie"),
    ("session-duration", "session_lifetime.default_duration"),
    ("ssh-config-options", "config_ssh.sshconfigOptions"),
    ("ssh-hostname-prefix", "config_ssh.deploymentName"),
    (
        "stats-collection-usage-stats-enable",
        "stats_collection.usage_stats.enable",
    ),
    ("support-links", "support.links"),
    ("swagger-enable", "swagger.enable"),
    ("telemetry", "telemetry.enable"),
    ("telemetry-url", "telemetry.url"),
    ("tls-ciphers", "tls.supported_ciphers"),
    ("trace", "trace.enable"),
    ("trace-datadog", "trace.data_dog"),
    ("trace-honeycomb-api-key", "trace.honeycomb_api_key"),
    ("trace-logs", "trace.capture_logs"),
    ("wg-tunnel-host", "wgtunnel_host"),
    (
        "workspace-agent-logs-retention",
        "retention.workspace_agent_logs",
    ),
];

/// `{config, options}`: the values as a tree, and each option with where its
/// value came from. Secrets are withheld.
pub fn deployment_config(options: &Options) -> Value {
    let mut config = Map::new();
    let mut list = Vec::new();
    for spec in table() {
        let value = if spec.secret {
            // As an option that nobody set.
            match spec.kind {
                Kind::List => json!([]),
                _ => json!(""),
            }
        } else {
            value(options, spec)
        };
        put(&mut config, &path(spec.flag), value.clone());
        list.push(json!({
            "name": spec.flag,
            "description": spec.help,
            "required": false,
            "flag": spec.flag,
            "flag_shorthand": spec.short.map(String::from).unwrap_or_default(),
            "env": spec.env(),
            "yaml": spec.yaml_path().and_then(|mut path| path.pop()).unwrap_or_default(),
            "default": spec.default,
            "group": group(spec.section),
            "value": value,
            "value_source": options.source(spec.flag).name(),
            "hidden": spec.hidden,
            "use_instead": [],
            "annotations": if spec.secret { json!({"secret": "true"}) } else { json!({}) },
        }));
    }
    json!({"config": config, "options": list})
}

/// The place of a flag's value in `config`.
fn path(flag: &str) -> String {
    if let Some((_, path)) = RENAMED.iter().find(|(renamed, _)| *renamed == flag) {
        return (*path).to_owned();
    }
    let key = |rest: &str| rest.replace('-', "_");
    let section = SECTIONS
        .iter()
        .find_map(|(prefix, path)| Some((path, flag.strip_prefix(prefix)?)));
    match section {
        Some((path, rest)) => format!("{path}.{}", key(rest)),
        None => key(flag),
    }
}

fn put(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let below = tree
                .entry(section.to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}

/// The section of an option, within those around it.
fn group(section: &str) -> Value {
    let mut group = Value::Null;
    for name in section.split('.').filter(|name| !name.is_empty()) {
        let mut this = json!({"name": name, "yaml": name});
        if !group.is_null() {
            this["parent"] = group;
        }
        group = this;
    }
    group
}

fn value(options: &Options, spec: &Spec) -> Value {
    match spec.kind {
        Kind::Bool => json!(options.on(spec.flag)),
        Kind::Int => json!(options.int(spec.flag)),
        // Nanoseconds, as everywhere in the API.
        Kind::Duration => {
            json!(u64::try_from(options.duration(spec.flag).as_nanos()).unwrap_or(u64::MAX))
        }
        Kind::List => json!(options.list(spec.flag)),
        Kind::Json => serde_json::from_str(options.text(spec.flag)).unwrap_or(Value::Null),
        _ => json!(options.text(spec.flag)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_clients_look_for_them() {
        let all = deployment_config(&Options::defaults());
        let config = &all["config"];
        assert_eq!(config["derp"]["server"]["region_id"], 999);
        assert_eq!(config["oidc"]["sign_in_text"], "OpenID Connect");
        assert_eq!(
            config["session_lifetime"]["default_duration"],
            86_400_000_000_000_u64
        );
        assert_eq!(config["notifications"]["email"]["tls"]["start_tls"], false);
        assert_eq!(config["http_address"], "127.0.0.1:3000");
        assert_eq!(config["tls"]["cert_file"], json!([]));
    }

    #[test]
    fn every_renamed_flag_exists_and_secrets_are_withheld() {
        for (flag, _) in RENAMED {
            assert!(table().iter().any(|spec| spec.flag == *flag), "{flag}");
        }
        let mut options = Options::defaults();
        options.set("oidc-client-secret", "hush".to_owned());
        options.set("external-token-encryption-keys", "hush,hush".to_owned());
        let config = deployment_config(&options);
        assert!(!config.to_string().contains("hush"));
        // Withheld, it still has the type that clients expect.
        let keys = &config["config"]["external_token_encryption_keys"];
        assert_eq!(*keys, json!([]));
    }
}
