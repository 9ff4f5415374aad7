//! The starter template that needs nothing but our provider, through the life of a workspace.

use std::path::Path;
use std::time::Duration;

use crate::tofu::{self, Workdir, platform, text};

/// Stands for the agent: says what it sees, and goodbye when it is asked to stop.
const AGENT: &str = r#"
echo "token=$CODER_AGENT_TOKEN" > seen
echo "secret=$CODER_WORKSPACE_OWNER_SESSION_TOKEN" >> seen
trap 'echo bye > bye; exit 0' TERM
while :; do sleep 0.1; done
"#;

/// Waits for a file that a process in the background writes: bounded, so that a broken start fails the test.
fn wait_for(file: &Path) -> String {
    for _ in 0..200 {
        match std::fs::read_to_string(file) {
            Ok(content) if content.contains("secret=") => return content,
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    panic!("{} does not appear", file.display());
}

fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_host_workspace_starts_restarts_stops_and_is_deleted() {
    let Some(tofu) = tofu::find() else { return };
    let homes = tempfile::tempdir().unwrap();
    let home = homes.path().join("w1");
    let directory = format!("directory={}", homes.path().display());
    let mut workdir = Workdir::ours(tofu);
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/host");
    for file in template.read_dir().unwrap().map(Result::unwrap) {
        std::fs::copy(
            file.path(),
            workdir.path(&file.file_name().into_string().unwrap()),
        )
        .unwrap();
    }
    workdir.set_all(&[
        ("CODER_WORKSPACE_ID", "w1"),
        ("CODER_WORKSPACE_OWNER_SESSION_TOKEN", "must not be seen"),
        (&format!("CODER_AGENT_SCRIPT_{}", platform()), AGENT),
    ]);
    let run = |workdir: &Workdir, command: &str| {
        let output = workdir.run(&[command, "-no-color", "-auto-approve", "-var", &directory]);
        assert!(output.status.success(), "{}", text(&output));
    };
    let pid = || {
        let note = std::fs::read_to_string(home.join(".coder-workspace/process")).unwrap();
        note.lines().next().unwrap().to_owned()
    };

    run(&workdir, "apply");
    let seen = wait_for(&home.join("seen"));
    assert!(
        seen.contains("token=") && !seen.contains("token=\n"),
        "{seen}"
    );
    assert!(seen.contains("secret=\n"), "{seen}");
    std::fs::write(home.join("work"), "kept").unwrap();
    std::fs::remove_file(home.join("seen")).unwrap();
    let first = pid();
    assert!(lives(&first));

    run(&workdir, "apply");
    assert!(
        wait_for(&home.join("seen")) != seen,
        "a new start has a new token"
    );
    assert!(!lives(&first));
    let second = pid();
    assert!(lives(&second));

    workdir.set("CODER_WORKSPACE_TRANSITION", "stop");
    run(&workdir, "apply");
    assert!(!lives(&second));
    assert!(home.join("bye").exists());
    assert_eq!(std::fs::read_to_string(home.join("work")).unwrap(), "kept");

    run(&workdir, "destroy");
    assert!(!home.exists());
}
