//! Every command, one file each, and the tree that holds them.

pub mod agent;
mod autoupdate;
pub mod building;
pub mod chat;
pub mod completion;
mod config_ssh;
mod connect;
mod create;
mod delete;
mod dotfiles;
mod exp;
mod external_auth;
mod external_workspaces;
mod favorite;
mod features;
pub mod gitaskpass;
mod gitssh;
mod groups;
mod licenses;
mod list;
mod login;
mod logout;
mod logs;
pub mod lookup;
mod netcheck;
#[cfg(feature = "full")]
mod new_password;
mod notifications;
mod oauth2_provider;
mod open;
mod organizations;
mod ping;
mod port_forward;
mod prebuilds;
mod provisioner;
mod publickey;
mod rename;
#[cfg(feature = "full")]
mod reset_password;
mod resources;
mod restart;
mod schedule;
mod secret;
#[cfg(feature = "full")]
mod server;
mod show;
mod speedtest;
mod ssh;
mod start;
mod stat;
mod state;
mod stop;
mod support;
mod templates;
mod tokens;
mod update;
mod users;
mod version;
mod vscodessh;
mod whoami;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::globals::Globals;
use crate::later::Later;
use crate::session::Session;

/// Cloud development environments: workspaces from templates, reached by SSH.
#[derive(Parser)]
#[command(
    name = "coder",
    bin_name = "coder",
    display_name = "Coder",
    version = api_types::VERSION,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
#[command(after_help = "See `coder <command> --help` for the flags of a command.")]
pub struct Root {
    #[command(flatten)]
    pub globals: Globals,

    #[command(subcommand)]
    pub command: Command,
}

