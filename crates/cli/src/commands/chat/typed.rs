//! What a person types in a conversation.

use std::io::BufRead;

use anyhow::{Result, bail};

use super::find::MAX_MESSAGE;
use crate::session::Session;
use crate::ui::output::emit;

/// The next message; `None` when the person is done: an empty line, ctrl-D or ctrl-C.
///
/// A line that ends with a backslash goes on in the next.
pub async fn message(session: &Session) -> Result<Option<String>> {
    let style = session.style;
    emit(&format!("\n{}", style.bold("> ")))?;
    // The terminal is read in a thread of its own: the runtime has to go on.
    let more = style.dim("  ");
    let typed = tokio::task::spawn_blocking(move || {
        let mut input = std::io::stdin().lock();
        read(&mut input, || emit(&more))
    });
    // After following an agent, ctrl-C no longer ends the program by itself.
    let text = tokio::select! {
        text = typed => text??,
        _ = tokio::signal::ctrl_c() => None,
    };
    if text.is_none() {
        emit("\n")?;
    }
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads one message; `None` at the end of the input.
fn read(input: &mut impl BufRead, mut next: impl FnMut() -> Result<()>) -> Result<Option<String>> {
    let mut text = String::new();
    loop {
        let before = text.len();
        let left = MAX_MESSAGE + 1 - text.len() as u64;
        std::io::Read::take(&mut *input, left).read_line(&mut text)?;
        if text.len() as u64 > MAX_MESSAGE {
            bail!("the message is longer than {} KiB", MAX_MESSAGE >> 10);
        }
        if text.len() == before {
            let said = text.trim();
            return Ok((!said.is_empty()).then(|| said.to_owned()));
        }
        let line = text.trim_end_matches(['\n', '\r']);
        match line.strip_suffix('\\') {
            Some(begun) => {
                text.truncate(begun.len());
                text.push('\n');
                next()?;
            }
            None => return Ok(Some(line.trim().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(input: &[u8]) -> Option<String> {
        read(&mut &*input, || Ok(())).unwrap()
    }

    #[test]
    fn a_line_is_a_message() {
        assert_eq!(typed(b" fix it \nrest").as_deref(), Some("fix it"));
        assert_eq!(typed(b"\"quoted\n").as_deref(), Some("\"quoted"));
        assert_eq!(typed(b"a\\\r\n  b\\\nc\nd").as_deref(), Some("a\n  b\nc"));
        assert_eq!(typed(b"\n").as_deref(), Some(""));
        assert_eq!(typed(b""), None);
        assert_eq!(typed(b"last\\").as_deref(), Some("last"));
    }

    #[test]
    fn it_is_bounded() {
        let long = vec![b'x'; MAX_MESSAGE as usize + 1];
        assert!(read(&mut &long[..], || Ok(())).is_err());
        assert!(read(&mut &b"\xff\n"[..], || Ok(())).is_err());
    }
}
