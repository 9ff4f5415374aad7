//! Indentation as levels of a unit, to carry lines from one style to another.

use super::line::Line;

/// What one level of indentation consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit(Vec<u8>);

impl Unit {
    /// The unit of these lines: a tab, or as many spaces as divide every indentation.
    /// `None` where nothing is indented, and where tabs and spaces mix.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Line<'a>>) -> Option<Self> {
        let mut tabs = false;
        let mut spaces = 0;
        for line in lines {
            // An empty line says nothing about indentation.
            if line.lead.is_empty() || line.body.is_empty() {
                continue;
            }
            if line.lead.iter().all(|b| *b == b'\t') {
                tabs = true;
            } else if line.lead.iter().all(|b| *b == b' ') {
                spaces = greatest_common_divisor(spaces, line.lead.len());
            } else {
                return None;
            }
        }
        match (tabs, spaces) {
            (true, 0) => Some(Self(vec![b'\t'])),
            (false, 1..) => Some(Self(vec![b' '; spaces])),
            _ => None,
        }
    }

    /// How many levels `lead` is; `None` if it is something in between.
    pub fn levels(&self, lead: &[u8]) -> Option<usize> {
        let chunks = lead.chunks_exact(self.0.len());
        (chunks.remainder().is_empty() && chunks.clone().all(|chunk| chunk == self.0))
            .then(|| chunks.len())
    }

    /// The indentation of so many levels.
    pub fn repeat(&self, levels: usize) -> Vec<u8> {
        self.0.repeat(levels)
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_recognised() {
        let unit = |text: &str| Unit::of(&Line::all(text.as_bytes()));
        assert_eq!(unit("a\n\tb\n\t\tc\n"), Some(Unit(b"\t".to_vec())));
        assert_eq!(unit("a\n    b\n      c\n \n"), Some(Unit(b"  ".to_vec())));
        assert_eq!(unit("a\n\tb\n  c\n"), None);
        assert_eq!(unit("a\n"), None);
        let four = unit("    a").unwrap();
        assert_eq!(four.levels(b"        "), Some(2));
        assert_eq!(four.levels(b"      "), None);
        assert_eq!(four.levels(b"\t\t\t\t"), None);
    }
}
