//! What `/proc` tells about running processes.

use std::{fs, path::Path};

/// The command name of a process, empty if it is gone.
pub fn name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Whether a process runs. One that ended and that nobody has noticed yet does not.
pub fn runs(pid: i32) -> bool {
    // It has no command line any more.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// All processes below `pid`, parents before children.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut todo = vec![pid];
    while let Some(next) = todo.pop() {
        for task in fs::read_dir(format!("/proc/{next}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children
                .split_whitespace()
                .filter_map(|c| c.parse::<i32>().ok());
            for child in children {
                found.push(child);
                todo.push(child);
            }
        }
    }
    found
}

/// Processes whose home directory is `root` or below it: those of workspaces.
pub fn with_home_under(root: &Path) -> Vec<i32> {
    let wanted = format!("HOME={}", root.display()).into_bytes();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|b| *b == 0)
                .any(|e| e.starts_with(&wanted))
        })
        .collect()
}
