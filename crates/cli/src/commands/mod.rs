//! Every command, one file each, and the tree that holds them.

pub mod agent;
mod autoupdate;
pub mod building;
mod chat;
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
    Agent(agent::Args),
    /// Choose whether a workspace updates with every start.
    Autoupdate(autoupdate::Args),
    /// Talk to AI agents that work in your workspaces.
    Chat(chat::Args),
    /// Install or update completion of commands and flags in your shell.
    Completion(completion::Args),
    /// Let OpenSSH reach workspaces: writes a section of its configuration.
    ConfigSsh(config_ssh::Args),
    /// Ask about Coder Connect.
    #[command(hide = true)]
    Connect(connect::Args),
    /// Create a workspace.
    Create(create::Args),
    /// Delete a workspace and everything in it.
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    /// Personalize this workspace with your dotfiles repository.
    Dotfiles(dotfiles::Args),
    /// Create and manage workspaces whose agent you start yourself.
    ExternalWorkspaces(external_workspaces::Args),
    /// Commands that may still change.
    #[command(hide = true)]
    Exp(exp::Args),
    /// Get tokens of other services, from inside a workspace.
    ExternalAuth(external_auth::Args),
    /// List a workspace before the others.
    #[command(visible_aliases = ["fav", "favourite"])]
    Favorite(favorite::Args),
    /// Show the features of the deployment.
    #[command(visible_alias = "feature")]
    Features(features::Args),
    /// Answer a question of git.
    #[command(hide = true)]
    Gitaskpass(gitaskpass::Args),
    /// Run ssh with the key of the workspace's owner.
    #[command(hide = true)]
    Gitssh(gitssh::Args),
    /// Manage groups of people.
    #[command(visible_alias = "group")]
    Groups(groups::Args),
    /// Manage the licenses of a deployment that needs them.
    #[command(visible_alias = "license")]
    Licenses(licenses::Args),
    /// List workspaces.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Sign in to a deployment.
    Login(login::Args),
    /// Sign out and forget the session.
    Logout(logout::Args),
    /// Show the logs of a workspace's build and of its agents.
    Logs(logs::Args),
    /// Show what the network between here and the deployment can do.
    Netcheck(netcheck::Args),
    /// Hold notifications back, and try whether they arrive.
    #[command(visible_alias = "notification")]
    Notifications(notifications::Args),
    /// Settings of the deployment as an OAuth2 provider.
    #[command(name = "oauth2-provider")]
    Oauth2Provider(oauth2_provider::Args),
    /// Open a workspace in an editor, or one of its apps in the browser.
    Open(open::Args),
    /// Manage organizations, their members and their roles.
    #[command(visible_aliases = ["organization", "org", "orgs"])]
    Organizations(organizations::Args),
    /// Measure how long a workspace takes to answer.
    Ping(ping::Args),
    /// Make ports of a workspace reachable on this machine.
    #[command(visible_alias = "tunnel")]
    PortForward(port_forward::Args),
    /// Control how workspaces are built in advance.
    #[command(visible_alias = "prebuild")]
    Prebuilds(prebuilds::Args),
    /// Show what runs Terraform, its jobs, and its keys.
    #[command(visible_alias = "provisioners")]
    Provisioner(provisioner::Args),
    /// Print the public key with which your workspaces reach Git servers.
    #[command(visible_alias = "pubkey")]
    Publickey(publickey::Args),
    /// Rename a workspace.
    Rename(rename::Args),
    /// Set a user's password by the database.
    #[cfg(feature = "full")]
    ResetPassword(reset_password::Args),
    /// Stop a workspace and start it again.
    Restart(restart::Args),
    /// Show and change when workspaces start and stop by themselves.
    Schedule(schedule::Args),
    /// Manage secrets that your workspaces get as variables or files.
    #[command(visible_alias = "secrets")]
    Secret(secret::Args),
    /// Run the control plane.
    #[cfg(feature = "full")]
    Server(server::Args),
    /// Show a workspace's resources and agents.
    Show(show::Args),
    /// Measure how fast bytes go to and from a workspace.
    Speedtest(speedtest::Args),
    /// Open a shell in a workspace, or run a command in it.
    Ssh(ssh::Args),
    /// Start a workspace.
    Start(start::Args),
    /// Show resource usage of this workspace.
    Stat(stat::Args),
    /// Read and replace the Terraform state of workspaces.
    State(state::Args),
    /// Stop a workspace.
    Stop(stop::Args),
    /// Collect what others need to help you.
    Support(support::Args),
    /// Manage templates.
    #[command(visible_alias = "template")]
    Templates(templates::Args),
    /// Manage tokens, with which programs sign in.
    #[command(visible_alias = "token")]
    Tokens(tokens::Args),
    /// List a workspace among the others again.
    #[command(visible_aliases = ["unfav", "unfavourite"])]
    Unfavorite(favorite::Args),
    /// Bring a workspace to the active version of its template and start it.
    Update(update::Args),
    /// Manage users.
    #[command(visible_alias = "user")]
    Users(users::Args),
    /// Show the version of this program.
    Version(version::Args),
    /// Carry SSH of VS Code to a workspace.
    #[command(hide = true)]
    Vscodessh(vscodessh::Args),
    /// Show who is signed in, and where.
    Whoami(whoami::Args),
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
            Self::Agent(args) => agent::run(args, session).await,
            Self::Autoupdate(args) => autoupdate::run(args, session).await,
            Self::Chat(args) => chat::run(args, session).await,
            Self::Completion(args) => completion::run(&args, session),
            Self::ConfigSsh(args) => config_ssh::run(args, session).await,
            Self::Connect(args) => connect::run(&args),
            Self::Create(args) => create::run(args, session).await,
            Self::Delete(args) => delete::run(args, session).await,
            Self::Dotfiles(args) => dotfiles::run(args, session).await,
            Self::ExternalWorkspaces(args) => external_workspaces::run(args, session).await,
            Self::Exp(args) => exp::run(args, session).await,
            Self::ExternalAuth(args) => external_auth::run(args, session).await,
            Self::Favorite(args) => favorite::add(args, session).await,
            Self::Features(args) => features::run(args, session).await,
            Self::Gitaskpass(args) => gitaskpass::run(args, session).await,
            Self::Gitssh(args) => gitssh::run(args, session).await,
            Self::Groups(args) => groups::run(args, session).await,
            Self::Licenses(args) => licenses::run(args, session).await,
            Self::List(args) => list::run(args, session).await,
            Self::Login(args) => login::run(args, session).await,
            Self::Logout(args) => logout::run(args, session).await,
            Self::Logs(args) => logs::run(args, session).await,
            Self::Netcheck(args) => netcheck::run(args, session).await,
            Self::Notifications(args) => notifications::run(args, session).await,
            Self::Oauth2Provider(args) => oauth2_provider::run(args, session).await,
            Self::Open(args) => open::run(args, session).await,
            Self::Organizations(args) => organizations::run(args, session).await,
            Self::Ping(args) => ping::run(args, session).await,
            Self::PortForward(args) => port_forward::run(args, session).await,
            Self::Prebuilds(args) => prebuilds::run(args, session).await,
            Self::Provisioner(args) => provisioner::run(args, session).await,
            Self::Publickey(args) => publickey::run(args, session).await,
            Self::Rename(args) => rename::run(args, session).await,
            #[cfg(feature = "full")]
            Self::ResetPassword(args) => reset_password::run(args, session).await,
            Self::Restart(args) => restart::run(args, session).await,
            Self::Schedule(args) => schedule::run(args, session).await,
            Self::Secret(args) => secret::run(args, session).await,
            #[cfg(feature = "full")]
            Self::Server(args) => server::run(args, session).await,
            Self::Show(args) => show::run(args, session).await,
            Self::Speedtest(args) => speedtest::run(args, session).await,
            Self::Ssh(args) => ssh::run(args, session).await,
            Self::Start(args) => start::run(args, session).await,
            Self::Stat(args) => stat::run(args, session).await,
            Self::State(args) => state::run(args, session).await,
            Self::Stop(args) => stop::run(args, session).await,
            Self::Support(args) => support::run(args, session).await,
            Self::Templates(args) => templates::run(args, session).await,
            Self::Tokens(args) => tokens::run(args, session).await,
            Self::Unfavorite(args) => favorite::remove(args, session).await,
            Self::Update(args) => update::run(args, session).await,
            Self::Users(args) => users::run(args, session).await,
            Self::Version(args) => version::run(&args, session),
            Self::Vscodessh(args) => vscodessh::run(args, session).await,
            Self::Whoami(args) => whoami::run(args, session).await,
        }
    }
}
