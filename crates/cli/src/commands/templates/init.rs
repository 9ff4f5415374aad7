//! `coder templates init`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use super::starters::{self, Starter};
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::select;

/// Make a template directory from a starter template.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Directory to make; named like the starter template when left out.
    directory: Option<PathBuf>,

    /// Which starter template; chosen from a list when left out.
    #[arg(long, value_name = "id")]
    id: Option<String>,
}

/// Writes the files; needs no server.
pub fn run(args: &Args, session: &Session) -> Result<()> {
    let starter = choose(args.id.as_deref())?;
    let directory = args
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from(starter.id));
    write(starter, &directory)?;
    let shown = directory.display();
    say!(
        "Created the {} template in {shown}. Next:\n",
        session.style.keyword(starter.id)
    )?;
    say!("  {}", session.style.code(&format!("cd {shown}")))?;
    say!(
        "  {}\n",
        session
            .style
            .code(&format!("coder templates push {} -d .", starter.id))
    )?;
    say!("Its README.md says what to change.")
}

fn choose(id: Option<&str>) -> Result<&'static Starter> {
    let all = starters::all();
    let ids = || all.iter().map(|s| s.id).collect::<Vec<_>>().join(", ");
    match id.filter(|id| !id.is_empty()) {
        Some(id) => all.iter().find(|s| s.id == id).ok_or_else(|| {
            Advice::error(
                format!("there is no starter template {id:?}"),
                format!("Choose one of: {}.", ids()),
            )
        }),
        None => {
            let options: Vec<String> = all
                .iter()
                .map(|s| format!("{}: {}", s.id, s.summary()))
                .collect();
            select::select("Select a starter template:", &options, 0).map(|i| &all[i])
        }
    }
}

/// Writes the files of `starter`; existing ones are never overwritten.
fn write(starter: &Starter, directory: &Path) -> Result<()> {
    let occupied = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Advice::error(
            format!("{} is not empty", directory.display()),
            "Give another directory: 'coder templates init <directory>'.",
        ));
    }
    for (path, content) in starter.files {
        let path = directory.join(path);
        let parent = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let starter = Starter {
            id: "x",
            files: &[("main.tf", b"new"), ("sub/a", b"a")],
        };
        write(&starter, dir.path()).unwrap();
        assert_eq!(std::fs::read(dir.path().join("sub/a")).unwrap(), b"a");
        assert!(write(&starter, dir.path()).is_err());
    }

    #[test]
    fn unknown_starters_are_refused_with_the_known_ones() {
        assert!(choose(Some("no-such-starter")).is_err());
    }
}
