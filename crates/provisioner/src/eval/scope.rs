//! What names mean where an expression stands.

use super::{Result, Value};

/// Names bound by `for` expressions and by what surrounds an expression (`each`, `count`).
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    names: Vec<(String, Value)>,
}

impl Bound {
    /// With one more name, which hides others of that name.
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut names = self.names.clone();
        names.push((name.to_owned(), value));
        Self { names }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.names
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v)
    }
}

/// Looks up what is not bound: variables, locals, data sources, modules, files.
pub(super) trait Scope {
    /// The value of a reference, given its words up to the first index, and how many of them were
    /// used up: `data.t.n` uses three.
    fn lookup(&self, words: &[&str]) -> Result<(Value, usize)>;

    /// A file of the template; `None` if there is none.
    fn file(&self, path: &str) -> Option<Vec<u8>>;

    /// Paths of files below a directory.
    fn files_below(&self, directory: &str) -> Vec<String>;
}
