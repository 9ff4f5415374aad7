//! `coder external-auth`: tokens of other services for what runs in a
//! workspace.

use anyhow::{Context, Result, bail};
use api_types::Secret;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use http::HeaderMap;
use serde_json::Value;

use super::agent::AgentAuth;
use crate::failure::Exit;
use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;

/// Get tokens of other services, from inside a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Print a token of a service; where there is none, the address at which to get one, and exit with 1.
    AccessToken(TokenArgs),
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example, in a script of a workspace:\n  if TOKEN=$(coder external-auth access-token github); then\n    curl -H \"Authorization: Bearer $TOKEN\" https://api.github.com/user\n  else\n    echo \"Sign in first: $TOKEN\"\n  fi"
)]
struct TokenArgs {
    /// Id of the service, as the deployment calls it.
    provider: String,

    #[command(flatten)]
    auth: AgentAuth,

    /// Print this property of the token instead, such as authed_user.id.
    #[arg(long, value_name = "path")]
    extra: Option<String>,

    /// Form of the output.
    #[arg(long, value_name = "format", default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let Sub::AccessToken(args) = args.command;
    let client = args.auth.client(session, &HeaderMap::new())?;
    let answer: Secret<Value> = client
        .call(
            http::Method::GET,
            "/api/v2/workspaceagents/me/external-auth",
        )
        .query("id", &args.provider)
        .decode()
        .await
        .with_context(|| format!("get a token of {:?}", args.provider))?;
    let answer = answer.expose();
    let missing = answer["url"].as_str().filter(|url| !url.is_empty());
    if args.output == Output::Json {
        print_json(answer)?;
    } else if let Some(url) = missing {
        say!("{url}")?;
    } else if let Some(path) = args.extra.as_deref().filter(|p| !p.is_empty()) {
        say!("{}", property(&answer["token_extra"], path)?)?;
    } else {
        say!("{}", answer["access_token"].as_str().unwrap_or_default())?;
    }
    if missing.is_some() {
        return Err(Exit(1).into());
    }
    Ok(())
}

/// The value at a path of names and numbers, separated by dots.
fn property(extra: &Value, path: &str) -> Result<String> {
    let mut at = extra;
    for part in path.split('.') {
        let below = match part.parse::<usize>() {
            Ok(index) if at.is_array() => at.get(index),
            _ => at.get(part),
        };
        match below {
            Some(value) => at = value,
            None => bail!("the token has no property {path:?}"),
        }
    }
    Ok(match at {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found_by_their_path() {
        let extra = serde_json::json!({"authed_user": {"id": "U1"}, "list": [1, {"a": true}]});
        assert_eq!(property(&extra, "authed_user.id").unwrap(), "U1");
        assert_eq!(property(&extra, "list.1.a").unwrap(), "true");
        assert!(property(&extra, "authed_user.name").is_err());
        assert!(property(&Value::Null, "x").is_err());
    }
}
