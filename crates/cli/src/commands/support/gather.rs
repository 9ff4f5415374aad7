//! The parts of a bundle as they come in, and what did not come.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::redact;
use crate::ui::time;

/// Files of a bundle in the order in which they came, and a log.
pub struct Gathered {
    files: Vec<(String, Vec<u8>)>,
    log: String,
    begun: std::time::Instant,
    /// What must not appear in any of them.
    token: String,
}

impl Gathered {
    /// Nothing yet; `token` is taken out of everything that comes.
    pub fn new(token: &str) -> Self {
        Self {
            files: Vec::new(),
            log: String::new(),
            begun: std::time::Instant::now(),
            token: token.to_owned(),
        }
    }

    /// Adds a line to the bundle's own log.
    pub fn note(&mut self, text: &str) {
        let at = time::took(self.begun.elapsed());
        let _ = writeln!(self.log, "[{at}] {text}");
    }

    /// Adds JSON without its secrets; a failure becomes a line of the log.
    pub fn json<T: Serialize, E: std::fmt::Display>(&mut self, path: &str, part: Result<T, E>) {
        let value = part
            .map_err(|e| e.to_string())
            .and_then(|p| serde_json::to_value(p).map_err(|e| e.to_string()));
        match value {
            Ok(mut value) => {
                redact::json(&mut value);
                self.add(path, pretty(&value));
            }
            Err(error) => self.note(&format!("{path}: {error}")),
        }
    }

    /// Adds text or bytes; a failure becomes a line of the log.
    pub fn bytes<E: std::fmt::Display>(&mut self, path: &str, part: Result<Vec<u8>, E>) {
        match part {
            Ok(bytes) => self.add(path, bytes),
            Err(error) => self.note(&format!("{path}: {error}")),
        }
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        let bytes = redact::everywhere(bytes, &self.token);
        self.note(&format!("{path}: {} bytes", bytes.len()));
        self.files.push((path.to_owned(), bytes));
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Everything as a zip archive.
    pub fn into_zip(mut self, mut to: impl std::io::Write + std::io::Seek) -> Result<()> {
        let log = std::mem::take(&mut self.log).into_bytes();
        let log = redact::everywhere(log, &self.token);
        self.files.push(("cli_logs.txt".to_owned(), log));
        let options = SimpleFileOptions::default().unix_permissions(0o600);
        let mut zip = ZipWriter::new(&mut to);
        for (path, bytes) in self.files {
            zip.start_file(path.as_str(), options)
                .with_context(|| format!("begin {path}"))?;
            zip.write_all(&bytes)
                .with_context(|| format!("write {path}"))?;
        }
        zip.finish().context("end the archive")?;
        Ok(())
    }
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn failures_are_told_in_the_log_and_tokens_nowhere() {
        let mut gathered = Gathered::new("t0ken");
        gathered.json::<_, String>("a.json", Ok(serde_json::json!({"x": "t0ken"})));
        gathered.json::<(), _>("b.json", Err("no t0ken"));
        let mut zip = Cursor::new(Vec::new());
        gathered.into_zip(&mut zip).unwrap();
        let mut archive = zip::ZipArchive::new(zip).unwrap();
        let mut text = String::new();
        for index in 0..archive.len() {
            archive
                .by_index(index)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
        }
        assert!(
            text.contains("b.json: no [redacted]") && !text.contains("t0ken"),
            "{text}"
        );
    }
}
