//! What tests have seen of the published API, for the report of what they have not.
//!
//! `CODER_TEST_API_SEEN` names a file to which all test programs append; `cargo run -p testkit
//! --no-default-features --example api-coverage` reads it. Each program writes each line once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::deviations;
use super::document::Document;

/// Names the file.
const FILE: &str = "CODER_TEST_API_SEEN";

/// Notes that a route answered without an error.
pub(super) fn answered(method: &str, template: &str, status: u16) {
    note(|| format!("answered {method} {template} {status}"));
}

/// Notes that a field of a definition was there, or was not.
pub(super) fn field(definition: &str, field: &str, there: bool) {
    let word = if there { "field" } else { "lacked" };
    note(|| format!("{word} {definition} {field}"));
}

/// Notes that a deviation was met.
pub(super) fn excused(number: usize) {
    note(|| format!("excused {number}"));
}

/// Notes which routes the server has: `METHOD /api/…`.
pub fn served(routes: impl IntoIterator<Item = String>) {
    for route in routes {
        note(|| format!("served {route}"));
    }
}

/// The file, and what this program has written to it.
struct Lines {
    file: std::fs::File,
    written: HashSet<String>,
}

fn note(line: impl FnOnce() -> String) {
    static LINES: OnceLock<Option<Mutex<Lines>>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let path = std::env::var_os(FILE)?;
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(path);
        let file = file.expect("the file of CODER_TEST_API_SEEN to be writable");
        let written = HashSet::new();
        Some(Mutex::new(Lines { file, written }))
    });
    let Some(lines) = lines else { return };
    let line = line();
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.written.contains(&line) {
        return;
    }
    // A report that lacks a line says too much, never too little.
    let _ = lines.file.write_all(format!("{line}\n").as_bytes());
    lines.written.insert(line);
}

/// What the tests that wrote `seen` have not shown, as a text with a list for each question.
pub fn report(document: &Document, seen: &str) -> String {
    let mut of_kind: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in seen.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        of_kind.entry(kind).or_default().insert(rest);
    }
    let empty = BTreeSet::new();
    let all = |kind: &str| of_kind.get(kind).unwrap_or(&empty);
    let answered: BTreeSet<String> = all("answered")
        .iter()
        .filter_map(|line| Some(nameless(line.rsplit_once(' ')?.0)))
        .collect();
    let served: BTreeSet<String> = all("served").iter().map(|line| nameless(line)).collect();
    let published: BTreeSet<String> = document
        .operations()
        .map(|(method, path)| nameless(&format!("{method} {path}")))
        .collect();
    let is_served = |route: &str| {
        served.contains(route)
            || served.contains(&route.replacen("/api/experimental/", "/api/v2/", 1))
    };
    let is_published = |route: &str| {
        published.contains(route)
            || published.contains(&route.replacen("/api/v2/", "/api/experimental/", 1))
    };
    let mut text = String::new();
    let mut list = |title: &str, lines: Vec<String>| {
        let _ = writeln!(text, "{title}: {}", lines.len());
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    };
    let (here, absent): (Vec<_>, Vec<_>) = published.iter().cloned().partition(|r| is_served(r));
    let silent = here.into_iter().filter(|route| !answered.contains(route));
    list("Published, served, never answered", silent.collect());
    list("Published, not served", absent);
    let own = served.iter().filter(|route| !is_published(route)).cloned();
    list("Served, not published", own.collect());
    let needless = deviations::all()
        .filter(|(number, _)| !all("excused").contains(number.to_string().as_str()));
    list(
        "Deviations never met",
        needless.map(|(_, text)| text).collect(),
    );
    let unsent = all("lacked").difference(all("field"));
    list(
        "Fields never sent",
        unsent.map(|f| f.replace(' ', ".")).collect(),
    );
    text
}

/// A route without the names in its braces, which differ.
fn nameless(route: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in route.split('/') {
        parts.push(if part.starts_with('{') { "{}" } else { part });
    }
    parts.join("/")
}
