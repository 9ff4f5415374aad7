//! One line of a text, taken apart.

/// A line: the spaces before it, what it says, the spaces after it, its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Spaces and tabs at the beginning.
    pub lead: &'a [u8],
    /// What stands between.
    pub body: &'a [u8],
    /// Spaces and tabs at the end.
    pub trail: &'a [u8],
    /// How it ends.
    pub ending: Ending,
}

/// The end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The text is over.
    None,
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

impl Ending {
    /// The bytes of it.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }

    /// Whether another line follows.
    pub const fn ends_line(self) -> bool {
        !matches!(self, Self::None)
    }
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

impl<'a> Line<'a> {
    /// Takes one line with its ending apart.
    pub fn new(line: &'a [u8]) -> Self {
        let (text, ending) = if let Some(text) = line.strip_suffix(b"\r\n") {
            (text, Ending::CrLf)
        } else if let Some(text) = line.strip_suffix(b"\n") {
            (text, Ending::Lf)
        } else {
            (line, Ending::None)
        };
        // The spaces of an empty line all stand at its end.
        let start = text.iter().position(|b| !is_blank(*b)).unwrap_or(0);
        let end = text
            .iter()
            .rposition(|b| !is_blank(*b))
            .map_or(0, |i| i + 1);
        Self {
            lead: &text[..start],
            body: &text[start..end],
            trail: &text[end..],
            ending,
        }
    }

    /// The lines of a text.
    pub fn all(text: &'a [u8]) -> Vec<Self> {
        text.split_inclusive(|b| *b == b'\n')
            .map(Self::new)
            .collect()
    }

    /// What it says, without any white space around it.
    pub fn words(&self) -> &'a [u8] {
        match std::str::from_utf8(self.body) {
            Ok(text) => text.trim().as_bytes(),
            Err(_) => self.body.trim_ascii(),
        }
    }

    /// The line as it was.
    pub fn write(&self, out: &mut Vec<u8>) {
        for part in [self.lead, self.body, self.trail, self.ending.bytes()] {
            out.extend_from_slice(part);
        }
    }
}

/// The one ending of all lines but an unfinished last one; `None` for a single
/// line, and where they differ.
pub fn common_ending(lines: &[Line<'_>]) -> Option<Ending> {
    if lines.len() < 2 {
        return None;
    }
    let mut endings = lines
        .iter()
        .map(|line| line.ending)
        .filter(|e| e.ends_line());
    let first = endings.next()?;
    endings.all(|ending| ending == first).then_some(first)
}

/// The ending of most lines; `\n` where there is no majority.
pub fn usual_ending(lines: &[Line<'_>]) -> Ending {
    let with = |ending| lines.iter().filter(|line| line.ending == ending).count();
    if with(Ending::CrLf) > with(Ending::Lf) {
        Ending::CrLf
    } else {
        Ending::Lf
    }
}
