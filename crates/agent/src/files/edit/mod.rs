//! Edits of text files by search and replacement, as models write them: a text
//! that is found exactly, or line by line without regard to spaces at the ends
//! of lines, takes on the file's own indentation and line endings. All edits of
//! a request are worked out before the first file is written.

mod hints;
mod indent;
mod line;
mod replace;
mod splice;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use api_types::{FileEditRequest, FileEditResponse, FileEditResult, FileEdits};

use super::write::Replacement;
use super::{FileError, Kind, diff, read};

/// Files that one request may edit.
const MAX_FILES: usize = 200;
/// Bytes of a file that is edited, before and after: it is held in memory.
const MAX_FILE: usize = 16 * 1024 * 1024;

/// A file whose edits are worked out.
struct Pending {
    named: String,
    path: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// Carries out a request. Without an error, every file has been written; with
/// one that is not the system's, none.
pub fn edit(request: &FileEditRequest) -> Result<FileEditResponse, FileError> {
    if request.files.is_empty() {
        return Err(FileError::invalid("must specify at least one file"));
    }
    if request.files.len() > MAX_FILES {
        return Err(FileError::invalid(format!(
            "must specify at most {MAX_FILES} files"
        )));
    }
    let mut pending = Vec::new();
    let mut errors: Vec<FileError> = Vec::new();
    for edits in merge(&request.files)? {
        match work_out(&edits) {
            Ok(file) => pending.push(file),
            Err(error) => errors.push(error),
        }
    }
    if let Some(worst) = errors
        .iter()
        .map(|error| error.kind)
        .max_by_key(|kind| severity(*kind))
    {
        let texts: Vec<_> = errors.into_iter().map(|error| error.text).collect();
        return Err(FileError {
            kind: worst,
            text: texts.join("\n"),
        });
    }
    // What can still fail here is the system; files that are written already stay so.
    for file in &pending {
        let mut replacement = Replacement::beside(file.path.clone())?;
        replacement.write(&file.new)?;
        replacement.finish()?;
    }
    let files = if request.include_diff {
        pending.iter().map(Pending::result).collect()
    } else {
        Vec::new()
    };
    Ok(FileEditResponse { files })
}

impl Pending {
    fn result(&self) -> FileEditResult {
        FileEditResult {
            path: self.named.clone(),
            diff: diff::unified(&self.named, &self.old, &self.new),
        }
    }
}

/// The order in which one kind outweighs another in a combined answer.
fn severity(kind: Kind) -> u8 {
    match kind {
        Kind::Invalid => 0,
        Kind::TooLarge => 1,
        Kind::Forbidden => 2,
        Kind::Missing => 3,
        Kind::System => 4,
    }
}

/// Puts the edits of one file together. Two names of the same file are a mistake
/// of the caller: which edits come first would be unclear.
fn merge(files: &[FileEdits]) -> Result<Vec<FileEdits>, FileError> {
    let mut seen: HashMap<PathBuf, (String, usize)> = HashMap::new();
    let mut merged: Vec<FileEdits> = Vec::new();
    for file in files {
        // Paths that make no sense are told of later, with the others.
        let key = super::resolve(&file.path).unwrap_or_else(|_| PathBuf::from(&file.path));
        match seen.get(&key) {
            Some((name, index)) if super::clean(name) == super::clean(&file.path) => {
                merged[*index].edits.extend(file.edits.iter().cloned());
            }
            Some((name, _)) => {
                return Err(FileError::invalid(format!(
                    "duplicate file path {:?} aliases {name:?} (same real file): combine edits \
                     into a single entry's \"edits\" list",
                    file.path
                )));
            }
            None => {
                seen.insert(key, (file.path.clone(), merged.len()));
                merged.push(file.clone());
            }
        }
    }
    Ok(merged)
}

fn work_out(edits: &FileEdits) -> Result<Pending, FileError> {
    if edits.path.is_empty() {
        return Err(FileError::invalid("\"path\" is required"));
    }
    let path = super::resolve(&edits.path)?;
    if edits.edits.is_empty() {
        return Err(FileError::invalid("must specify at least one edit"));
    }
    let old = content(&path)?;
    let mut new = old.clone();
    for edit in &edits.edits {
        new = replace::replace(&new, edit)
            .map_err(|text| FileError::invalid(format!("edit {}: {text}", path.display())))?;
        if new.len() > MAX_FILE {
            return Err(too_large(&path));
        }
    }
    Ok(Pending {
        named: edits.path.clone(),
        path,
        old,
        new,
    })
}

fn content(path: &Path) -> Result<Vec<u8>, FileError> {
    let (file, _) = read::open_regular(path)?;
    let mut content = Vec::new();
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|error| FileError::io("read", path, &error))?;
    if content.len() > MAX_FILE {
        return Err(too_large(path));
    }
    Ok(content)
}

fn too_large(path: &Path) -> FileError {
    FileError::too_large(format!(
        "edit {}: files of more than {MAX_FILE} bytes are not edited",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
