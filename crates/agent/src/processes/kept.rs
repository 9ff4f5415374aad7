//! The output of a process as far as it is kept: its beginning and its end, for
//! readers that cannot take more.

use std::collections::VecDeque;

use api_types::ProcessTruncation;

/// Bytes kept of the beginning.
const HEAD: usize = 16 * 1024;
/// Bytes kept of the end.
const TAIL: usize = 16 * 1024;
/// Bytes of a line that are shown.
const LINE: usize = 2048;
/// Put after a line that was cut.
const CUT: &str = " ... [truncated]";

/// What is kept.
#[derive(Debug, Default)]
pub struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Kept {
    /// Adds output.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(TAIL)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// The text to show, and what is missing from it.
    pub fn show(&self) -> (String, Option<ProcessTruncation>) {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let omitted = self.total - self.head.len() as u64 - tail.len() as u64;
        if omitted == 0 {
            return (cut_lines(&[self.head.as_slice(), &tail].concat()), None);
        }
        let text = format!(
            "{}\n\n... [omitted {omitted} bytes] ...\n\n{}",
            cut_lines(&self.head),
            cut_lines(&tail)
        );
        let truncation = ProcessTruncation {
            original_bytes: self.total,
            retained_bytes: text.len() as u64,
            omitted_bytes: omitted,
            strategy: "head_tail".into(),
        };
        (text, Some(truncation))
    }
}

fn cut_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        if body.len() > LINE {
            out.push_str(&body[..body.floor_char_boundary(LINE - CUT.len())]);
            out.push_str(CUT);
        } else {
            out.push_str(body);
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept() {
        let mut kept = Kept::default();
        for n in 0..20_000 {
            kept.push(format!("line {n}\n").as_bytes());
        }
        let (text, truncation) = kept.show();
        let truncation = truncation.unwrap();
        assert!(text.starts_with("line 0\n") && text.ends_with("line 19999\n"));
        assert!(text.contains(&format!("[omitted {} bytes]", truncation.omitted_bytes)));
        assert_eq!(truncation.retained_bytes, text.len() as u64);
        assert!(text.len() < HEAD + TAIL + 100);
    }

    #[test]
    fn nothing_is_lost_of_what_fits() {
        let mut kept = Kept::default();
        let text: String = (0..3000).map(|n| format!("{n}\n")).collect();
        text.as_bytes().chunks(7).for_each(|chunk| kept.push(chunk));
        assert!(text.len() > 10_000);
        assert_eq!(kept.show(), (text, None));
    }

    #[test]
    fn long_lines_are_cut() {
        let mut kept = Kept::default();
        kept.push("é".repeat(2000).as_bytes());
        kept.push(b"\nnext\xff");
        let (text, _) = kept.show();
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        assert!(first.ends_with(CUT) && first.len() <= LINE);
        assert_eq!(lines.next(), Some("next\u{fffd}"));
    }
}
