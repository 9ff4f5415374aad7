//! A syntax or structure error in a template, with its place.

use std::fmt;

/// What is wrong in a template file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct HclError {
    /// Path inside the template.
    pub file: String,
    /// Line, from 1; 0 when the error concerns the file as a whole.
    pub line: usize,
    /// Column, from 1; 0 when unknown.
    pub column: usize,
    /// The line of text, for showing.
    pub snippet: String,
    /// What is wrong.
    pub message: String,
}

impl HclError {
    /// An error about a whole file.
    pub fn file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            snippet: String::new(),
            message: message.into(),
        }
    }

    pub(crate) fn syntax(file: &str, error: &hcl_edit::parser::Error) -> Self {
        Self {
            file: file.to_owned(),
            line: error.location().line(),
            column: error.location().column(),
            snippet: error.line().trim().to_owned(),
            message: error.message().to_owned(),
        }
    }
}

impl fmt::Display for HclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
            if self.column > 0 {
                write!(f, ", column {}", self.column)?;
            }
        }
        write!(f, ": {}", self.message)?;
        if !self.snippet.is_empty() {
            write!(f, " in `{}`", self.snippet)?;
        }
        Ok(())
    }
}
