//! Colours for Markdown that is still being written: code, headings and bold text stand out.
//!
//! Nothing is left out or moved, so what is copied from the terminal is what the agent said. A
//! colour ends with its line: a terminal that is left in the middle keeps none.

use crate::ui::style::Style;

/// Paints text piece by piece.
#[derive(Debug)]
pub struct Markdown {
    style: Style,
    /// What cannot be judged before more of it is there: a few characters at most.
    held: String,
    at_start: bool,
    /// Between the fences of a code block.
    block: bool,
    line: Line,
    bold: bool,
    code: bool,
}

/// What kind of line is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Text,
    Heading,
    Fence,
}

/// More spaces than this before a fence make it code.
const INDENT: usize = 3;
/// Deepest heading.
const DEEPEST: usize = 6;

impl Markdown {
    /// At the start of a text.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            held: String::new(),
            at_start: true,
            block: false,
            line: Line::Text,
            bold: false,
            code: false,
        }
    }

    /// What to print for the next piece.
    pub fn feed(&mut self, text: &str) -> String {
        if !self.style.is_on() {
            return text.to_owned();
        }
        let mut out = String::new();
        let mut run = String::new();
        for c in text.chars() {
            self.next(c, &mut run, &mut out);
        }
        self.paint(&mut run, &mut out);
        out
    }

    /// What was held back; the text is over, and another may begin.
    pub fn finish(&mut self) -> String {
        let mut held = std::mem::take(&mut self.held);
        let mut out = String::new();
        self.paint(&mut held, &mut out);
        *self = Self::new(self.style);
        out
    }

    fn next(&mut self, c: char, run: &mut String, out: &mut String) {
        if c == '\n' {
            self.settle(run, out);
            self.paint(run, out);
            out.push('\n');
            self.block ^= self.line == Line::Fence;
            (self.at_start, self.line) = (true, Line::Text);
            (self.bold, self.code) = (false, false);
            return;
        }
        if self.at_start {
            self.held.push(c);
            if self.undecided() {
                return;
            }
            self.settle(run, out);
            return;
        }
        self.inline(c, run, out);
    }

    /// Whether the beginning of a line may still become a fence or a heading.
    fn undecided(&self) -> bool {
        let mark = self.held.trim_start_matches(' ');
        if self.held.len() - mark.len() > INDENT {
            return false;
        }
        mark.is_empty()
            || (mark.len() < 3 && mark.chars().all(|c| c == '`'))
            || (!self.block && mark.len() <= DEEPEST && mark.chars().all(|c| c == '#'))
    }

    /// Decides what line this is, and goes on with what was held.
    fn settle(&mut self, run: &mut String, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        if self.at_start {
            self.at_start = false;
            let mark = held.trim_start_matches(' ');
            if mark.starts_with("```") {
                self.line = Line::Fence;
            } else if !self.block && mark.starts_with('#') && mark.trim_start_matches('#') == " " {
                self.line = Line::Heading;
            }
            for c in held.chars() {
                self.inline(c, run, out);
            }
            return;
        }
        run.push_str(&held);
    }

    fn inline(&mut self, c: char, run: &mut String, out: &mut String) {
        if self.block || self.line != Line::Text {
            run.push(c);
            return;
        }
        let star = self.held == "*";
        if star && !self.code && c == '*' {
            // The marks are painted like what they enclose.
            self.held.clear();
            if self.bold {
                run.push_str("**");
                self.paint(run, out);
                self.bold = false;
            } else {
                self.paint(run, out);
                self.bold = true;
                run.push_str("**");
            }
            return;
        }
        run.push_str(&std::mem::take(&mut self.held));
        match c {
            '*' if !self.code => self.held.push(c),
            '`' if self.code => {
                run.push(c);
                self.paint(run, out);
                self.code = false;
            }
            '`' => {
                self.paint(run, out);
                self.code = true;
                run.push(c);
            }
            _ => run.push(c),
        }
    }

    /// Ends a run of one colour.
    fn paint(&self, run: &mut String, out: &mut String) {
        if run.is_empty() {
            return;
        }
        let painted = match self.line {
            Line::Fence => self.style.dim(run),
            Line::Heading => self.style.bold(run),
            Line::Text if self.block || self.code => self.style.keyword(run),
            Line::Text if self.bold => self.style.bold(run),
            Line::Text => run.clone(),
        };
        out.push_str(&painted);
        run.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Head\nSome `code` and **bold** 2 * 3, ünï 日本.\n```sh\n# no head\necho `date` **\n```\n#5 is no head\n    ```\n`open\nend*";

    fn painted(pieces: &[&str]) -> String {
        let mut markdown = Markdown::new(Style::forced());
        let mut out: String = pieces.iter().map(|p| markdown.feed(p)).collect();
        out.push_str(&markdown.finish());
        out
    }

    fn bare(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("\x1b[") {
            out.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        out + rest
    }

    #[test]
    fn what_is_marked_stands_out() {
        let out = painted(&[TEXT]);
        for part in [
            "\x1b[1m# Head\x1b[0m\n",
            "Some \x1b[36m`code`\x1b[0m and \x1b[1m**bold**\x1b[0m 2 * 3",
            "\x1b[2m```sh\x1b[0m\n\x1b[36m# no head\x1b[0m\n\x1b[36mecho `date` **\x1b[0m\n\x1b[2m```\x1b[0m\n",
            "\n#5 is no head\n",
            "\x1b[36m`open\x1b[0m\nend*",
        ] {
            assert!(out.contains(part), "{part:?} in {out:?}");
        }
    }

    #[test]
    fn nothing_is_lost_however_it_comes() {
        assert_eq!(bare(&painted(&[TEXT])), TEXT);
        let single: Vec<String> = TEXT.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(bare(&painted(&single)), TEXT);
        assert_eq!(bare(&painted(&["``", "`\nx\n``", "`"])), "```\nx\n```");
    }

    #[test]
    fn without_colours_text_is_as_it_is() {
        let mut markdown = Markdown::new(Style::plain());
        assert_eq!(markdown.feed("**a** `"), "**a** `");
        assert_eq!(markdown.finish(), "");
    }
}
