//! `coder dotfiles`: a person's own settings in a workspace, from their
//! repository.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args as ClapArgs;
use tokio::process::Command;

use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Scripts that install a repository, the first that is there.
const SCRIPTS: [&str; 12] = [
    "install.sh",
    "install",
    "bootstrap.sh",
    "bootstrap",
    "setup.sh",
    "setup",
    "script/install.sh",
    "script/install",
    "script/bootstrap.sh",
    "script/bootstrap",
    "script/setup.sh",
    "script/setup",
];

/// Personalize this workspace with your dotfiles repository: runs its install
/// script, or links its dotfiles into your home directory where it has none.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example without questions:\n  coder dotfiles --yes git@github.com:example/dotfiles.git"
)]
pub struct Args {
    /// Address of the repository.
    #[arg(value_name = "git_repo_url")]
    repository: String,

    /// Branch to use, in place of the repository's default.
    #[arg(short, long, value_name = "branch")]
    branch: Option<String>,

    /// Directory of the repository, below the one of the settings.
    #[arg(
        long,
        env = "CODER_DOTFILES_REPO_DIR",
        value_name = "dir",
        default_value = "dotfiles"
    )]
    repo_dir: PathBuf,

    /// Where to put the links; your home directory when left out.
    #[arg(long, env = "CODER_SYMLINK_DIR", value_name = "dir")]
    symlink_dir: Option<PathBuf>,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Fetches the repository and installs it.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    ensure!(
        !args.repository.starts_with('-'),
        "{:?} is no address of a repository",
        args.repository
    );
    let settings = std::path::absolute(session.config.path()).context("find the settings")?;
    let dir = settings.join(&args.repo_dir);
    let branch = args.branch.as_deref().filter(|b| !b.is_empty());
    set_aside_another(&args, session, &dir)?;
    if dir.exists() {
        say!("Found dotfiles repository at {}", dir.display())?;
        confirm_default_yes(
            &format!("Pull the latest of {} into it?", args.repository),
            args.yes,
        )?;
        // An old state of the person's settings is better than none.
        if let Err(error) = update(&dir, branch).await {
            session.note(&session.style_err.error(&format!(
                "The repository could not be updated, going on with what is there: {error:#}"
            )));
        }
    } else {
        confirm_default_yes(
            &format!("Clone {} into {}?", args.repository, dir.display()),
            args.yes,
        )?;
        std::fs::create_dir_all(&settings)
            .with_context(|| format!("cannot make {}", settings.display()))?;
        let mut clone = vec![
            "clone".into(),
            "--".into(),
            args.repository.clone().into(),
            dir.clone().into_os_string(),
        ];
        if let Some(branch) = branch {
            clone.splice(1..1, ["--branch".into(), branch.into()]);
        }
        git(&settings, &clone).await?;
    }
    session.config.write("dotfilesurl", &args.repository)?;
    install(&args, session, &dir).await
}

/// Moves the clone of another repository out of the way.
fn set_aside_another(args: &Args, session: &Session, dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let last = session.config.dotfiles_url()?.unwrap_or_default();
    if last == args.repository {
        return Ok(());
    }
    let now = chrono::Local::now().format("%Y-%m-%dT%H-%M-%S");
    let mut aside = dir.as_os_str().to_owned();
    aside.push(format!("_backup_{now}"));
    let aside = PathBuf::from(aside);
    confirm_default_yes(
        &format!(
            "The repository has changed from {last:?} to {:?}. Move the old one to {}?",
            args.repository,
            aside.display()
        ),
        args.yes,
    )?;
    std::fs::rename(dir, &aside).with_context(|| format!("cannot move {}", dir.display()))
}

async fn update(dir: &Path, branch: Option<&str>) -> Result<()> {
    git(dir, &["pull".into(), "--ff-only".into()]).await?;
    if let Some(branch) = branch {
        git(dir, &["checkout".into(), branch.into()]).await?;
        git(dir, &["pull".into(), "--ff-only".into()]).await?;
    }
    Ok(())
}

/// Runs git in `dir`, in sight of the person.
async fn git(dir: &Path, arguments: &[std::ffi::OsString]) -> Result<()> {
    let ssh = std::env::var("GIT_SSH_COMMAND")
        .ok()
        .filter(|s| !s.is_empty())
        .unwrap_or_else(|| "ssh".to_owned());
    let status = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        // A fresh workspace knows no hosts, and nobody is there to be asked.
        .env(
            "GIT_SSH_COMMAND",
            format!("{ssh} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no"),
        )
        .status()
        .await
        .context("run git; is it installed?")?;
    let what = arguments
        .first()
        .map(|a| a.to_string_lossy())
        .unwrap_or_default();
    ensure!(status.success(), "git {what} ended with {status}");
    Ok(())
}

async fn install(args: &Args, session: &Session, dir: &Path) -> Result<()> {
    if let Some(script) = SCRIPTS.iter().find(|s| dir.join(s).is_file()) {
        confirm_default_yes(&format!("Run its script {script}?"), args.yes)?;
        run_script(dir, script).await?;
        return say!("Dotfiles installation complete.");
    }
    let names = dotfiles(dir)?;
    if names.is_empty() {
        return say!("No install scripts or dotfiles found, nothing to do.");
    }
    let to = match args
        .symlink_dir
        .clone()
        .filter(|d| !d.as_os_str().is_empty())
    {
        Some(dir) => dir,
        None => {
            crate::home::home_dir().context("cannot tell where your home directory is: set HOME")?
        }
    };
    confirm_default_yes(
        &format!(
            "It has no install script. Link its dotfiles into {}?",
            to.display()
        ),
        args.yes,
    )?;
    for name in names {
        let (from, to) = (dir.join(&name), to.join(&name));
        link(session, &from, &to).with_context(|| format!("cannot link {}", to.display()))?;
    }
    say!("Dotfiles installation complete.")
}

async fn run_script(dir: &Path, script: &str) -> Result<()> {
    let path = dir.join(script);
    let mode = std::fs::metadata(&path)?.permissions().mode();
    if mode & 0o111 == 0 {
        return Err(Advice::error(
            format!("the install script {script} is not executable"),
            format!("Commit it so: git update-index --chmod=+x {script}"),
        ));
    }
    say!("Running {script}...")?;
    let status = Command::new(&path)
        .current_dir(dir)
        .status()
        .await
        .with_context(|| format!("run {}", path.display()))?;
    ensure!(status.success(), "{script} ended with {status}");
    Ok(())
}

/// Files to link: hidden ones, but not those of git itself.
fn dotfiles(dir: &Path) -> Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') && (!text.starts_with(".git") || text == ".gitconfig") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Links `to` to `from`. What stood there is kept beside, unless it was a link.
fn link(session: &Session, from: &Path, to: &Path) -> Result<()> {
    match std::fs::symlink_metadata(to) {
        Ok(found) if found.is_symlink() => std::fs::remove_file(to)?,
        Ok(_) => {
            let mut kept = to.as_os_str().to_owned();
            kept.push(".bak");
            session.note(&format!(
                "Moving {} to {}",
                to.display(),
                Path::new(&kept).display()
            ));
            std::fs::rename(to, kept)?;
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e.into()),
    }
    say!("Linking {} to {}", to.display(), from.display())?;
    std::os::unix::fs::symlink(from, to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_git_are_not_linked() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".bashrc", ".git", ".gitignore", ".gitconfig", "README.md"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(dotfiles(dir.path()).unwrap(), [".bashrc", ".gitconfig"]);
    }
}
