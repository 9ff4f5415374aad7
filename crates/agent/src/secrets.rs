//! Secrets of the owner that are wanted as files.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::account::Account;
use crate::manifest::{Manifest, WorkspaceSecret};

/// Writes every secret that names a file; of two for one file the later wins.
/// One that cannot be written is logged and keeps nothing else from working.
pub fn write_files(manifest: &Manifest, account: &Account) {
    for secret in manifest.secrets.iter().filter(|s| !s.file_path.is_empty()) {
        let path = account.expand(&secret.file_path);
        if let Err(error) = write_file(&path, secret) {
            tracing::error!(%error, ?path, "a secret could not be written to its file");
        }
    }
}

fn write_file(path: &Path, secret: &WorkspaceSecret) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    // The mode is for new files only: one that is there keeps its own.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(secret.value.expose())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing;

    #[test]
    fn files_are_private_and_the_later_wins() {
        let home = tempfile::tempdir().unwrap();
        let account = Account {
            name: "x".into(),
            home: home.path().into(),
            shell: "/bin/sh".into(),
        };
        let secret = |path: &str, value: &str| rpc::proto::agent::WorkspaceSecret {
            env_name: String::new(),
            file_path: path.into(),
            value: value.as_bytes().to_vec(),
        };
        let absolute = home.path().join("d/f").display().to_string();
        let proto = rpc::proto::agent::Manifest {
            secrets: vec![secret("~/d/f", "first"), secret(&absolute, "second")],
            ..testing::proto()
        };
        write_files(&Manifest::from_proto(proto, &account).unwrap(), &account);
        let file = home.path().join("d/f");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            home.path()
                .join("d")
                .metadata()
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
    }
}
