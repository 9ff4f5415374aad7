//! Questions on the terminal: text, secrets, yes or no.

use std::io::BufRead;

use anyhow::{Result, bail};

use crate::failure::{Advice, Canceled};
use crate::ui::style::Style;
use crate::ui::terminal::InputMode;

/// Longest answer accepted, for pasted JSON values.
const MAX_ANSWER: usize = 1 << 20;

/// A question with a free answer.
pub struct Question<'a> {
    /// What to ask.
    pub text: &'a str,
    /// Answer for an empty line.
    pub default: Option<&'a str>,
    /// Do not show what is typed.
    pub secret: bool,
}

impl<'a> Question<'a> {
    /// A plain question.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            default: None,
            secret: false,
        }
    }

    /// Asks until `check` accepts the answer.
    pub fn ask(&self, mut check: impl FnMut(&str) -> Result<()>) -> Result<String> {
        let style = Style::of(&std::io::stdout());
        loop {
            let hint = self
                .default
                .filter(|d| !d.is_empty())
                .map(|d| style.dim(&format!(" ({d})")))
                .unwrap_or_default();
            show(&format!("{} {}{hint} ", style.bold(">"), self.text))?;
            let answer = {
                let _hidden = self.secret.then(InputMode::hidden);
                read_answer()?
            };
            let answer = match (answer.as_str(), self.default) {
                ("", Some(default)) => default.to_owned(),
                _ => answer,
            };
            match check(&answer) {
                Ok(()) => return Ok(answer),
                Err(problem) => show(&format!("{}\n", style.error(&problem.to_string())))?,
            }
        }
    }
}

/// Asks yes or no; anything but yes ends the command silently. `yes` is the
/// flag that answers in advance.
pub fn confirm(text: &str, yes: bool) -> Result<()> {
    confirm_or(text, yes, false)
}

/// Like [`confirm`], where an empty line means yes.
pub fn confirm_default_yes(text: &str, yes: bool) -> Result<()> {
    confirm_or(text, yes, true)
}

fn confirm_or(text: &str, yes: bool, empty_is_yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let style = Style::of(&std::io::stdout());
    let choices = if empty_is_yes {
        "(yes/no, default yes)"
    } else {
        "(yes/no)"
    };
    show(&format!(
        "{} {text} {} ",
        style.bold(">"),
        style.dim(choices)
    ))?;
    let answer = read_answer()?.to_lowercase();
    match answer.as_str() {
        "y" | "yes" => Ok(()),
        "" if empty_is_yes => Ok(()),
        _ => Err(Canceled.into()),
    }
}

fn show(text: &str) -> Result<()> {
    crate::ui::output::emit(text)
}

/// One line; or, when it begins like JSON, as many lines as make it whole.
fn read_answer() -> Result<String> {
    let mut input = std::io::stdin().lock();
    read_answer_from(&mut input)
}

fn read_answer_from(input: &mut impl BufRead) -> Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let read = std::io::Read::take(&mut *input, MAX_ANSWER as u64).read_line(&mut line)?;
        if read == 0 && text.is_empty() {
            return Err(Advice::error(
                "a question needs an answer, but standard input has ended",
                "answer by flags (see --help); -y answers confirmations.",
            ));
        }
        text.push_str(&line);
        if text.len() >= MAX_ANSWER {
            bail!("the answer is longer than {MAX_ANSWER} bytes");
        }
        let answer = text.trim();
        let open = read > 0 && answer.starts_with(['{', '[', '"']) && is_unfinished_json(answer);
        if !open {
            return Ok(answer.to_owned());
        }
    }
}

/// Whether more lines could complete `text` to a JSON document.
fn is_unfinished_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|e| e.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(input: &str) -> Result<String> {
        read_answer_from(&mut input.as_bytes())
    }

    #[test]
    fn answers_are_lines_or_whole_json() {
        assert_eq!(answer("  dev \nrest").unwrap(), "dev");
        assert_eq!(answer("\n").unwrap(), "");
        assert_eq!(answer("[1,\n 2]\nrest").unwrap(), "[1,\n 2]");
        assert_eq!(answer("{broken}\n").unwrap(), "{broken}");
        assert_eq!(answer("[1,").unwrap(), "[1,");
    }

    #[test]
    fn end_of_input_says_what_to_do() {
        let error = answer("").unwrap_err();
        assert!(error.downcast_ref::<Advice>().is_some());
    }
}
