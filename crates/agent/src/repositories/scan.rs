//! The state of one working tree: branch, origin, and everything that differs
//! from the last commit as one unified diff.

use std::fs;
use std::io::Read;
use std::path::Path;

use api_types::WorkspaceAgentRepoChanges;

use super::git::{GitError, ask};

/// Bytes of a diff that are sent; below the limit of a message.
const MAX_DIFF: usize = 3 * 1024 * 1024;
/// Bytes of git's list of files.
const MAX_STATUS: usize = 4 * 1024 * 1024;

/// Looks at the working tree.
pub async fn scan(root: &Path) -> Result<WorkspaceAgentRepoChanges, GitError> {
    let status = ask(
        root,
        &[
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
        ],
        MAX_STATUS,
    )
    .await?;
    let status = Status::parse(&status);
    let origin = ask(root, &["config", "--get", "remote.origin.url"], 64 * 1024)
        .await
        .map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    Ok(WorkspaceAgentRepoChanges {
        repo_root: root.to_string_lossy().into_owned(),
        unified_diff: diff(root, &status).await?,
        branch: status.branch,
        // Most fresh repositories have none.
        remote_origin: origin.unwrap_or_default(),
        removed: false,
    })
}

/// Whether there is no working tree any more, in contrast to one that git cannot
/// look at just now.
pub async fn is_gone(root: &Path) -> bool {
    if !root.join(".git").exists() {
        return true;
    }
    // Of a worktree, `.git` is a file that may lead nowhere.
    root.join(".git").is_file()
        && ask(root, &["rev-parse", "--git-dir"], 64 * 1024)
            .await
            .is_err()
}

async fn diff(root: &Path, status: &Status) -> Result<String, GitError> {
    let mut text = Vec::new();
    if status.has_commits && status.has_changes {
        let arguments = ["diff", "--no-ext-diff", "--no-color", "HEAD"];
        text = match ask(root, &arguments, MAX_DIFF).await {
            Err(GitError::TooLarge(_)) => return Ok(too_large()),
            answer => answer?,
        };
    }
    let (root, untracked) = (root.to_owned(), status.untracked.clone());
    let room = MAX_DIFF - text.len();
    let new = tokio::task::spawn_blocking(move || untracked_diff(&root, &untracked, room));
    match new.await.ok().flatten() {
        Some(new) => Ok(String::from_utf8_lossy(&text).into_owned() + &new),
        None => Ok(too_large()),
    }
}

fn too_large() -> String {
    format!(
        "Total diff too large to show (more than {} MiB). Showing branch and remote only.",
        MAX_DIFF / 1024 / 1024
    )
}

/// Files that git does not know, as git shows new ones; `None` beyond `room` bytes.
fn untracked_diff(root: &Path, files: &[String], room: usize) -> Option<String> {
    let mut text = String::new();
    for name in files {
        let path = root.join(name);
        // Whatever is gone by now, or no file, has no text.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let (mode, content) = if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            ("120000", target.into_os_string().into_encoded_bytes())
        } else if metadata.is_file() {
            let mut content = Vec::new();
            let Ok(file) = fs::File::open(&path) else {
                continue;
            };
            let read = file.take(room as u64 + 1).read_to_end(&mut content);
            if read.is_err() {
                continue;
            }
            let executable =
                std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111;
            (if executable == 0 { "100644" } else { "100755" }, content)
        } else {
            continue;
        };
        text.push_str(&format!(
            "diff --git a/{name} b/{name}\nnew file mode {mode}\n"
        ));
        if content.iter().take(8000).any(|byte| *byte == 0) {
            text.push_str(&format!("Binary files /dev/null and b/{name} differ\n"));
        } else if !content.is_empty() {
            added(&mut text, name, &content);
        }
        if text.len() > room {
            return None;
        }
    }
    Some(text)
}

fn added(text: &mut String, name: &str, content: &[u8]) {
    let lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let count = match lines.len() {
        1 => String::new(),
        n => format!(",{n}"),
    };
    text.push_str(&format!(
        "--- /dev/null\n+++ b/{name}\n@@ -0,0 +1{count} @@\n"
    ));
    for line in lines {
        text.push('+');
        text.push_str(&String::from_utf8_lossy(line));
        if !line.ends_with(b"\n") {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// What `git status --porcelain=v2 --branch -z` tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    branch: String,
    has_commits: bool,
    has_changes: bool,
    untracked: Vec<String>,
}

impl Status {
    fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut status = Self::default();
        let mut records = text.split('\0');
        while let Some(record) = records.next() {
            if let Some(commit) = record.strip_prefix("# branch.oid ") {
                status.has_commits = commit != "(initial)";
            } else if let Some(branch) = record.strip_prefix("# branch.head ") {
                // A commit without a branch has no name.
                status.branch = branch.trim_start_matches("(detached)").to_owned();
            } else if let Some(name) = record.strip_prefix("? ") {
                status.untracked.push(name.to_owned());
            } else if record.starts_with(['1', '2', 'u']) {
                status.has_changes = true;
                if record.starts_with('2') {
                    // The name before a renaming is a record of its own.
                    records.next();
                }
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_understood() {
        let text = b"# branch.oid abc\0# branch.head main\0# branch.ab +1 -0\0\
            2 R. N... 1 1 1 a b R100 new name\0? not untracked\0? a file\0? b\n\0";
        let status = Status::parse(text);
        assert_eq!(status.branch, "main");
        assert!(status.has_commits && status.has_changes);
        assert_eq!(status.untracked, ["a file", "b\n"]);
        let fresh = Status::parse(b"# branch.oid (initial)\0# branch.head (detached)\0");
        assert_eq!(fresh, Status::default());
    }
}
