//! Choosing one of several: with arrow keys on a terminal, by number otherwise.

use std::fmt::Write as _;
use std::io::Read;

use anyhow::Result;

use crate::failure::Canceled;
use crate::ui::output::emit;
use crate::ui::prompt::Question;
use crate::ui::style::Style;
use crate::ui::terminal::{self, InputMode};

/// Options shown at once; more scroll.
const WINDOW: usize = 8;

/// Asks which of `options` to take; gives its index. `preselected` is where
/// the choice begins.
pub fn select(text: &str, options: &[String], preselected: usize) -> Result<usize> {
    match options.len() {
        0 => anyhow::bail!("there is nothing to choose from"),
        1 => return Ok(0),
        _ => {}
    }
    let start = preselected.min(options.len() - 1);
    match terminal::interactive().then(InputMode::raw).flatten() {
        Some(mode) => {
            let chosen = by_arrows(text, options, start);
            drop(mode);
            chosen
        }
        None => by_number(text, options, start),
    }
}

fn by_number(text: &str, options: &[String], start: usize) -> Result<usize> {
    for (i, option) in options.iter().enumerate() {
        emit(&format!("  {}) {option}\n", i + 1))?;
    }
    let default = (start + 1).to_string();
    let mut chosen = start;
    Question {
        text,
        default: Some(&default),
        secret: false,
    }
    .ask(|answer| {
        let by_name = options.iter().position(|o| o == answer);
        let by_index = answer
            .parse::<usize>()
            .ok()
            .and_then(|n| n.checked_sub(1))
            .filter(|i| *i < options.len());
        chosen = by_name
            .or(by_index)
            .ok_or_else(|| anyhow::anyhow!("give a number from 1 to {}", options.len()))?;
        Ok(())
    })?;
    Ok(chosen)
}

/// What a key press does.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Up,
    Down,
    Enter,
    Cancel,
    Other,
}

/// Reads one key; arrow keys are sequences of three bytes.
fn read_key(input: &mut impl Read) -> Result<Key> {
    let mut byte = || -> Result<u8> {
        let mut one = [0];
        input.read_exact(&mut one)?;
        Ok(one[0])
    };
    Ok(match byte()? {
        b'\r' | b'\n' => Key::Enter,
        b'k' | 0x10 => Key::Up,
        b'j' | 0x0e | b'\t' => Key::Down,
        3 | 4 | b'q' => Key::Cancel,
        0x1b => match (byte()?, byte()?) {
            (b'[' | b'O', b'A') => Key::Up,
            (b'[' | b'O', b'B') => Key::Down,
            _ => Key::Other,
        },
        _ => Key::Other,
    })
}

fn by_arrows(text: &str, options: &[String], start: usize) -> Result<usize> {
    let style = Style::of(&std::io::stdout());
    let mut at = start;
    let shown = options.len().min(WINDOW);
    emit(&format!(
        "{} {text} {}\r\n",
        style.bold("?"),
        style.dim("(arrow keys, enter)")
    ))?;
    let mut first = true;
    loop {
        // Back to the top of the list, then each line anew.
        let mut frame = if first {
            String::new()
        } else {
            format!("\x1b[{shown}A")
        };
        first = false;
        let top = at.saturating_sub(WINDOW / 2).min(options.len() - shown);
        for (i, option) in options.iter().enumerate().skip(top).take(shown) {
            let line = if i == at {
                style.keyword(&format!("> {option}"))
            } else {
                format!("  {option}")
            };
            let _ = writeln!(frame, "\x1b[2K{line}\r");
        }
        emit(&frame)?;
        match read_key(&mut std::io::stdin().lock())? {
            Key::Up => at = at.checked_sub(1).unwrap_or(options.len() - 1),
            Key::Down => at = (at + 1) % options.len(),
            Key::Enter => return Ok(at),
            Key::Cancel => return Err(Canceled.into()),
            Key::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let mut input: &[u8] = b"\x1b[A\x1bOBj\rx\x03";
        let keys: Vec<Key> = std::iter::from_fn(|| read_key(&mut input).ok()).collect();
        assert_eq!(
            keys,
            [
                Key::Up,
                Key::Down,
                Key::Down,
                Key::Enter,
                Key::Other,
                Key::Cancel
            ]
        );
    }

    #[test]
    fn a_single_option_needs_no_question() {
        assert_eq!(select("Which?", &["only".to_owned()], 0).unwrap(), 0);
        assert!(select("Which?", &[], 0).is_err());
    }
}
