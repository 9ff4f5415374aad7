//! Flags that every command takes, and their environment variables.

use std::path::PathBuf;

use clap::Args;

/// Global flags.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Address of the deployment.
    #[arg(long, global = true, env = "CODER_URL", value_name = "url")]
    pub url: Option<String>,

    /// Session token to use instead of the stored one.
    #[arg(
        long,
        global = true,
        env = "CODER_SESSION_TOKEN",
        value_name = "token",
        hide_env_values = true
    )]
    pub token: Option<String>,

    /// Directory that holds the address, the session and other settings.
    #[arg(long, global = true, env = "CODER_CONFIG_DIR", value_name = "dir")]
    pub global_config: Option<PathBuf>,

    /// Additional header `key=value` of every request; may be repeated.
    #[arg(
        long,
        global = true,
        env = "CODER_HEADER",
        value_name = "key=value",
        hide_env_values = true
    )]
    pub header: Vec<String>,

    /// Shell command that prints additional headers as `key=value` lines; it finds the address in CODER_URL.
    #[arg(
        long,
        global = true,
        env = "CODER_HEADER_COMMAND",
        value_name = "command"
    )]
    pub header_command: Option<String>,

    /// Do not warn when client and server versions differ.
    #[arg(long, global = true, env = "CODER_NO_VERSION_WARNING")]
    pub no_version_warning: bool,

    /// Do not warn about features of the deployment.
    #[arg(long, global = true, env = "CODER_NO_FEATURE_WARNING")]
    pub no_feature_warning: bool,

    /// Treat input and output as a terminal.
    #[arg(long, global = true, env = "CODER_FORCE_TTY")]
    pub force_tty: bool,

    /// Say more, above all about errors.
    #[arg(short, long, global = true, env = "CODER_VERBOSE")]
    pub verbose: bool,

    /// Reach workspaces by the relay alone.
    #[arg(long, global = true, env = "CODER_DISABLE_DIRECT_CONNECTIONS")]
    pub disable_direct_connections: bool,

    /// Do not report the quality of connections to the deployment. Kept for scripts: nothing is ever reported.
    #[arg(long, global = true, env = "CODER_DISABLE_NETWORK_TELEMETRY")]
    pub disable_network_telemetry: bool,

    /// PEM file of the only certificate authorities to trust.
    #[arg(
        long,
        global = true,
        env = "CODER_CLIENT_TLS_CA_FILE",
        value_name = "file"
    )]
    pub client_tls_ca_file: Option<PathBuf>,

    /// PEM file of the client certificate; goes with --client-tls-key-file.
    #[arg(
        long,
        global = true,
        env = "CODER_CLIENT_TLS_CERT_FILE",
        value_name = "file"
    )]
    pub client_tls_cert_file: Option<PathBuf>,

    /// PEM file of the client certificate's key.
    #[arg(
        long,
        global = true,
        env = "CODER_CLIENT_TLS_KEY_FILE",
        value_name = "file"
    )]
    pub client_tls_key_file: Option<PathBuf>,

    /// Store the session in the operating system's keyring, where it has one that this program knows; a file otherwise.
    #[arg(
        long,
        global = true,
        env = "CODER_USE_KEYRING",
        value_name = "bool",
        value_parser = clap::value_parser!(bool)
    )]
    pub use_keyring: Option<bool>,

    /// Print the values of all options of a command before it runs.
    #[arg(long, global = true)]
    pub debug_options: bool,

    /// Never open a browser.
    #[arg(long, global = true, env = "CODER_NO_OPEN", hide = true)]
    pub no_open: bool,

    /// Print every request.
    #[arg(long, global = true, hide = true)]
    pub debug_http: bool,
}
