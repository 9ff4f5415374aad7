//! `coder users create`.

use anyhow::{Result, bail};
use api_types::{CreateUserRequestWithOrgs, LoginType};
use clap::Args as ClapArgs;
use rand::seq::IndexedRandom;

use crate::say;
use crate::session::{Session, stored_form};
use crate::ui::prompt::Question;

/// Create a user.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// E-mail address.
    #[arg(short, long, value_name = "email")]
    email: Option<String>,

    /// Name by which the user is known in addresses and commands.
    #[arg(short, long, value_name = "name")]
    username: Option<String>,

    /// Full name.
    #[arg(short = 'n', long, value_name = "name")]
    full_name: Option<String>,

    /// Password; made up and printed when left out.
    #[arg(short, long, value_name = "password")]
    password: Option<String>,

    /// How the user signs in.
    #[arg(long, value_name = "type", value_parser = ["password", "github", "oidc", "none"])]
    login_type: Option<String>,

    /// An account for a program, which never signs in by itself.
    #[arg(long)]
    service_account: bool,

    /// Organization that the user joins.
    #[arg(
        short = 'O',
        long = "org",
        env = "CODER_ORGANIZATION",
        value_name = "name"
    )]
    organization: Option<String>,
}

/// Long enough that nobody guesses it, without letters that look alike.
fn made_up_password() -> String {
    const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    const LENGTH: usize = 20;
    let mut random = rand::rng();
    (0..LENGTH)
        .filter_map(|_| ALPHABET.choose(&mut random))
        .map(|b| char::from(*b))
        .collect()
}

fn given_or_asked(given: Option<&String>, text: &str) -> Result<String> {
    match given.filter(|t| !t.is_empty()) {
        Some(text) => Ok(text.clone()),
        None => Question::new(text).ask(|answer| {
            anyhow::ensure!(!answer.is_empty(), "An answer is needed.");
            Ok(())
        }),
    }
}

/// Creates the user and prints how to sign in.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let login_type = match args.login_type.as_deref() {
        _ if args.service_account => LoginType::None,
        Some(text) => LoginType::from(text),
        None => LoginType::Password,
    };
    if args.service_account && args.password.is_some() {
        bail!(
            "a service account has no password; make a token for it with 'coder tokens create --user'"
        );
    }
    let username = given_or_asked(args.username.as_ref(), "Username:")?;
    let email = if args.service_account {
        args.email.clone().unwrap_or_default()
    } else {
        given_or_asked(args.email.as_ref(), "Email:")?
    };
    let organization = session.organization(args.organization.as_deref()).await?;
    let given = args.password.as_ref().filter(|p| !p.is_empty());
    let password = match given {
        Some(given) => given.clone(),
        _ if login_type == LoginType::Password => made_up_password(),
        _ => String::new(),
    };
    let request = CreateUserRequestWithOrgs {
        email: email.clone(),
        username,
        name: args.full_name.clone().unwrap_or_default(),
        password: password.clone(),
        login_type: login_type.clone(),
        organization_ids: vec![organization.id],
        service_account: args.service_account,
        ..CreateUserRequestWithOrgs::default()
    };
    let user = client.user_create(&request).await?;
    if args.service_account {
        return say!(
            "Service account {} has been created.",
            session.style.keyword(&user.username)
        );
    }
    say!("A new user has been created!\nShare the instructions below to get them started.\n")?;
    say!("  coder login {}\n", stored_form(client.url()))?;
    say!("  Email:    {}", session.style.field(&email))?;
    match login_type {
        LoginType::Password if given.is_none() => {
            say!("  Password: {}", session.style.field(&password))
        }
        LoginType::Password => Ok(()),
        LoginType::None => {
            say!("  Login:    disabled; an administrator makes a token for this user")
        }
        other => say!("  Login:    by {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_passwords_are_long_and_differ() {
        let (a, b) = (made_up_password(), made_up_password());
        assert_eq!(a.len(), 20);
        assert_ne!(a, b);
    }
}