/// The kind of runtime that a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// One thread: least memory, quickest start.
    Single,
    /// Two threads, on machines of any size: one for each direction of a tunnel.
    Two,
    /// A thread per core.
    #[cfg(feature = "full")]
    Multi,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run the agent of a workspace.
    #[command(hide = true)]
    Agent(Later<agent::Args>),
    /// Choose whether a workspace updates with every start.
    Autoupdate(Later<autoupdate::Args>),
    /// Talk to AI agents that work in your workspaces.
    Chat(Later<chat::Args>),
    /// Install or update completion of commands and flags in your shell.
    Completion(Later<completion::Args>),
    /// Let OpenSSH reach workspaces: writes a section of its configuration.
    ConfigSsh(Later<config_ssh::Args>),
    /// Ask about Coder Connect.
    #[command(hide = true)]
    Connect(Later<connect::Args>),
    /// Create a workspace.
    Create(Later<create::Args>),
    /// Delete a workspace and everything in it.
    #[command(visible_alias = "rm")]
    Delete(Later<delete::Args>),
    /// Personalize this workspace with your dotfiles repository.
    Dotfiles(Later<dotfiles::Args>),
    /// Create and manage workspaces whose agent you start yourself.
    ExternalWorkspaces(Later<external_workspaces::Args>),
    /// Commands that may still change.
    #[command(hide = true)]
    Exp(Later<exp::Args>),
    /// Get tokens of other services, from inside a workspace.
    ExternalAuth(Later<external_auth::Args>),
    /// List a workspace before the others.
    #[command(visible_aliases = ["fav", "favourite"])]
    Favorite(Later<favorite::Args>),
    /// Show the features of the deployment.
    #[command(visible_alias = "feature")]
    Features(Later<features::Args>),
    /// Answer a question of git.
    #[command(hide = true)]
    Gitaskpass(Later<gitaskpass::Args>),
    /// Run ssh with the key of the workspace's owner.
    #[command(hide = true)]
    Gitssh(Later<gitssh::Args>),
    /// Manage groups of people.
    #[command(visible_alias = "group")]
    Groups(Later<groups::Args>),
    /// Manage the licenses of a deployment that needs them.
    #[command(visible_alias = "license")]
    Licenses(Later<licenses::Args>),
    /// List workspaces.
    #[command(visible_alias = "ls")]
    List(Later<list::Args>),
    /// Sign in to a deployment.
    Login(Later<login::Args>),
    /// Sign out and forget the session.
    Logout(Later<logout::Args>),
    /// Show the logs of a workspace's build and of its agents.
    Logs(Later<logs::Args>),
    /// Show what the network between here and the deployment can do.
    Netcheck(Later<netcheck::Args>),
    /// Hold notifications back, and try whether they arrive.
    #[command(visible_alias = "notification")]
    Notifications(Later<notifications::Args>),
    /// Settings of the deployment as an OAuth2 provider.
    #[command(name = "oauth2-provider")]
    Oauth2Provider(Later<oauth2_provider::Args>),
    /// Open a workspace in an editor, or one of its apps in the browser.
    Open(Later<open::Args>),
    /// Manage organizations, their members and their roles.
    #[command(visible_aliases = ["organization", "org", "orgs"])]
    Organizations(Later<organizations::Args>),
    /// Measure how long a workspace takes to answer.
    Ping(Later<ping::Args>),
    /// Make ports of a workspace reachable on this machine.
    #[command(visible_alias = "tunnel")]
    PortForward(Later<port_forward::Args>),
    /// Control how workspaces are built in advance.
    #[command(visible_alias = "prebuild")]
    Prebuilds(Later<prebuilds::Args>),
    /// Show what runs Terraform, its jobs, and its keys.
    #[command(visible_alias = "provisioners")]
    Provisioner(Later<provisioner::Args>),
    /// Print the public key with which your workspaces reach Git servers.
    #[command(visible_alias = "pubkey")]
    Publickey(Later<publickey::Args>),
    /// Rename a workspace.
    Rename(Later<rename::Args>),
    /// Set a user's password by the database.
    #[cfg(feature = "full")]
    ResetPassword(Later<reset_password::Args>),
    /// Stop a workspace and start it again.
    Restart(Later<restart::Args>),
    /// Show and change when workspaces start and stop by themselves.
    Schedule(Later<schedule::Args>),
    /// Manage secrets that your workspaces get as variables or files.
    #[command(visible_alias = "secrets")]
    Secret(Later<secret::Args>),
    /// Run the control plane.
    #[cfg(feature = "full")]
    Server(Later<server::Args>),
    /// Show a workspace's resources and agents.
    Show(Later<show::Args>),
    /// Measure how fast bytes go to and from a workspace.
    Speedtest(Later<speedtest::Args>),
    /// Open a shell in a workspace, or run a command in it.
    Ssh(Later<ssh::Args>),
    /// Start a workspace.
    Start(Later<start::Args>),
    /// Show resource usage of this workspace.
    Stat(Later<stat::Args>),
    /// Read and replace the Terraform state of workspaces.
    State(Later<state::Args>),
    /// Stop a workspace.
    Stop(Later<stop::Args>),
    /// Collect what others need to help you.
    Support(Later<support::Args>),
    /// Manage templates.
    #[command(visible_alias = "template")]
    Templates(Later<templates::Args>),
    /// Manage tokens, with which programs sign in.
    #[command(visible_alias = "token")]
    Tokens(Later<tokens::Args>),
    /// List a workspace among the others again.
    #[command(visible_aliases = ["unfav", "unfavourite"])]
    Unfavorite(Later<favorite::Args>),
    /// Bring a workspace to the active version of its template and start it.
    Update(Later<update::Args>),
    /// Manage users.
    #[command(visible_alias = "user")]
    Users(Later<users::Args>),
    /// Show the version of this program.
    Version(Later<version::Args>),
    /// Carry SSH of VS Code to a workspace.
    #[command(hide = true)]
    Vscodessh(Later<vscodessh::Args>),
    /// Show who is signed in, and where.
    Whoami(Later<whoami::Args>),
}

impl Command {
    /// The runtime that the command needs.
    pub fn runtime(&self) -> Runtime {
        match self {
            Self::Agent(_) => Runtime::Two,
            #[cfg(feature = "full")]
            Self::Server(_) => Runtime::Multi,
            _ => Runtime::Single,
        }
    }

    /// Whether the command sets up logging by itself.
    pub fn logs_itself(&self) -> bool {
        match self {
            Self::Agent(_) => true,
            #[cfg(feature = "full")]
            Self::Server(_) => true,
            _ => false,
        }
    }

