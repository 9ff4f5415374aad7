//! What takes the place of lines that were found without regard to spaces: where
//! the search and the replacement agree about spaces or endings, the caller did
//! not mean to change them and the file's own stay; where they differ, the
//! replacement's are taken.

use super::indent::Unit;
use super::line::{Ending, Line};

/// The lines of an edit, and those of the file that were found.
pub struct Splice<'a> {
    /// What was searched for.
    pub search: &'a [Line<'a>],
    /// What is to come.
    pub replace: &'a [Line<'a>],
    /// What was found; as many lines as were searched for.
    pub found: &'a [Line<'a>],
    /// The ending that every line gets, if one is settled.
    pub forced: Option<Ending>,
    /// The file ends with what was found, without an ending.
    pub at_open_end: bool,
}

/// To which line of the search a line of the replacement belongs.
#[derive(Clone, Copy)]
enum Place {
    /// It stands for that line.
    Pair(usize),
    /// It is new, in the surroundings of that line.
    New(usize),
}

impl Splice<'_> {
    /// Writes the new lines.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (before, after) = self.unchanged();
        let units = self.units();
        let last = self.replace.len().saturating_sub(1);
        for (index, line) in self.replace.iter().enumerate() {
            let place = self.place(index, before, after);
            let (lead, trail) = self.spaces(line, place, units.as_ref());
            out.extend_from_slice(&lead);
            out.extend_from_slice(line.body);
            out.extend_from_slice(trail);
            out.extend_from_slice(self.ending(line, place, index == last).bytes());
        }
    }

    /// How many lines at the beginning and at the end say the same in the search
    /// and in the replacement.
    fn unchanged(&self) -> (usize, usize) {
        let same = |(a, b): &(&Line<'_>, &Line<'_>)| a.words() == b.words();
        let before = self
            .search
            .iter()
            .zip(self.replace)
            .take_while(same)
            .count();
        let most = self.search.len().min(self.replace.len()) - before;
        let after = self
            .search
            .iter()
            .rev()
            .zip(self.replace.iter().rev())
            .take(most)
            .take_while(same)
            .count();
        (before, after)
    }

    fn place(&self, index: usize, before: usize, after: usize) -> Place {
        let after_start = self.search.len() - after;
        if index < before {
            return Place::Pair(index);
        }
        if index >= self.replace.len() - after {
            return Place::Pair(index + self.search.len() - self.replace.len());
        }
        if index < after_start {
            return Place::Pair(index);
        }
        // It belongs to the lines before it if it is indented as they are, and else to
        // those after it.
        let as_before = before > 0 && self.replace[before - 1].lead == self.replace[index].lead;
        let as_after =
            after > 0 && self.replace[self.replace.len() - after].lead == self.replace[index].lead;
        Place::New(match (before, after) {
            (0, 0) => index.min(self.search.len() - 1),
            (_, 0) => before - 1,
            (0, _) => after_start,
            _ if as_before && !as_after => before - 1,
            _ => after_start,
        })
    }

    /// The units of the caller's text and of the file's, if both are clear.
    fn units(&self) -> Option<(Unit, Unit)> {
        let callers = Unit::of(self.search.iter().chain(self.replace))?;
        Some((callers, Unit::of(self.found)?))
    }

    fn spaces<'a>(
        &'a self,
        line: &Line<'a>,
        place: Place,
        units: Option<&(Unit, Unit)>,
    ) -> (Vec<u8>, &'a [u8]) {
        if line.body.is_empty() {
            // Nothing is made of an empty line.
            return (line.lead.to_vec(), line.trail);
        }
        match place {
            Place::Pair(at) => {
                let (search, found) = (&self.search[at], &self.found[at]);
                let kept = |ours: &'a [u8], searched: &[u8], found: &'a [u8]| {
                    if ours == searched { found } else { ours }
                };
                (
                    kept(line.lead, search.lead, found.lead).to_vec(),
                    kept(line.trail, search.trail, found.trail),
                )
            }
            Place::New(at) => {
                let found = self.found[at].lead;
                let lead = units.and_then(|(callers, files)| {
                    let by = callers.levels(line.lead)? as isize
                        - callers.levels(self.search[at].lead)? as isize;
                    let levels = files.levels(found)?.checked_add_signed(by)?;
                    Some(files.repeat(levels))
                });
                (lead.unwrap_or_else(|| found.to_vec()), line.trail)
            }
        }
    }

    fn ending(&self, line: &Line<'_>, place: Place, last: bool) -> Ending {
        if last && self.at_open_end {
            return match place {
                Place::New(_) => Ending::None,
                Place::Pair(at) if self.agree(line, at) => self.found[at].ending,
                Place::Pair(_) => line.ending,
            };
        }
        if let Some(forced) = self.forced {
            return forced;
        }
        let ending = match place {
            Place::Pair(at) if self.agree(line, at) && self.found[at].ending.ends_line() => {
                self.found[at].ending
            }
            _ => line.ending,
        };
        // What follows in the file must not run into the last line.
        if last && !ending.ends_line() {
            return Ending::Lf;
        }
        ending
    }

    /// Whether search and replacement both end the line, or both leave it open.
    fn agree(&self, line: &Line<'_>, at: usize) -> bool {
        self.search[at].ending.ends_line() == line.ending.ends_line()
    }
}
