//! File transfer with OpenSSH's `sftp` and `scp`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use crate::support::host;

#[test]
fn files_go_there_and_back() {
    let host = host();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let data: Vec<u8> = (0..3_000_000u32)
        .map(|n| (n.wrapping_mul(40_503) >> 7) as u8)
        .collect();
    fs::write(at("local"), &data).unwrap();
    fs::set_permissions(at("local"), fs::Permissions::from_mode(0o640)).unwrap();
    let batch = format!(
        "cd {0}\nput -p local remote\nmkdir sub\nrename remote sub/renamed\nsymlink sub/renamed link\n\
         chmod 600 sub/renamed\nget -p sub/renamed back\nls -l sub\nln sub/renamed hard\nrm link\ndf\n",
        directory.path().display()
    );
    let mut child = host
        .sftp()
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(batch.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("-rw-------") && shown.contains("renamed"),
        "{shown}"
    );
    assert!(fs::read(at("back")).unwrap() == data);
    let (local, remote) = (
        at("local").metadata().unwrap(),
        at("sub/renamed").metadata().unwrap(),
    );
    assert_eq!(
        (local.mtime(), remote.nlink(), remote.mode() & 0o777),
        (remote.mtime(), 2, 0o600)
    );
    assert!(!at("link").exists());
}

#[test]
fn scp_works_over_it() {
    let host = host();
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::create_dir_all(from.join("deep/er")).unwrap();
    fs::write(from.join("deep/er/file"), "content").unwrap();
    let status = Command::new("scp")
        .args([
            "-q",
            "-r",
            "-F",
            "/dev/null",
            "-o",
            "StrictHostKeyChecking=no",
        ])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
        .args(["-P", &host.port.to_string()])
        .arg(&from)
        .arg(format!("any@127.0.0.1:{}", to.display()))
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(
        fs::read_to_string(to.join("deep/er/file")).unwrap(),
        "content"
    );
}
