//! The keys that seal secrets in the database: those of `--external-token-encryption-keys`, else one
//! that this server makes for itself and keeps in its configuration directory.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use api_types::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::Store;
use store::seal::Seal;

use super::RunError;
use crate::options::Options;

/// Name of the file with the key of a server that was given none.
const FILE: &str = "encryption.key";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// A longer file holds no key.
const MAX_FILE: u64 = 1024;
const FLAG: &str = "external-token-encryption-keys";

fn bad(problem: impl Into<String>) -> RunError {
    RunError::Option {
        flag: FLAG,
        problem: problem.into(),
    }
}

fn key(text: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(text.trim())
        .ok()
        .filter(|bytes| bytes.len() == KEY_BYTES)
}

/// The keys, known to the database.
///
/// With several servers on one database the keys must be given: a key of one server's own is
/// unknown to the others, and they say so.
pub(super) async fn seal(
    options: &Options,
    config: &Path,
    store: &Store,
) -> Result<Seal, RunError> {
    let mut keys = Vec::new();
    for (n, text) in options.list(FLAG).iter().enumerate() {
        let key = key(text).ok_or_else(|| {
            bad(format!(
                "key {} must be the base64 of {KEY_BYTES} bytes; make one with: openssl rand -base64 {KEY_BYTES}",
                n + 1
            ))
        })?;
        keys.push(Secret::new(key));
    }
    // The server's own key stays readable when others are given later.
    match own(config, keys.is_empty()) {
        Ok(own) => keys.extend(own),
        Err(error) if keys.is_empty() => {
            return Err(bad(format!(
                "no key was given, and {} cannot be used: {error}",
                config.join(FILE).display()
            )));
        }
        Err(error) => tracing::debug!(%error, "no encryption key of the server's own"),
    }
    let seal = Seal::new(&keys).map_err(|error| bad(error.to_string()))?;
    let conn = store.conn().await.map_err(RunError::Database)?;
    conn.seal_register(&seal)
        .await
        .map_err(|error| bad(error.to_string()))?;
    Ok(seal)
}

/// The key in the configuration directory; made if it is not there and `make` says so.
fn own(config: &Path, make: bool) -> std::io::Result<Option<Secret<Vec<u8>>>> {
    let path = config.join(FILE);
    match std::fs::File::open(&path) {
        Ok(file) => {
            let mut text = String::new();
            file.take(MAX_FILE).read_to_string(&mut text)?;
            return key(&text).map(|key| Some(Secret::new(key))).ok_or_else(|| {
                std::io::Error::new(
                    ErrorKind::InvalidData,
                    format!("it does not hold the base64 of {KEY_BYTES} bytes"),
                )
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if !make {
        return Ok(None);
    }
    std::fs::create_dir_all(config)?;
    let mut bytes = vec![0; KEY_BYTES];
    rand::fill(&mut bytes[..]);
    // Written aside and linked into place: whoever comes second reads the first one's key.
    let aside = config.join(format!("{FILE}.{}", uuid::Uuid::new_v4().simple()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(STANDARD.encode(&bytes).as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&aside, &path);
    std::fs::remove_file(&aside)?;
    match linked {
        Ok(()) => Ok(Some(Secret::new(bytes))),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => own(config, false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(own(directory.path(), false).unwrap().is_none());
        let first = own(directory.path(), true).unwrap().unwrap();
        let second = own(directory.path(), true).unwrap().unwrap();
        assert_eq!(first.expose(), second.expose());
        assert_eq!(first.expose().len(), KEY_BYTES);
        std::fs::write(directory.path().join(FILE), "not a key").unwrap();
        assert!(own(directory.path(), true).is_err());
    }
}
