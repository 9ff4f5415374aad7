//! Cuts a script's output into lines.

use bytes::{Buf, BytesMut};

/// Longest line, in bytes; longer ones are cut into several.
const MAX_LINE: usize = 32 * 1024;

/// Lines out of bytes as they come.
#[derive(Debug, Default)]
pub struct Lines {
    partial: BytesMut,
}

impl Lines {
    /// Takes more bytes and calls `line` for each line that is complete.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        self.partial.extend_from_slice(bytes);
        loop {
            let end = self.partial.iter().take(MAX_LINE).position(|b| *b == b'\n');
            match end {
                Some(end) => {
                    let cut = self.partial.split_to(end);
                    self.partial.advance(1);
                    line(text(&cut));
                }
                None if self.partial.len() >= MAX_LINE => {
                    let cut = self.partial.split_to(MAX_LINE);
                    line(text(&cut));
                }
                None => return,
            }
        }
    }

    /// What is left at the end, if anything.
    pub fn finish(self) -> Option<String> {
        (!self.partial.is_empty()).then(|| text(&self.partial))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut all = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, |line| all.push(line));
        }
        all.extend(lines.finish());
        all
    }

    #[test]
    fn lines_come_out_whole() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        assert_eq!(lines(&[]), Vec::<String>::new());
    }

    #[test]
    fn endless_lines_are_cut() {
        let long = vec![b'x'; 2 * MAX_LINE + 1];
        let lengths: Vec<usize> = lines(&[&long]).iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 1]);
    }
}
