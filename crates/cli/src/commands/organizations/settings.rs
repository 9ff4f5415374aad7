//! `coder organizations settings`: read as JSON, and changed by JSON of standard
//! input.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::Value;

use crate::session::Session;
use crate::ui::output::print_json;

/// Settings are maps of a few names.
const MAX_SETTING: u64 = 4 << 20;

/// Show and change settings.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  coder organizations settings set group-sync < input.json")]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Print a setting.
    #[command(subcommand)]
    Show(Setting),
    /// Replace a setting by the JSON of standard input, and print it.
    #[command(subcommand)]
    Set(Setting),
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Setting {
    /// Which groups of an identity provider become which groups here.
    #[command(visible_alias = "groupsync")]
    GroupSync,
    /// Which claims of an identity provider give which roles.
    #[command(visible_alias = "rolesync")]
    RoleSync,
    /// Which claims of an identity provider give membership of organizations; of the whole deployment.
    #[command(visible_aliases = ["organizationsync", "org-sync", "orgsync"])]
    OrganizationSync,
    /// Whether and with whom workspaces may be shared.
    #[command(visible_alias = "workspacesharing")]
    WorkspaceSharing,
}

impl Setting {
    /// Its place in the API, and whether each organization has its own.
    fn place(self) -> (&'static str, bool) {
        match self {
            Self::GroupSync => ("idpsync/groups", true),
            Self::RoleSync => ("idpsync/roles", true),
            Self::OrganizationSync => ("idpsync/organization", false),
            Self::WorkspaceSharing => ("workspace-sharing", true),
        }
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session, asked: Option<&str>) -> Result<()> {
    let client = session.client()?;
    let (Sub::Show(setting) | Sub::Set(setting)) = args.command;
    let (place, of_organization) = setting.place();
    let organization = if of_organization {
        Some(session.organization(asked).await?.id.to_string())
    } else {
        None
    };
    let organization = organization.as_deref();
    let value = match args.command {
        Sub::Show(_) => client.organization_setting(organization, place).await?,
        Sub::Set(_) => {
            let new = read(std::io::stdin())?;
            client
                .organization_setting_update(organization, place, &new)
                .await?
        }
    };
    print_json(&value)
}

fn read(input: impl Read) -> Result<Value> {
    let mut text = String::new();
    let read = input
        .take(MAX_SETTING)
        .read_to_string(&mut text)
        .context("read standard input")?;
    ensure!((read as u64) < MAX_SETTING, "standard input is too large");
    let value: Value = serde_json::from_str(&text).context("standard input is no JSON")?;
    ensure!(value.is_object(), "standard input is not one JSON object");
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_one_object() {
        assert!(read(&b"{\"field\": \"groups\"}"[..]).is_ok());
        for bad in ["", "[]", "{", "1"] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
