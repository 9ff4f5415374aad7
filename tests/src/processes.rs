//! What `/proc` tells about running processes.

use std::fs;

/// The command name of a process, empty if it is gone.
pub fn name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
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
