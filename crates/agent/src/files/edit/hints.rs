//! Why a search found nothing: guesses that help its author.

use std::collections::BTreeMap;

use api_types::FileEdit;

use super::line::Line;
use super::replace::{WAYS, matches, positions};

/// Places that one hint names.
const MAX_PLACES: usize = 5;
/// Lines of the search that are looked into: the work grows with the product of
/// both texts.
const MAX_LINES: usize = 50;
/// Lines of a file beyond which nobody looks for near misses.
const MAX_FILE_LINES: usize = 20_000;

/// The message about a search that found nothing.
pub fn not_found(
    content: &[u8],
    file: &[Line<'_>],
    search: &[Line<'_>],
    edit: &FileEdit,
) -> String {
    let text = "search string not found in file. Verify the search string matches the file \
                content exactly, including whitespace and indentation";
    // A near miss comes first: the new text may stand somewhere else by chance.
    let hint = near_miss(file, search).or_else(|| swapped(content, file, edit));
    match hint {
        Some(hint) => format!("{text}. {hint}"),
        None => text.into(),
    }
}

/// The replacement is there already: the two may have been mixed up.
fn swapped(content: &[u8], file: &[Line<'_>], edit: &FileEdit) -> Option<String> {
    let replace = edit.replace.as_bytes();
    if replace.is_empty() {
        return None;
    }
    let line_of = |at: usize| 1 + content[..at].iter().filter(|b| **b == b'\n').count();
    let mut places: Vec<usize> = positions(content, replace)
        .take(MAX_PLACES + 1)
        .map(line_of)
        .collect();
    let lines = Line::all(replace);
    for same in WAYS {
        if places.is_empty() {
            places = matches(file, &lines, same)
                .into_iter()
                .map(|at| at + 1)
                .collect();
        }
    }
    places.dedup();
    (!places.is_empty()).then(|| {
        let places = list(places.iter().map(ToString::to_string));
        format!(
            "Did you swap \"search\" and \"replace\"? Your replace string appears at line {places}"
        )
    })
}

/// A line of the search that differs from one of the file in the number of one
/// character alone, as in a row of dashes.
fn near_miss(file: &[Line<'_>], search: &[Line<'_>]) -> Option<String> {
    if file.len() > MAX_FILE_LINES {
        return None;
    }
    let counted: Vec<_> = file.iter().map(count).collect();
    for line in search
        .iter()
        .take(MAX_LINES)
        .filter(|line| !line.body.is_empty())
    {
        let ours = count(line);
        let near: Vec<_> = (1..)
            .zip(&counted)
            .filter_map(|(number, theirs)| Some((number, one_differs(&ours, theirs)?)))
            .collect();
        let Some((_, (c, had, _))) = near.first().copied() else {
            continue;
        };
        let same = near.into_iter().filter(|(_, (other, ..))| *other == c);
        let places = list(same.map(|(number, (_, _, has))| format!("{has} at line {number}")));
        return Some(format!(
            "Your search has {had} {:?} (U+{:04X}); the file has {places}",
            c.to_string(),
            u32::from(c)
        ));
    }
    None
}

fn count(line: &Line<'_>) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    let text = String::from_utf8_lossy(line.body);
    for c in text.chars() {
        *counts.entry(c).or_default() += 1;
    }
    counts
}

/// The one character whose number differs, if it stands twice at least in one line.
fn one_differs(
    ours: &BTreeMap<char, usize>,
    theirs: &BTreeMap<char, usize>,
) -> Option<(char, usize, usize)> {
    if ours.is_empty() || theirs.is_empty() || ours.len().abs_diff(theirs.len()) > 1 {
        return None;
    }
    let number = |counts: &BTreeMap<char, usize>, c| counts.get(&c).copied().unwrap_or(0);
    let mut differing = ours
        .keys()
        .chain(theirs.keys().filter(|c| !ours.contains_key(c)))
        .map(|c| (*c, number(ours, *c), number(theirs, *c)))
        .filter(|(_, a, b)| a != b);
    let one = differing.next()?;
    (differing.next().is_none() && one.1.max(one.2) >= 2).then_some(one)
}

fn list(mut places: impl Iterator<Item = String>) -> String {
    let shown: Vec<_> = places.by_ref().take(MAX_PLACES).collect();
    match places.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
