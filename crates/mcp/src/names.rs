//! What tools are called before a model: `server__tool`, in letters that every provider takes, and
//! each name once.

use std::collections::HashSet;

/// Between the names of a server and of its tool.
pub const SEPARATOR: &str = "__";
/// Longest name that every model provider takes.
pub const MAX_NAME: usize = 64;

/// A name with nothing but letters, digits, `_` and `-`.
pub fn sanitized(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

/// The name of a server's tool, before others have theirs.
pub fn prefixed(server: &str, tool: &str) -> String {
    let mut name = format!("{}{SEPARATOR}{}", sanitized(server), sanitized(tool));
    name.truncate(MAX_NAME);
    name
}

/// Names that are taken.
#[derive(Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// Takes a name; with a number behind it if it is taken.
    pub fn take(&mut self, wanted: String) -> String {
        if self.0.insert(wanted.clone()) {
            return wanted;
        }
        for number in 2_usize.. {
            let suffix = format!("_{number}");
            let mut name = wanted.clone();
            name.truncate(MAX_NAME - suffix.len());
            name.push_str(&suffix);
            if self.0.insert(name.clone()) {
                return name;
            }
        }
        wanted
    }
}

impl<S: Into<String>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Names(names.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_short_and_different() {
        assert_eq!(prefixed("git hub", "search.é"), "git_hub__search__");
        let mut names: Names = ["read_file"].into_iter().collect();
        assert_eq!(names.take("read_file".into()), "read_file_2");
        assert_eq!(names.take("read_file".into()), "read_file_3");
        let long = prefixed("a", &"x".repeat(100));
        assert_eq!(names.take(long.clone()), long);
        let second = names.take(long.clone());
        assert!(second.len() == MAX_NAME && second != long);
    }
}
