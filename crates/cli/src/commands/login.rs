//! `coder login`: the first user, a token, or the browser.

use anyhow::{Context, Result};
use api_types::{CreateFirstUserRequest, LoginWithPasswordRequest, Secret};
use clap::{Args as ClapArgs, Subcommand};
use client::Client;
use url::Url;

use crate::failure::Advice;
use crate::say;
use crate::session::{Session, parse_url, stored_form};
use crate::ui::prompt::{Question, confirm_default_yes};

/// Sign in to a deployment.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Sub>,

    /// Address of the deployment; the one used before when left out.
    #[arg(value_name = "url")]
    address: Option<String>,

    /// E-mail address of the first user, if the deployment has none yet.
    #[arg(long, env = "CODER_FIRST_USER_EMAIL", value_name = "email")]
    first_user_email: Option<String>,

    /// Full name of the first user.
    #[arg(long, env = "CODER_FIRST_USER_FULL_NAME", value_name = "name")]
    first_user_full_name: Option<String>,

    /// Password of the first user.
    #[arg(long, env = "CODER_FIRST_USER_PASSWORD", value_name = "password")]
    first_user_password: Option<String>,

    /// Start a trial licence. There is nothing to try: every feature is included.
    #[arg(long, env = "CODER_FIRST_USER_TRIAL")]
    first_user_trial: bool,

    /// Name of the first user.
    #[arg(long, env = "CODER_FIRST_USER_USERNAME", value_name = "name")]
    first_user_username: Option<String>,

    /// Store the given token itself instead of making a new one with it.
    #[arg(long)]
    use_token_as_session: bool,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Print the current session token.
    Token,
}

/// Signs in and stores address and session.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    if let Some(Sub::Token) = args.command {
        return print_token(session);
    }
    if session.globals.use_keyring == Some(true) {
        return Err(Advice::error(
            "this system has no keyring that this version can use",
            "Leave out --use-keyring (CODER_USE_KEYRING): the session is kept in a file that only you can read.",
        ));
    }
    let (url, source) = address(&args, session)?;
    let anonymous = session.client_for(url.clone(), Secret::default())?;
    let has_first_user = anonymous
        .has_first_user()
        .await
        .with_context(|| format!("cannot use {url} as a Coder deployment"))?;
    say!(
        "Attempting to authenticate with {source} URL: '{}'",
        stored_form(&url)
    )?;
    let token = if has_first_user {
        sign_in(&args, session, &url).await?
    } else {
        let token = first_user(&args, session, &anonymous).await?;
        say!(
            "Get started by creating a template: {}",
            session.style.code("coder templates init")
        )?;
        token
    };
    let me = session
        .client_for(url.clone(), token.clone())?
        .user("me")
        .await
        .context("check the new session")?;
    session.config.write("session", token.expose())?;
    session.config.write("url", &stored_form(&url))?;
    say!(
        "Welcome to Coder, {}! You're authenticated.",
        session.style.keyword(&me.username)
    )
}

fn print_token(session: &Session) -> Result<()> {
    match session.token()? {
        Some(token) => say!("{}", token.expose()),
        None => Err(Advice::error(
            "no session token found",
            "Sign in with 'coder login <address>'.",
        )),
    }
}

/// Where to sign in, and where that address came from.
fn address(args: &Args, session: &Session) -> Result<(Url, &'static str)> {
    let given = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    if let Some(url) = given(&args.address) {
        return Ok((parse_url(&url)?, "argument"));
    }
    if let Some(url) = given(&session.globals.url) {
        let from_environment = std::env::var("CODER_URL").is_ok_and(|v| v == url);
        return Ok((
            parse_url(&url)?,
            if from_environment {
                "environment"
            } else {
                "flag"
            },
        ));
    }
    match session.config.url()? {
        Some(url) => Ok((parse_url(&url)?, "config")),
        None => Err(Advice::error(
            "no address was given",
            "Give the address of your deployment: 'coder login <address>'.",
        )),
    }
}

