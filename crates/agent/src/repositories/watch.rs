//! One watcher: which working trees it looks at, and what it has been told of each.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api_types::{
    WorkspaceAgentGitServerMessage, WorkspaceAgentGitServerMessageType, WorkspaceAgentRepoChanges,
};
use chrono::Utc;

use super::{git, scan};

/// Working trees that one watcher looks at: each look starts processes.
const MAX_ROOTS: usize = 64;
/// A directory without a repository is asked about again after so long.
const AGAIN: Duration = Duration::from_secs(15);

/// The state of a watcher.
#[derive(Debug, Default)]
pub struct Watch {
    roots: BTreeMap<PathBuf, Option<WorkspaceAgentRepoChanges>>,
    /// Paths, and the working tree that each is in.
    seen: HashMap<String, PathBuf>,
    /// Directories in none, and when that was asked.
    outside: HashMap<PathBuf, Instant>,
}

impl Watch {
    /// Watches the working trees that hold these paths.
    pub async fn add(&mut self, paths: Vec<String>) {
        // Many paths are in one directory: each question starts a process.
        let mut inside: HashMap<PathBuf, PathBuf> = HashMap::new();
        self.outside.retain(|_, at| at.elapsed() < AGAIN);
        for path in paths {
            let known = self.seen.contains_key(&path);
            if known || self.roots.len() >= MAX_ROOTS || !Path::new(&path).is_absolute() {
                continue;
            }
            let Some(directory) = git::directory(Path::new(&path)).map(Path::to_owned) else {
                continue;
            };
            if self.outside.contains_key(&directory) {
                continue;
            }
            let root = match inside.get(&directory) {
                Some(root) => Some(root.clone()),
                None => git::root(&directory).await,
            };
            match root {
                Some(root) => {
                    inside.insert(directory, root.clone());
                    self.roots.entry(root.clone()).or_default();
                    self.seen.insert(path, root);
                }
                // It may get a repository later.
                None => {
                    self.outside.insert(directory, Instant::now());
                }
            }
        }
    }

    /// Looks at everything. `None` while there is nothing to look at; without news,
    /// the message only says that somebody has looked.
    pub async fn scan(&mut self) -> Option<WorkspaceAgentGitServerMessage> {
        if self.roots.is_empty() {
            return None;
        }
        let mut news = Vec::new();
        let mut gone = Vec::new();
        for (root, last) in &mut self.roots {
            match scan::scan(root).await {
                Ok(changes) if last.as_ref() != Some(&changes) => {
                    news.push(changes.clone());
                    *last = Some(changes);
                }
                Ok(_) => {}
                Err(_) if scan::is_gone(root).await => {
                    news.push(WorkspaceAgentRepoChanges {
                        repo_root: root.to_string_lossy().into_owned(),
                        removed: true,
                        ..Default::default()
                    });
                    gone.push(root.clone());
                }
                // It may be busy; the next look will tell.
                Err(error) => tracing::debug!(%error, ?root, "a repository could not be read"),
            }
        }
        for root in gone {
            self.roots.remove(&root);
            // Its paths are looked up again: it may come back.
            self.seen.retain(|_, its| *its != root);
        }
        Some(WorkspaceAgentGitServerMessage {
            r#type: WorkspaceAgentGitServerMessageType::Changes,
            scanned_at: Some(Utc::now()),
            repositories: news,
            message: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(directory: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .current_dir(directory)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    #[tokio::test]
    async fn changes_are_told_once() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        git(root.path(), &["init", "-q", "-b", "main"]);
        git(
            root.path(),
            &["remote", "add", "origin", "https://example.com/a.git"],
        );
        std::fs::write(at("new"), "one\ntwo").unwrap();
        let mut watch = Watch::default();
        assert!(watch.scan().await.is_none());
        watch
            .add(vec![
                at("new").to_string_lossy().into_owned(),
                "/proc/none".into(),
                "x".into(),
            ])
            .await;

        let told = watch.scan().await.unwrap().repositories;
        let [repository] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(repository.branch, "main");
        assert_eq!(repository.remote_origin, "https://example.com/a.git");
        assert_eq!(
            repository.unified_diff,
            "diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n\
             @@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n"
        );
        assert!(watch.scan().await.unwrap().repositories.is_empty());

        git(root.path(), &["add", "."]);
        git(root.path(), &["commit", "-qm", "first"]);
        assert_eq!(watch.scan().await.unwrap().repositories[0].unified_diff, "");
        std::fs::write(at("new"), "one\n2\n").unwrap();
        let diff = watch
            .scan()
            .await
            .unwrap()
            .repositories
            .remove(0)
            .unified_diff;
        assert!(diff.contains("-two") && diff.contains("+2\n"), "{diff}");

        std::fs::remove_dir_all(at(".git")).unwrap();
        assert!(watch.scan().await.unwrap().repositories[0].removed);
        assert!(watch.scan().await.is_none());
    }

    #[tokio::test]
    async fn large_changes_are_not_shown() {
        let large = |text: &str| text.repeat(80).repeat(50_000);
        for known in [false, true] {
            let root = tempfile::tempdir().unwrap();
            git(root.path(), &["init", "-q"]);
            let file = root.path().join("large");
            if known {
                std::fs::write(&file, large("x\n")).unwrap();
                git(root.path(), &["add", "."]);
                git(root.path(), &["commit", "-qm", "first"]);
            }
            std::fs::write(&file, large("y\n")).unwrap();
            let path = root.path().to_string_lossy().into_owned();
            let mut watch = Watch::default();
            watch.add(vec![path]).await;
            let told = watch.scan().await.unwrap().repositories;
            assert!(
                told[0].unified_diff.starts_with("Total diff too large"),
                "{known}"
            );
        }
    }

    #[tokio::test]
    async fn a_directory_is_asked_about_once() {
        let root = tempfile::tempdir().unwrap();
        let path = |n: u32| {
            root.path()
                .join(n.to_string())
                .to_string_lossy()
                .into_owned()
        };
        let mut watch = Watch::default();
        watch.add((0..100).map(path).collect()).await;
        assert_eq!((watch.outside.len(), watch.seen.len()), (1, 0));
        watch.outside.clear();
        git(root.path(), &["init", "-q"]);
        watch.add((0..100).map(path).collect()).await;
        assert_eq!((watch.outside.len(), watch.seen.len()), (0, 100));
        assert_eq!(watch.roots.len(), 1);
    }
}
