//! Finding what an edit searches for, in three ways one after the other: exactly;
//! by lines without regard to spaces at their ends; by lines without regard to
//! spaces at either side.

use api_types::FileEdit;

use super::hints;
use super::line::{Ending, Line, common_ending, usual_ending};
use super::splice::Splice;

/// Whether a line of the file is what a line of the search means.
pub type Same = fn(&Line<'_>, &Line<'_>) -> bool;

/// The ways to compare lines, the strictest first.
pub const WAYS: [Same; 2] = [
    |file, search| file.lead == search.lead && file.body == search.body,
    |file, search| file.words() == search.words(),
];

/// `content` with the edit made; the error is for the caller to read.
pub fn replace(content: &[u8], edit: &FileEdit) -> Result<Vec<u8>, String> {
    let (search, new) = (edit.search.as_bytes(), edit.replace.as_bytes());
    if search.is_empty() {
        return Err("search string must not be empty; include the text you want to match".into());
    }
    let file = Line::all(content);
    let search_lines = Line::all(search);
    let new_lines = Line::all(new);
    let (searched, given) = (common_ending(&search_lines), common_ending(&new_lines));
    // Texts of one ending each that differ in it: the edit is about endings.
    let about_endings = searched.zip(given).is_some_and(|(a, b)| a != b);
    let forced = given.map(|_| usual_ending(&file));

    let count = count(content, search);
    if count > 0 {
        unique(count, edit.replace_all)?;
        let with = match forced {
            Some(ending) if !about_endings => with_endings(&new_lines, ending),
            _ => new.to_vec(),
        };
        return Ok(substitute(content, search, &with));
    }
    if about_endings {
        return Err(
            "search string not found in file. Verify the search string matches the file content \
             exactly, including whitespace, indentation, and line endings"
                .into(),
        );
    }
    for same in WAYS {
        let starts = matches(&file, &search_lines, same);
        if starts.is_empty() {
            continue;
        }
        unique(starts.len(), edit.replace_all)?;
        let mut out = Vec::with_capacity(content.len() + new.len() * starts.len());
        let mut next = 0;
        for start in starts {
            let end = start + search_lines.len();
            file[next..start]
                .iter()
                .for_each(|line| line.write(&mut out));
            Splice {
                search: &search_lines,
                replace: &new_lines,
                found: &file[start..end],
                forced,
                at_open_end: end == file.len() && !file[end - 1].ending.ends_line(),
            }
            .write(&mut out);
            next = end;
        }
        file[next..].iter().for_each(|line| line.write(&mut out));
        return Ok(out);
    }
    Err(hints::not_found(content, &file, &search_lines, edit))
}

fn unique(count: usize, replace_all: bool) -> Result<(), String> {
    if count == 1 || replace_all {
        return Ok(());
    }
    Err(format!(
        "search string matches {count} occurrences (expected exactly 1). Include more surrounding \
         context to make the match unique, or set replace_all to true"
    ))
}

/// Positions of `part` in `text` that do not overlap.
pub fn positions<'a>(text: &'a [u8], part: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        // Most candidates end at their first byte.
        while from + part.len() <= text.len() {
            let at = from + text[from..].iter().position(|b| *b == part[0])?;
            if text[at..].starts_with(part) {
                from = at + part.len();
                return Some(at);
            }
            from = at + 1;
        }
        None
    })
}

fn count(text: &[u8], part: &[u8]) -> usize {
    positions(text, part).count()
}

fn substitute(text: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + with.len());
    let mut next = 0;
    for at in positions(text, part) {
        out.extend_from_slice(&text[next..at]);
        out.extend_from_slice(with);
        next = at + part.len();
    }
    out.extend_from_slice(&text[next..]);
    out
}

/// The lines with every ending inside replaced; the last one stays.
fn with_endings(lines: &[Line<'_>], ending: Ending) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut line = *line;
        if index + 1 < lines.len() {
            line.ending = ending;
        }
        line.write(&mut out);
    }
    out
}

/// Where `search` stands in `file`, without overlaps.
pub fn matches(file: &[Line<'_>], search: &[Line<'_>], same: Same) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while !search.is_empty() && at + search.len() <= file.len() {
        let window = file[at..].iter().zip(search);
        if window.clone().all(|(file, search)| same(file, search)) {
            starts.push(at);
            at += search.len();
        } else {
            at += 1;
        }
    }
    starts
}
