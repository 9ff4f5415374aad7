//! Dev containers that nobody declared: configurations in the working trees where people work.
//!
//! The agent's directory is looked at if it is a working tree of git, else each directory right
//! below it that is one. What git ignores is no project of anybody.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::manifest::Devcontainer;
use crate::repositories::git;

/// Where configurations lie in a project.
const PLACES: [&str; 2] = [".devcontainer/devcontainer.json", ".devcontainer.json"];
/// Directories of projects that are looked at: a home with more is somebody's archive.
const MAX_TREES: usize = 64;
/// Dev containers that are told of.
const MAX_FOUND: usize = 64;
/// Bytes of git's list of configurations.
const MAX_LIST: usize = 256 * 1024;
/// Names the ids of what is found, which stay the same as long as the place does.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a5b_0f5e_91c4_4d0c_8f3e_5d8b_2e6a_9c11);

/// What is found in `directory`, at most [`MAX_FOUND`].
pub async fn discover(directory: &Path) -> Vec<Devcontainer> {
    let mut found: Vec<Devcontainer> = Vec::new();
    for tree in trees(directory).await {
        for folder in in_tree(&tree).await {
            if found.len() == MAX_FOUND {
                return found;
            }
            // One in the usual place comes first, and counts.
            let same = |known: &Devcontainer| known.workspace_folder == folder.workspace_folder;
            if !found.iter().any(same) {
                found.push(folder);
            }
        }
    }
    found
}

/// The working trees, in the order of their names.
async fn trees(directory: &Path) -> Vec<PathBuf> {
    if directory.join(".git").is_dir() {
        return vec![directory.to_owned()];
    }
    let mut trees = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(directory).await else {
        return trees;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        if trees.len() < MAX_TREES && path.join(".git").is_dir() {
            trees.push(path);
        }
    }
    trees.sort();
    trees
}

/// Configurations in one working tree. Without git, or in a tree that it cannot read, there are none.
async fn in_tree(tree: &Path) -> Vec<Devcontainer> {
    let places = PLACES.map(|place| format!(":(glob)**/{place}"));
    let mut arguments = vec![
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
    ];
    arguments.extend(places.iter().map(String::as_str));
    match git::ask(tree, &arguments, MAX_LIST).await {
        Ok(list) => list
            .split(|byte| *byte == 0)
            .filter_map(|name| configuration(tree, std::str::from_utf8(name).ok()?))
            .collect(),
        Err(error) => {
            tracing::debug!(tree = %tree.display(), %error, "no dev containers are looked for");
            Vec::new()
        }
    }
}

/// The dev container of a file that git lists.
fn configuration(tree: &Path, name: &str) -> Option<Devcontainer> {
    let file = tree.join(name);
    // Git also lists what was deleted since.
    let folder = PLACES
        .iter()
        .find(|place| file.ends_with(place))
        .and_then(|place| file.ancestors().nth(place.split('/').count()))
        .filter(|_| file.is_file())?;
    let config = file.to_str()?;
    Some(Devcontainer {
        id: Uuid::new_v5(&NAMESPACE, config.as_bytes()),
        name: folder.file_name()?.to_str()?.to_owned(),
        workspace_folder: folder.to_str()?.to_owned(),
        config_path: config.to_owned(),
        subagent_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
    }

    fn init(tree: &Path) {
        std::fs::create_dir_all(tree).unwrap();
        let done = std::process::Command::new("git")
            .args(["init", "-q"])
            .current_dir(tree)
            .status();
        assert!(done.unwrap().success());
    }

    async fn names(directory: &Path) -> Vec<String> {
        let found = discover(directory).await;
        found.into_iter().map(|one| one.name).collect()
    }

    #[tokio::test]
    async fn projects_are_found_unless_git_ignores_them() {
        let home = tempfile::tempdir().unwrap();
        let (api, web) = (home.path().join("api"), home.path().join("web"));
        init(&api);
        init(&web);
        write(&api.join(".devcontainer/devcontainer.json"));
        write(&api.join("tools/lint/.devcontainer.json"));
        write(&api.join("node_modules/x/.devcontainer.json"));
        write(&api.join("other/devcontainer.json"));
        std::fs::write(api.join(".gitignore"), "node_modules\n").unwrap();
        write(&web.join(".devcontainer.json"));
        // No working tree.
        write(&home.path().join("loose/.devcontainer.json"));
        assert_eq!(names(home.path()).await, ["api", "lint", "web"]);
        // The directory is a working tree itself.
        assert_eq!(names(&web).await, ["web"]);
        let (first, again) = (discover(&web).await, discover(&web).await);
        assert_eq!(first, again, "the same ids");
        assert!(names(&home.path().join("none")).await.is_empty());
    }
}
