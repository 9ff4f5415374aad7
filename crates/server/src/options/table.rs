//! The rows. Names, forms and defaults are those of the published set; an
//! option of our own is marked as such.

use super::Kind::{Address, Bool, Choice, Duration, Int, Json, List, Text, Url};
use super::Spec;

const HTTP: &str = "networking.http";
const NET: &str = "networking";
const TLS: &str = "networking.tls";
const DERP: &str = "networking.derp";
const TOP: &str = "";
const DANGER: &str = "dangerous";
const CLIENT: &str = "client";
const LOG: &str = "introspection.logging";
const PROM: &str = "introspection.prometheus";
const PPROF: &str = "introspection.pprof";
const TRACE: &str = "introspection.tracing";
const HEALTH: &str = "introspection.healthcheck";
const TELEMETRY: &str = "telemetry";
const GITHUB: &str = "oauth2.github";
const OIDC: &str = "oidc";
const PROV: &str = "provisioning";
const QUIET: &str = "userQuietHoursSchedule";
const EMAIL: &str = "email";
const EMAIL_AUTH: &str = "email.emailAuth";
const EMAIL_TLS: &str = "email.emailTLS";
const NOTIFY: &str = "notifications";
const PREBUILDS: &str = "workspace_prebuilds";
const CHAT: &str = "chat";
const RETENTION: &str = "retention";

/// Off is what this version does; anything else is refused.
const OFF: &[&str] = &["false"];
/// Nothing but the default is honoured.
const NONE: &[&str] = &[];

/// All options, in the order of help and docs.
pub fn table() -> &'static [Spec] {
    TABLE
}