    /// Runs the command.
    pub async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Agent(Later(args)) => agent::run(args, session).await,
            Self::Autoupdate(Later(args)) => autoupdate::run(args, session).await,
            Self::Chat(Later(args)) => chat::run(args, session).await,
            Self::Completion(Later(args)) => completion::run(&args, session),
            Self::ConfigSsh(Later(args)) => config_ssh::run(args, session).await,
            Self::Connect(Later(args)) => connect::run(&args),
            Self::Create(Later(args)) => create::run(args, session).await,
            Self::Delete(Later(args)) => delete::run(args, session).await,
            Self::Dotfiles(Later(args)) => dotfiles::run(args, session).await,
            Self::ExternalWorkspaces(Later(args)) => external_workspaces::run(args, session).await,
            Self::Exp(Later(args)) => exp::run(args, session).await,
            Self::ExternalAuth(Later(args)) => external_auth::run(args, session).await,
            Self::Favorite(Later(args)) => favorite::add(args, session).await,
            Self::Features(Later(args)) => features::run(args, session).await,
            Self::Gitaskpass(Later(args)) => gitaskpass::run(args, session).await,
            Self::Gitssh(Later(args)) => gitssh::run(args, session).await,
            Self::Groups(Later(args)) => groups::run(args, session).await,
            Self::Licenses(Later(args)) => licenses::run(args, session).await,
            Self::List(Later(args)) => list::run(args, session).await,
            Self::Login(Later(args)) => login::run(args, session).await,
            Self::Logout(Later(args)) => logout::run(args, session).await,
            Self::Logs(Later(args)) => logs::run(args, session).await,
            Self::Netcheck(Later(args)) => netcheck::run(args, session).await,
            Self::Notifications(Later(args)) => notifications::run(args, session).await,
            Self::Oauth2Provider(Later(args)) => oauth2_provider::run(args, session).await,
            Self::Open(Later(args)) => open::run(args, session).await,
            Self::Organizations(Later(args)) => organizations::run(args, session).await,
            Self::Ping(Later(args)) => ping::run(args, session).await,
            Self::PortForward(Later(args)) => port_forward::run(args, session).await,
            Self::Prebuilds(Later(args)) => prebuilds::run(args, session).await,
            Self::Provisioner(Later(args)) => provisioner::run(args, session).await,
            Self::Publickey(Later(args)) => publickey::run(args, session).await,
            Self::Rename(Later(args)) => rename::run(args, session).await,
            #[cfg(feature = "full")]
            Self::ResetPassword(Later(args)) => reset_password::run(args, session).await,
            Self::Restart(Later(args)) => restart::run(args, session).await,
            Self::Schedule(Later(args)) => schedule::run(args, session).await,
            Self::Secret(Later(args)) => secret::run(args, session).await,
            #[cfg(feature = "full")]
            Self::Server(Later(args)) => server::run(args, session).await,
            Self::Show(Later(args)) => show::run(args, session).await,
            Self::Speedtest(Later(args)) => speedtest::run(args, session).await,
            Self::Ssh(Later(args)) => ssh::run(args, session).await,
            Self::Start(Later(args)) => start::run(args, session).await,
            Self::Stat(Later(args)) => stat::run(args, session).await,
            Self::State(Later(args)) => state::run(args, session).await,
            Self::Stop(Later(args)) => stop::run(args, session).await,
            Self::Support(Later(args)) => support::run(args, session).await,
            Self::Templates(Later(args)) => templates::run(args, session).await,
            Self::Tokens(Later(args)) => tokens::run(args, session).await,
            Self::Unfavorite(Later(args)) => favorite::remove(args, session).await,
            Self::Update(Later(args)) => update::run(args, session).await,
            Self::Users(Later(args)) => users::run(args, session).await,
            Self::Version(Later(args)) => version::run(&args, session),
            Self::Vscodessh(Later(args)) => vscodessh::run(args, session).await,
            Self::Whoami(Later(args)) => whoami::run(args, session).await,
        }
    }
}
