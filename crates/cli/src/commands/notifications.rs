//! `coder notifications`.

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;

/// Hold notifications back, and try whether they arrive.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Hold all notifications back, for example while the mail server is down.
    Pause,
    /// Send notifications again.
    Resume,
    /// Send a notification to yourself, to see that the way works.
    Test,
    /// Send a notification with a text of your own to yourself.
    Custom {
        /// Its title.
        title: String,
        /// Its text.
        message: String,
    },
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    match args.command {
        Sub::Pause => {
            client.notifications_pause(true).await?;
            say!("Notifications are now paused.")
        }
        Sub::Resume => {
            client.notifications_pause(false).await?;
            say!("Notifications are now resumed.")
        }
        Sub::Test => {
            client.notification_test().await?;
            say!(
                "A test notification has been sent. If you don't receive it, check the server's log and the settings of notifications."
            )
        }
        Sub::Custom { title, message } => {
            client.notification_custom(&title, &message).await?;
            say!("The notification has been sent.")
        }
    }
}
