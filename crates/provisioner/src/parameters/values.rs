//! Where values come from, and what may be wrong with them.

use std::collections::BTreeMap;

/// Values by parameter name, from each place that may give one.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Of the build before; empty for a first build.
    pub previous: BTreeMap<String, String>,
    /// Of the request.
    pub request: BTreeMap<String, String>,
    /// Of a preset; these win over the request.
    pub preset: BTreeMap<String, String>,
    /// Whether the workspace was never built.
    pub first_build: bool,
}

impl Values {
    /// What the person or preset asks for.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.preset
            .get(name)
            .or_else(|| self.request.get(name))
            .map(String::as_str)
    }

    /// The value of the build before.
    pub fn before(&self, name: &str) -> Option<&str> {
        self.previous.get(name).map(String::as_str)
    }
}

/// A value that a parameter does not take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invalid {
    /// The parameter's name; empty for what concerns all of them.
    pub name: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}

impl Invalid {
    pub(super) fn new(name: &str, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            detail: detail.into(),
        }
    }
}

/// What a parameter that may be set once says to a change.
pub(super) fn immutable(name: &str, before: &str) -> Invalid {
    Invalid::new(
        name,
        format!("the parameter cannot be changed after the first build: it is {before:?}"),
    )
}
