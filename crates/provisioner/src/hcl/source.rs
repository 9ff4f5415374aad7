//! The files of a template in memory, and one parsed file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hcl_edit::structure::Body;

use super::{HclError, json};

/// Bytes of one configuration file that we parse; larger ones are generated data, and parsing
/// them would cost more than the answer is worth.
const MAX_SOURCE_BYTES: usize = 4 << 20;

/// The files of a template and its modules by path, `/` separated and relative to the root.
#[derive(Debug, Clone, Default)]
pub struct Files {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Files {
    /// Takes files by path.
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            files: files.into_iter().map(|(k, v)| (k, v.into())).collect(),
        }
    }

    /// Adds `other`'s files, which win over existing ones.
    pub fn extend(&mut self, other: BTreeMap<String, Vec<u8>>) {
        self.files
            .extend(other.into_iter().map(|(k, v)| (k, v.into())));
    }

    /// The content of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(AsRef::as_ref)
    }

    /// The content of a file as text, if it is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path).and_then(|b| std::str::from_utf8(b).ok())
    }

    /// Paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Names of the files directly in `directory` (empty for the root), sorted.
    pub fn list<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a str> {
        let prefix = if directory.is_empty() {
            String::new()
        } else {
            format!("{directory}/")
        };
        self.files
            .range(prefix.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while({
                let prefix = prefix.clone();
                move |path| path.starts_with(&prefix)
            })
            .filter_map(move |path| path.get(prefix.len()..))
            .filter(|name| !name.contains('/'))
    }
}

/// One parsed configuration file.
#[derive(Debug)]
pub struct SourceFile {
    /// Path inside the template.
    pub path: String,
    /// The text; empty for JSON, whose positions are not kept.
    text: Arc<str>,
    /// The parsed content.
    pub body: Body,
}

impl SourceFile {
    /// Whether Terraform would read a file of this name as configuration.
    pub fn is_source(name: &str) -> bool {
        let hidden = name.starts_with('.') || name.starts_with('#') || name.ends_with('~');
        !hidden
            && (Path::new(name).extension().is_some_and(|e| e == "tf")
                || name.ends_with(".tf.json"))
    }

    /// Whether a file's blocks change those of other files instead of adding to them.
    pub fn is_override(name: &str) -> bool {
        let stem = name
            .strip_suffix(".tf.json")
            .or_else(|| name.strip_suffix(".tf"))
            .unwrap_or(name);
        stem == "override" || stem.ends_with("_override")
    }

    /// Parses one file.
    ///
    /// # Errors
    /// Names the file and the line of the first syntax error.
    pub fn parse(path: &str, content: &[u8]) -> Result<Self, HclError> {
        if content.len() > MAX_SOURCE_BYTES {
            return Err(HclError::file(
                path,
                format!("the file is larger than {MAX_SOURCE_BYTES} bytes"),
            ));
        }
        let text = std::str::from_utf8(content)
            .map_err(|_| HclError::file(path, "the file is not UTF-8 text"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if path.ends_with(".json") {
            let body = json::parse(path, text)?;
            return Ok(Self {
                path: path.to_owned(),
                text: "".into(),
                body,
            });
        }
        let body = hcl_edit::parser::parse_body(text).map_err(|e| HclError::syntax(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            text: text.into(),
            body,
        })
    }

    /// The line, from 1, at which a span begins; 0 if there is none.
    pub fn line(&self, span: Option<Range<usize>>) -> usize {
        match span.and_then(|s| self.text.get(..s.start)) {
            Some(before) => before.bytes().filter(|b| *b == b'\n').count() + 1,
            None => 0,
        }
    }
}
