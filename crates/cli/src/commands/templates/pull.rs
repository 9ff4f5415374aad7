//! `coder templates pull`.

use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use api_types::{Template, TemplateVersion};
use clap::Args as ClapArgs;

use super::super::lookup;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Download the files of a template.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The template.
    name: String,

    /// Directory to write to; named like the template when left out.
    destination: Option<PathBuf>,

    /// Which version: active, latest, or its name.
    #[arg(long, value_name = "name", default_value = "active")]
    version: String,

    /// Write a tar archive to standard output.
    #[arg(long)]
    tar: bool,

    /// Write a zip archive to standard output.
    #[arg(long)]
    zip: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Downloads and unpacks.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    if args.tar && args.zip {
        bail!("give either --tar or --zip");
    }
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.name,
        args.organization.organization.as_deref(),
    )
    .await?;
    let version = find_version(session, &template, &args.version).await?;
    session.note(&format!(
        "Pulling template version {}...",
        session.style_err.bold(&version.name)
    ));
    let archive = client
        .file_download(version.job.file_id, args.zip)
        .await
        .context("download the template")?;
    if args.tar || args.zip {
        let mut out = std::io::stdout().lock();
        return Ok(out.write_all(&archive).and_then(|()| out.flush())?);
    }
    let destination = args
        .destination
        .unwrap_or_else(|| PathBuf::from(&template.name));
    if std::fs::read_dir(&destination).is_ok_and(|mut entries| entries.next().is_some()) {
        let question = format!(
            "{} is not empty. Overwrite files in it?",
            destination.display()
        );
        confirm_default_yes(&question, args.yes)?;
    }
    let files = unpack(&archive, &destination)?;
    say!("Extracted {files} files to {}", destination.display())
}

async fn find_version(
    session: &Session,
    template: &Template,
    wanted: &str,
) -> Result<TemplateVersion> {
    let client = session.client()?;
    match wanted {
        "active" | "" => Ok(client.template_version(template.active_version_id).await?),
        "latest" => {
            let versions = client.template_versions(template.id, false).await?;
            versions
                .into_iter()
                .max_by_key(|v| v.created_at)
                .context("the template has no versions")
        }
        name => client
            .template_version_by_name(template.id, name)
            .await
            .with_context(|| format!("find version {name:?}")),
    }
}

/// Unpacks a tar below `destination`, and never anywhere else: names with
/// `..` or absolute ones are refused, links and devices are left out.
fn unpack(archive: &[u8], destination: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in tar::Archive::new(archive)
        .entries()
        .context("read the archive")?
    {
        let mut entry = entry.context("read the archive")?;
        let path = entry
            .path()
            .context("read a name in the archive")?
            .into_owned();
        if path
            .components()
            .any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
        {
            bail!(
                "the archive has a file outside of the template: {}",
                path.display()
            );
        }
        let target = destination.join(&path);
        let problem = || format!("cannot write {}", target.display());
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            std::fs::create_dir_all(&target).with_context(problem)?;
        } else if kind.is_file() {
            std::fs::create_dir_all(target.parent().unwrap_or(destination))
                .with_context(problem)?;
            // An existing link would lead the write elsewhere.
            if target.is_symlink() {
                bail!("{} is a link: move it away first", target.display());
            }
            let mut file = std::fs::File::create(&target).with_context(problem)?;
            std::io::copy(&mut entry, &mut file).with_context(problem)?;
            files += 1;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, kind: tar::EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_mode(0o644);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b"hi"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_stay_below_the_destination() {
        let dir = tempfile::tempdir().unwrap();
        let destination = dir.path().join("t");
        assert_eq!(
            unpack(&archive("a/main.tf", tar::EntryType::Regular), &destination).unwrap(),
            1
        );
        assert_eq!(std::fs::read(destination.join("a/main.tf")).unwrap(), b"hi");
        for name in ["../evil", "/etc/evil", "a/../../evil"] {
            assert!(
                unpack(&archive(name, tar::EntryType::Regular), &destination).is_err(),
                "{name}"
            );
        }
        assert_eq!(
            unpack(&archive("dev", tar::EntryType::Char), &destination).unwrap(),
            0
        );
        assert!(!dir.path().join("evil").exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_at_the_destination_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), dir.path().join("main.tf"))
            .unwrap();
        assert!(unpack(&archive("main.tf", tar::EntryType::Regular), dir.path()).is_err());
    }

    #[test]
    fn garbage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(unpack(&[7; 2048], dir.path()).is_err());
    }
}
