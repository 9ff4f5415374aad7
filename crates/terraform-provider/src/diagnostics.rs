//! Errors and warnings on their way to the person who wrote the template.

use crate::proto::tfplugin5 as tf;

/// One step towards the place that a diagnostic speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into an attribute or a kind of block.
    Attribute(String),
    /// To an element of a list.
    Index(i64),
    /// To an element of a map.
    Key(String),
}

/// The place that a diagnostic speaks of; empty for the whole resource.
pub type Path = Vec<Step>;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The operation fails.
    Error,
    /// The operation goes on.
    Warning,
}

/// An error or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a line.
    pub summary: String,
    /// The reason and the way out; may be empty.
    pub detail: String,
    /// Where.
    pub path: Path,
}

impl Diagnostic {
    /// An error.
    pub fn error(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: String::new(),
            path: Path::new(),
        }
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary)
        }
    }

    /// Adds the reason and the way out.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// Says where: an attribute of the resource.
    #[must_use]
    pub fn at_attribute(self, name: &str) -> Self {
        self.at(vec![Step::Attribute(name.to_owned())])
    }
}

/// Whether there is an error among them.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}

impl From<Diagnostic> for tf::Diagnostic {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            severity: match diagnostic.severity {
                Severity::Error => tf::diagnostic::Severity::Error,
                Severity::Warning => tf::diagnostic::Severity::Warning,
            }
            .into(),
            summary: diagnostic.summary,
            detail: diagnostic.detail,
            attribute: (!diagnostic.path.is_empty()).then(|| path_message(diagnostic.path)),
        }
    }
}

/// A path in the form that the plugin protocol wants.
pub fn path_message(path: Path) -> tf::AttributePath {
    use tf::attribute_path::step::Selector;
    let steps = path
        .into_iter()
        .map(|step| tf::attribute_path::Step {
            selector: Some(match step {
                Step::Attribute(name) => Selector::AttributeName(name),
                Step::Index(index) => Selector::ElementKeyInt(index),
                Step::Key(key) => Selector::ElementKeyString(key),
            }),
        })
        .collect();
    tf::AttributePath { steps }
}