static TABLE: &[Spec] = &[
    Spec::new(TOP, "config", Text, "", "A YAML file with options.")
        .short_flag('c').env_name("CODER_CONFIG_PATH").yaml_key(""),
    Spec::new(TOP, "write-config", Bool, "false", "Print the options as YAML and exit.")
        .env_name("").yaml_key(""),
    Spec::new(TOP, "postgres-url", Text, "", "URL of a PostgreSQL database, version 13 or newer. Empty: the one that travels in this program.")
        .env_name("CODER_PG_CONNECTION_URL").secret_value(),
    Spec::new(TOP, "postgres-auth", Choice(&["password", "awsiamrds"]), "password", "How to authenticate at the database.")
        .env_name("CODER_PG_AUTH").yaml_key("pgAuth").only(NONE),
    Spec::new(TOP, "postgres-conn-max-open", Int, "10", "Most connections to the database.")
        .env_name("CODER_PG_CONN_MAX_OPEN").yaml_key("pgConnMaxOpen"),
    Spec::new(TOP, "postgres-conn-max-idle", Text, "auto", "Most idle connections to the database.")
        .env_name("CODER_PG_CONN_MAX_IDLE").yaml_key("pgConnMaxIdle").only(NONE),
    Spec::new(TOP, "cache-dir", Text, "", "Where unpacked programs and provider downloads are kept. Default: the user's cache directory.")
        .env_name("CODER_CACHE_DIRECTORY"),
    Spec::new(TOP, "ephemeral", Bool, "false", "Keep all data in a temporary directory and remove it at the end.")
        .yaml_key("ephemeralDeployment").hide().only(OFF),
    Spec::new(TOP, "autobuild-poll-interval", Duration, "1m", "How often automatic starts and stops are looked at.").hide(),
    Spec::new(TOP, "job-hang-detector-interval", Duration, "10s", "How often jobs whose daemon died are looked for.").hide(),
    Spec::new(TOP, "api-rate-limit", Int, "512", "Requests per minute, user and endpoint. Negative: no limit.").hide(),
    Spec::new(TOP, "dangerous-disable-rate-limits", Bool, "false", "Switch all rate limits off.").yaml_key("").hide(),
    Spec::new(TOP, "experiments", List, "", "Experiments to switch on."),
    Spec::new(TOP, "update-check", Bool, "false", "Look for newer versions each day.").only(OFF),
    Spec::new(TOP, "default-token-lifetime", Duration, "168h", "Life of tokens that name none, and of the keys of the command line."),
    Spec::new(TOP, "default-oauth-refresh-lifetime", Duration, "720h", "Life of refresh tokens given to OAuth2 applications.")
        .yaml_key("defaultOAuthRefreshLifetime").only(NONE),
    Spec::new(TOP, "swagger-enable", Bool, "false", "Serve the API's documentation under /swagger.")
        .yaml_key("enableSwagger").only(OFF),
    Spec::new(TOP, "terms-of-service-url", Text, "", "Terms that users accept by signing in."),
    Spec::new(TOP, "ssh-keygen-algorithm", Choice(&["ed25519", "ecdsa", "rsa4096"]), "ed25519", "Kind of the git SSH keys made for users."),
    Spec::new(TOP, "metrics-cache-refresh-interval", Duration, "4h", "How often usage figures are computed.").yaml_key("").hide().only(NONE),
    Spec::new(TOP, "agent-stats-refresh-interval", Duration, "30s", "How often agents report statistics.").yaml_key("").hide(),
    Spec::new(TOP, "agent-fallback-troubleshooting-url", Text, "", "Shown for agents whose template names no troubleshooting page. Taken at each build.").hide(),
    Spec::new(TOP, "scim-auth-header", Text, "", "Secret of a SCIM client.").secret_value().only(NONE),
    Spec::new(TOP, "external-token-encryption-keys", List, "", "Keys that encrypt secrets in the database, each the base64 of 32 bytes: the first encrypts, all decrypt. Default: one that the server makes for itself in its configuration directory. Several servers on one database need the same.").secret_value(),
    Spec::new(TOP, "disable-path-apps", Bool, "false", "No apps under a path of the access URL."),
    Spec::new(TOP, "disable-owner-workspace-access", Bool, "false", "Owners may not open shells or apps of other people's workspaces."),
    Spec::new(TOP, "disable-workspace-sharing", Bool, "false", "Nobody shares workspaces."),
    Spec::new(TOP, "disable-chat-sharing", Bool, "false", "Nobody shares chats.").only(OFF),
    Spec::new(TOP, "support-links", Json, "", "Links shown to users: a JSON list of name, target, icon."),
    Spec::new(TOP, "allow-workspace-renames", Bool, "false", "Workspaces may be renamed. Templates that use the name in resources may lose data."),
    Spec::new(TOP, "oauth2-provider-enable", Bool, "false", "Let applications sign users in through this server.").only(OFF),
    Spec::new(TOP, "wg-tunnel-host", Text, "", "Server of development tunnels.")
        .env_name("WGTUNNEL_HOST").hide().only(NONE),
    Spec::new(TOP, "enable-authz-recordings", Bool, "false", "Answer with the access checks that were made.").yaml_key("").hide().only(OFF),
    Spec::new(TOP, "external-auth-github-default-provider-enable", Bool, "false", "Offer the public GitHub application for external authentication.").only(OFF),
    // Networking.
    Spec::new(NET, "access-url", Url, "", "Where people and workspaces reach this server. Default: the address it listens on."),
    Spec::new(NET, "wildcard-access-url", Text, "", "Wildcard host of apps, such as *.apps.example.com."),
    Spec::new(NET, "docs-url", Url, "", "Where links to documentation lead."),
    Spec::new(NET, "redirect-to-access-url", Bool, "false", "Redirect requests for other hosts to the access URL."),
    Spec::new(NET, "proxy-trusted-headers", List, "", "Headers with the client's address, set by a proxy in front."),
    Spec::new(NET, "proxy-trusted-origins", List, "", "Networks whose proxies are believed, as CIDR."),
    Spec::new(NET, "secure-auth-cookie", Bool, "false", "Send session cookies over HTTPS only."),
    Spec::new(NET, "samesite-auth-cookie", Choice(&["lax", "none"]), "lax", "SameSite of session cookies.").yaml_key("sameSiteAuthCookie"),
    Spec::new(NET, "host-prefix-cookie", Bool, "false", "Use the __Host- prefix for session cookies."),
    Spec::new(NET, "browser-only", Bool, "false", "Workspaces are reached by browsers only: apps and terminals through this server. Nobody makes a tunnel of their own, so there is no ssh and no port forwarding."),
    Spec::new(HTTP, "http-address", Address, "127.0.0.1:3000", "Where to listen. Empty: nowhere.").also("address"),
    Spec::new(HTTP, "additional-csp-policy", List, "", "More directives of Content-Security-Policy."),
    Spec::new(HTTP, "max-token-lifetime", Duration, "876600h", "Longest life of a token."),
    Spec::new(HTTP, "max-admin-token-lifetime", Duration, "168h", "Longest life of an owner's token."),
    Spec::new(HTTP, "session-duration", Duration, "24h", "Life of browser sessions."),
    Spec::new(HTTP, "disable-session-expiry-refresh", Bool, "false", "Use does not lengthen a session."),
    Spec::new(HTTP, "disable-password-auth", Bool, "false", "Nobody signs in with a password."),
    Spec::new(HTTP, "proxy-health-interval", Duration, "1m", "How often workspace proxies are checked.").only(NONE),
    Spec::new(TLS, "tls-enable", Bool, "false", "Listen for HTTPS too."),
    Spec::new(TLS, "tls-address", Address, "127.0.0.1:3443", "Where to listen for HTTPS."),
    Spec::new(TLS, "tls-cert-file", List, "", "Certificate chains, PEM; read again when they change. Without any, a self-signed one is made.").yaml_key("certFiles"),
    Spec::new(TLS, "tls-key-file", List, "", "Their keys, PEM, in the same order.").yaml_key("keyFiles"),
    Spec::new(TLS, "tls-client-ca-file", Text, "", "Authorities of client certificates, PEM."),
    Spec::new(TLS, "tls-client-auth", Choice(&["none", "request", "require-any", "verify-if-given", "require-and-verify"]), "none", "Whether clients must show a certificate."),
    Spec::new(TLS, "tls-min-version", Choice(&["tls12", "tls13"]), "tls12", "Oldest TLS version; those before 1.2 are not safe and not offered."),
    Spec::new(TLS, "tls-client-cert-file", Text, "", "Certificate, PEM, shown to servers that these options name and that ask for one: relays, their map, the Git host of chats."),
    Spec::new(TLS, "tls-client-key-file", Text, "", "Its key, PEM."),
    Spec::new(TLS, "tls-ciphers", List, "", "Cipher suites of TLS 1.2, by their names at IANA; empty: all that are offered. Those of TLS 1.3 are always on.").yaml_key("tlsCiphers"),
    Spec::new(TLS, "tls-allow-insecure-ciphers", Bool, "false", "Permits weak cipher suites in --tls-ciphers. There are none in this server: one that is named is refused either way.").yaml_key("tlsAllowInsecureCiphers"),
    Spec::new(TLS, "strict-transport-security", Int, "0", "Seconds of Strict-Transport-Security. 0: none."),
    Spec::new(TLS, "strict-transport-security-options", List, "", "Its further directives: includeSubDomains, preload."),
    Spec::new(DERP, "derp-server-enable", Bool, "true", "Serve the embedded relay.").yaml_key("enable"),
    Spec::new(DERP, "derp-server-region-id", Int, "999", "Region id of the embedded relay.").yaml_key("regionID").hide(),
    Spec::new(DERP, "derp-server-region-code", Text, "coder", "Region code of the embedded relay.").yaml_key("regionCode").hide(),
    Spec::new(DERP, "derp-server-region-name", Text, "Coder Embedded Relay", "Region name of the embedded relay.").yaml_key("regionName"),
    Spec::new(DERP, "derp-server-stun-addresses", List, "disable", "STUN servers told to clients and agents. `disable`: none.").yaml_key("stunAddresses"),
    Spec::new(DERP, "derp-server-stun-listen", List, "", "UDP addresses where a STUN server of this deployment listens, host:port. Empty: none.").yaml_key("stunListen"),
    Spec::new(DERP, "derp-server-relay-url", Url, "", "Where other replicas reach this one, so that who watches a chat there sees live what this one generates.").yaml_key("relayURL"),
    Spec::new(DERP, "block-direct-connections", Bool, "false", "Connections go through the relay only.").env_name("CODER_BLOCK_DIRECT").yaml_key("blockDirect"),
    Spec::new(DERP, "derp-force-websockets", Bool, "false", "Reach relays by WebSocket only.").yaml_key("forceWebSockets"),
    Spec::new(DERP, "derp-config-url", Text, "", "URL of a relay map in JSON, fetched at start.").yaml_key("url"),
    Spec::new(DERP, "derp-config-path", Text, "", "File with a relay map in JSON.").yaml_key("configPath"),
    Spec::new("networking.cluster", "cluster-host", Text, "", "Address of this replica for others.").only(NONE),
    // Clients.
    Spec::new(CLIENT, "workspace-hostname-suffix", Text, "coder", "Suffix of workspace host names."),
    Spec::new(CLIENT, "ssh-config-options", List, "", "SSH options that `coder config-ssh` writes for everyone, KEY=VALUE."),
    Spec::new(CLIENT, "ssh-hostname-prefix", Text, "coder.", "Prefix of workspace host names in SSH configurations.").yaml_key("sshHostnamePrefix").hide().only(NONE),
    Spec::new(CLIENT, "cli-upgrade-message", Text, "", "Told to command lines of another version."),
    Spec::new(CLIENT, "web-terminal-renderer", Choice(&["canvas", "webgl", "dom"]), "canvas", "How the web terminal draws.").only(NONE),
    // Provisioning.
    Spec::new(PROV, "provisioner-daemons", Int, "3", "Builds that this server runs at once. 0: none here."),
    Spec::new(PROV, "provisioner-types", List, "terraform", "Kinds of the built-in provisioner daemons.").yaml_key("daemonTypes").hide().only(NONE),
    Spec::new(PROV, "provisioner-daemon-poll-interval", Duration, "1s", "Without effect: daemons are woken.").hide(),
    Spec::new(PROV, "provisioner-daemon-poll-jitter", Duration, "100ms", "Without effect: daemons are woken.").hide(),
    Spec::new(PROV, "provisioner-force-cancel-interval", Duration, "10m", "Time between a polite cancellation and the end by force."),
    Spec::new(PROV, "provisioner-daemon-psk", Text, "", "Secret of provisioner daemons on other machines.").secret_value().only(NONE),
    Spec::new(PROV, "provisioner-disable-module-cache", Bool, "false", "Fetch modules anew for each build."),
    Spec::new(PROV, "terraform-binary-path", Text, "", "OpenTofu or Terraform to run. Default: tofu or terraform on PATH, else the OpenTofu in this program. An option of our own."),
    Spec::new("introspection", "enable-terraform-debug-mode", Bool, "false", "Let administrators ask for debug logs of builds."),
    // Introspection.
    Spec::new(LOG, "log-filter", List, "", "Which debug logs to write, as filter directives.").short_flag('l'),
    Spec::new(LOG, "log-human", Text, "/dev/stderr", "Where to write logs for people. Empty: nowhere.").env_name("CODER_LOGGING_HUMAN").yaml_key("humanPath"),
    Spec::new(LOG, "log-json", Text, "", "Where to write logs as JSON.").env_name("CODER_LOGGING_JSON").yaml_key("jsonPath"),
    Spec::new(LOG, "log-stackdriver", Text, "", "Where to write logs in Stackdriver's form, which Google Cloud reads.").env_name("CODER_LOGGING_STACKDRIVER").yaml_key("stackdriverPath"),
    Spec::new(PROM, "prometheus-enable", Bool, "false", "Serve metrics."),
    Spec::new(PROM, "prometheus-address", Address, "127.0.0.1:2112", "Where to serve metrics."),
    Spec::new(PROM, "prometheus-collect-agent-stats", Bool, "false", "Metrics of agents too.").only(OFF),
    Spec::new(PROM, "prometheus-aggregate-agent-stats-by", List, "agent_name,template_name,username,workspace_name", "Labels of agent metrics.").only(NONE),
    Spec::new(PROM, "prometheus-collect-db-metrics", Bool, "false", "Metrics of the database too.").only(OFF),
    Spec::new(PPROF, "pprof-enable", Bool, "false", "Serve profiles.").only(OFF),
    Spec::new(PPROF, "pprof-address", Address, "127.0.0.1:6060", "Where to serve profiles.").only(NONE),
    Spec::new(TRACE, "trace", Bool, "false", "Send traces by OTLP.").env_name("CODER_TRACE_ENABLE").yaml_key("enable").only(OFF),
    Spec::new(TRACE, "trace-honeycomb-api-key", Text, "", "Send traces to Honeycomb.").secret_value().only(NONE),
    Spec::new(TRACE, "trace-logs", Bool, "false", "Logs in traces.").yaml_key("captureLogs").only(OFF),
    Spec::new(TRACE, "trace-datadog", Bool, "false", "Send traces to Datadog.").yaml_key("dataDog").hide().only(OFF),
    Spec::new("introspection.statsCollection.usageStats", "stats-collection-usage-stats-enable", Bool, "true", "Collect usage for insights.").yaml_key("enable").only(NONE),
    Spec::new(HEALTH, "health-check-refresh", Duration, "10m", "How long a health report is kept."),
    Spec::new(HEALTH, "health-check-threshold-database", Duration, "15ms", "Database latency that counts as slow."),
    Spec::new(TELEMETRY, "telemetry", Bool, "false", "Send usage figures to the makers. This version never does.").env_name("CODER_TELEMETRY_ENABLE").yaml_key("enable").only(OFF),
    Spec::new(TELEMETRY, "telemetry-url", Text, "", "Where they would go.").hide().only(NONE),
    // Sign-in.
    Spec::new(GITHUB, "oauth2-github-client-id", Text, "", "GitHub application for signing in.").only(NONE),
    Spec::new(GITHUB, "oauth2-github-client-secret", Text, "", "Its secret.").secret_value().only(NONE),
    Spec::new(GITHUB, "oauth2-github-device-flow", Bool, "false", "Sign in by device code.").only(OFF),
    Spec::new(GITHUB, "oauth2-github-default-provider-enable", Bool, "false", "Offer the public GitHub application.").only(OFF),
    Spec::new(GITHUB, "oauth2-github-allowed-orgs", List, "", "GitHub organizations that may sign in.").only(NONE),
    Spec::new(GITHUB, "oauth2-github-allowed-teams", List, "", "GitHub teams that may sign in, org/team.").only(NONE),
    Spec::new(GITHUB, "oauth2-github-allow-signups", Bool, "false", "GitHub users may create accounts.").only(OFF),
    Spec::new(GITHUB, "oauth2-github-allow-everyone", Bool, "false", "Every GitHub user may sign in.").only(OFF),
    Spec::new(GITHUB, "oauth2-github-enterprise-base-url", Text, "", "GitHub Enterprise server.").only(NONE),
    Spec::new(OIDC, "oidc-issuer-url", Text, "", "OpenID Connect issuer.").only(NONE),
    Spec::new(OIDC, "oidc-client-id", Text, "", "Client id at the issuer.").only(NONE),
    Spec::new(OIDC, "oidc-client-secret", Text, "", "Client secret at the issuer.").secret_value().only(NONE),
    Spec::new(OIDC, "oidc-client-key-file", Text, "", "Private key for client assertions.").yaml_key("oidcClientKeyFile").only(NONE),
    Spec::new(OIDC, "oidc-client-cert-file", Text, "", "Its certificate.").yaml_key("oidcClientCertFile").only(NONE),
    Spec::new(OIDC, "oidc-allow-signups", Bool, "true", "Users of the issuer may create accounts.").only(NONE),
    Spec::new(OIDC, "oidc-email-domain", List, "", "E-mail domains that may sign in.").only(NONE),
    Spec::new(OIDC, "oidc-scopes", List, "openid,profile,email", "Scopes to ask for.").only(NONE),
    Spec::new(OIDC, "oidc-ignore-email-verified", Bool, "false", "Accept unverified addresses.").only(OFF),
    Spec::new(OIDC, "oidc-username-field", Text, "preferred_username", "Claim with the user name.").only(NONE),
    Spec::new(OIDC, "oidc-name-field", Text, "name", "Claim with the full name.").only(NONE),
    Spec::new(OIDC, "oidc-email-field", Text, "email", "Claim with the e-mail address.").only(NONE),
    Spec::new(OIDC, "oidc-auth-url-params", Json, "{\"access_type\": \"offline\"}", "More parameters of the sign-in URL.").only(NONE),
    Spec::new(OIDC, "oidc-ignore-userinfo", Bool, "false", "Take claims from the id token only.").yaml_key("ignoreUserInfo").only(OFF),
    Spec::new(OIDC, "oidc-organization-field", Text, "", "Claim with organizations.").only(NONE),
    Spec::new(OIDC, "oidc-organization-assign-default", Bool, "true", "Everyone joins the default organization.").only(NONE),
    Spec::new(OIDC, "oidc-organization-mapping", Json, "{}", "Claim values to organization ids.").only(NONE),
    Spec::new(OIDC, "oidc-group-field", Text, "", "Claim with groups.").only(NONE),
    Spec::new(OIDC, "oidc-group-mapping", Json, "{}", "Claim values to group names.").only(NONE),
    Spec::new(OIDC, "oidc-group-auto-create", Bool, "false", "Create groups that are missing.").yaml_key("enableGroupAutoCreate").only(OFF),
    Spec::new(OIDC, "oidc-group-regex-filter", Text, ".*", "Which groups to take.").only(NONE),
    Spec::new(OIDC, "oidc-allowed-groups", List, "", "Groups that may sign in.").yaml_key("groupAllowed").only(NONE),
    Spec::new(OIDC, "oidc-user-role-field", Text, "", "Claim with roles.").only(NONE),
    Spec::new(OIDC, "oidc-user-role-mapping", Json, "{}", "Claim values to roles.").only(NONE),
    Spec::new(OIDC, "oidc-user-role-default", List, "", "Roles of everyone.").only(NONE),
    Spec::new(OIDC, "oidc-sign-in-text", Text, "OpenID Connect", "Text of the sign-in button.").only(NONE),
    Spec::new(OIDC, "oidc-icon-url", Text, "", "Icon of the sign-in button.").only(NONE),
    Spec::new(OIDC, "oidc-signups-disabled-text", Text, "", "Shown to those who may not create an account.").only(NONE),
    Spec::new(OIDC, "dangerous-oidc-skip-issuer-checks", Bool, "false", "Do not compare the issuer.").yaml_key("dangerousSkipIssuerChecks").only(OFF),
    Spec::new(OIDC, "oidc-redirect-url", Text, "", "Where the issuer sends users back.").yaml_key("oidc-redirect-url").only(NONE),
    // Dangerous.
    Spec::new(DANGER, "dangerous-allow-cors-requests", Bool, "false", "Answer requests of any origin.").yaml_key("").only(OFF),
    Spec::new(DANGER, "dangerous-allow-path-app-sharing", Bool, "false", "Share path apps.").yaml_key(""),
    Spec::new(DANGER, "dangerous-allow-path-app-site-owner-access", Bool, "false", "Owners open everybody's path apps.").yaml_key(""),
    // Schedules.
    Spec::new(QUIET, "default-quiet-hours-schedule", Text, "CRON_TZ=UTC 0 0 * * *", "Quiet hours of users who set none: a daily schedule in cron form.").env_name("CODER_QUIET_HOURS_DEFAULT_SCHEDULE"),
    Spec::new(QUIET, "allow-custom-quiet-hours", Bool, "true", "Users may set quiet hours of their own."),
    // Messages.
    Spec::new(EMAIL, "email-from", Text, "", "Sender of e-mail.").only(NONE),
    Spec::new(EMAIL, "email-smarthost", Text, "", "Mail server, host:port.").only(NONE),
    Spec::new(EMAIL, "email-hello", Text, "localhost", "Name given to the mail server.").only(NONE),
    Spec::new(EMAIL, "email-force-tls", Bool, "false", "TLS from the first byte.").only(OFF),
    Spec::new(EMAIL_AUTH, "email-auth-identity", Text, "", "Identity for PLAIN.").only(NONE),
    Spec::new(EMAIL_AUTH, "email-auth-username", Text, "", "User name at the mail server.").only(NONE),
    Spec::new(EMAIL_AUTH, "email-auth-password", Text, "", "Password at the mail server.").secret_value().only(NONE),
    Spec::new(EMAIL_AUTH, "email-auth-password-file", Text, "", "File with that password.").only(NONE),
    Spec::new(EMAIL_TLS, "email-tls-starttls", Bool, "false", "Switch to TLS by STARTTLS.").yaml_key("startTLS").only(OFF),
    Spec::new(EMAIL_TLS, "email-tls-server-name", Text, "", "Name in the mail server's certificate.").env_name("CODER_EMAIL_TLS_SERVERNAME").only(NONE),
    Spec::new(EMAIL_TLS, "email-tls-skip-verify", Bool, "false", "Do not check that certificate.").env_name("CODER_EMAIL_TLS_SKIPVERIFY").yaml_key("insecureSkipVerify").only(OFF),
    Spec::new(EMAIL_TLS, "email-tls-ca-cert-file", Text, "", "Authorities of the mail server.").env_name("CODER_EMAIL_TLS_CACERTFILE").only(NONE),
    Spec::new(EMAIL_TLS, "email-tls-cert-file", Text, "", "Our certificate.").env_name("CODER_EMAIL_TLS_CERTFILE").only(NONE),
    Spec::new(EMAIL_TLS, "email-tls-cert-key-file", Text, "", "Its key.").env_name("CODER_EMAIL_TLS_CERTKEYFILE").only(NONE),
    Spec::new(NOTIFY, "notifications-method", Choice(&["smtp", "webhook"]), "smtp", "How notifications are sent.").only(NONE),
    Spec::new(NOTIFY, "notifications-dispatch-timeout", Duration, "1m", "Time for one message.").only(NONE),
    Spec::new(NOTIFY, "notifications-max-send-attempts", Int, "5", "Tries for one message.").only(NONE),
    Spec::new("notifications.webhook", "notifications-webhook-endpoint", Text, "", "Where webhooks go.").only(NONE),
    Spec::new("notifications.inbox", "notifications-inbox-enabled", Bool, "true", "Keep notifications in the inbox.").only(NONE),
    // Prebuilds, chats.
    Spec::new(PREBUILDS, "workspace-prebuilds-reconciliation-interval", Duration, "1m", "How often prebuilt workspaces are counted.").only(NONE),
    Spec::new(CHAT, "chat-acquire-batch-size", Int, "10", "Chats taken at once.").only(NONE),
    Spec::new(CHAT, "mcp-allowed-private-cidrs", List, "", "Private networks that MCP servers and their authorization servers may be in, as CIDR. All others that are not public are refused."),
    Spec::new(CHAT, "disable-chat-caller-supplied-tools", Bool, "false", "Chats have no tools that their client runs."),
    Spec::new(CHAT, "chat-github-api-url", Url, "", "Address of GitHub's API, where pull requests of chats' branches are looked up without an account, so those of public repositories only: https://api.github.com, or https://HOST/api/v3. Empty: nowhere."),
    Spec::new(CHAT, "chat-debug-logging-enabled", Bool, "false", "Keep debug logs of all chats: what models were asked and answered."),
    Spec::new("ai_gateway", "ai-gateway-enabled", Bool, "true", "Models can be called: without, no chat gets an answer."),
    Spec::new("ai_gateway", "ai-gateway-allow-byok", Bool, "true", "People may use keys of their own for model providers."),
    Spec::new("ai_gateway", "ai-gateway-retention", Duration, "60d", "How long records of model calls are kept. 0: for ever."),
    // Retention.
    Spec::new(RETENTION, "audit-logs-retention", Duration, "0", "How long audit entries are kept. 0: for ever.").yaml_key("audit_logs"),
    Spec::new(RETENTION, "connection-logs-retention", Duration, "0", "How long connection logs are kept. 0: for ever.").yaml_key("connection_logs").only(NONE),
    Spec::new(RETENTION, "api-keys-retention", Duration, "7d", "How long expired keys are kept. 0: for ever.").yaml_key("api_keys"),
    Spec::new(RETENTION, "workspace-agent-logs-retention", Duration, "7d", "How long agent logs of old builds are kept. 0: for ever.").yaml_key("workspace_agent_logs"),
    Spec::new("templateBuilder", "disable-template-builder", Bool, "true", "No template builder.").yaml_key("disabled").only(NONE),
];