/// Creates the first user; gives a session of theirs.
async fn first_user(args: &Args, session: &Session, client: &Client) -> Result<Secret<String>> {
    say!(
        "{} Your Coder deployment hasn't been set up!",
        session.style.keyword(">")
    )?;
    let given = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    let username = match given(&args.first_user_username) {
        Some(name) => name,
        None if session.interactive() => {
            confirm_default_yes("Would you like to create the first user?", false)?;
            let login = std::env::var("USER").unwrap_or_default();
            let default = Some(login.as_str()).filter(|l| !l.is_empty() && *l != "root");
            Question {
                text: "What username would you like?",
                default,
                secret: false,
            }
            .ask(not_empty)?
        }
        None => {
            return Err(Advice::error(
                "the first user cannot be created without a terminal to ask on",
                "Give --first-user-username, --first-user-email and --first-user-password.",
            ));
        }
    };
    let email = match given(&args.first_user_email) {
        Some(email) => email,
        None => Question::new("What's your e-mail address?").ask(|answer| {
            let plausible = answer
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
            anyhow::ensure!(plausible, "That's not a valid e-mail address.");
            Ok(())
        })?,
    };
    let password = match given(&args.first_user_password) {
        Some(password) => password,
        None => ask_new_password()?,
    };
    let request = CreateFirstUserRequest {
        email: email.clone(),
        username,
        name: args.first_user_full_name.clone().unwrap_or_default(),
        password: password.clone(),
        trial: args.first_user_trial,
        ..CreateFirstUserRequest::default()
    };
    client
        .first_user_create(&request)
        .await
        .context("create the first user")?;
    let session = client
        .login(&LoginWithPasswordRequest { email, password })
        .await
        .context("sign in")?;
    Ok(session.session_token.into())
}

fn ask_new_password() -> Result<String> {
    loop {
        let first = Question {
            text: "Enter a password:",
            default: None,
            secret: true,
        }
        .ask(not_empty)?;
        let again = Question {
            text: "Confirm the password:",
            default: None,
            secret: true,
        }
        .ask(|_| Ok(()))?;
        if first == again {
            return Ok(first);
        }
        say!("The passwords differ; try again.")?;
    }
}

fn not_empty(answer: &str) -> Result<()> {
    anyhow::ensure!(!answer.is_empty(), "An answer is needed.");
    Ok(())
}

/// Gives a session for a deployment that has users.
async fn sign_in(args: &Args, session: &Session, url: &Url) -> Result<Secret<String>> {
    let given = session.globals.token.clone().filter(|t| !t.is_empty());
    let from_environment =
        std::env::var("CODER_SESSION_TOKEN").is_ok_and(|v| Some(&v) == given.as_ref());
    match given {
        Some(token) if args.use_token_as_session => Ok(token.into()),
        Some(_) if from_environment => Err(Advice::error(
            "CODER_SESSION_TOKEN is set, and it stands above any session that is stored",
            "Unset it and log in again, or give --use-token-as-session to store it.",
        )),
        Some(token) => {
            let client = session.client_for(url.clone(), token.into())?;
            Ok(client
                .api_key_create("me")
                .await
                .context("make a session with the token")?
                .key
                .into())
        }
        None => by_browser(session, url).await,
    }
}

/// Shows the address of the page that gives a token, and takes that token.
async fn by_browser(session: &Session, url: &Url) -> Result<Secret<String>> {
    let page = format!("{}/cli-auth", stored_form(url));
    if session.interactive() && !session.globals.no_open && crate::ui::browser::open(&page) {
        say!("Your browser has been opened to visit:\n\n\t{page}\n")?;
    } else {
        say!("Open the following in your browser:\n\n\t{page}\n")?;
    }
    loop {
        let token = Question {
            text: "Paste your token here:",
            default: None,
            secret: true,
        }
        .ask(not_empty)?;
        let client = session.client_for(url.clone(), token.clone().into())?;
        match client.user("me").await {
            Ok(_) => return Ok(token.into()),
            Err(e) if e.status() == Some(http::StatusCode::UNAUTHORIZED) => {
                say!("That's not a valid token!")?;
            }
            Err(e) => return Err(e.into()),
        }
    }
}
