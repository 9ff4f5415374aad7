//! `coder chat instructions`.

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args as ClapArgs;

use super::find;
use super::start::Output;
use crate::session::Session;
use crate::ui::output::{emit, print_json};

/// Show all that the agent of a chat is told before the conversation, and by whom.
#[derive(ClapArgs)]
pub struct Args {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    #[command(flatten)]
    output: Output,
}

/// Prints them, in the order in which the agent hears them.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    let told = client.chat_instructions(chat.id).await?;
    if args.output.json() {
        return print_json(&told);
    }
    let mut out = String::new();
    for instruction in &told.instructions {
        let head = session.style.keyword(&format!("# {}", instruction.source));
        let _ = writeln!(out, "{head}\n\n{}\n", plain(&instruction.text));
    }
    emit(&out)
}

/// Text of others, without what a terminal would act on.
fn plain(text: &str) -> String {
    let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.trim().chars().filter(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn terminals_are_left_alone() {
        assert_eq!(plain(" a\x1b[31mb\n\tc\x07 "), "a[31mb\n\tc");
    }
}
