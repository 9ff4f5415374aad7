//! `coder templates pull`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use api_types::{Template, TemplateVersion};
use clap::Args as ClapArgs;

use super::super::lookup;
use crate::follow::stages::printable;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::emit_bytes;
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
        return emit_bytes(&archive);
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
    let unpacked = unpack(&archive, &destination)?;
    for path in &unpacked.left_out {
        let path = printable(&path.display().to_string());
        session.note(
            &session
                .style_err
                .warn(&format!("left out: {path}, which is no plain file")),
        );
    }
    say!(
        "Extracted {} files to {}",
        unpacked.files,
        destination.display()
    )
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

/// What came out of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unpacked {
    /// Number of files.
    files: usize,
    /// Names of links and devices, which were not made.
    left_out: Vec<PathBuf>,
}

/// Unpacks a tar below `destination`, and never anywhere else: names with
/// `..` or absolute ones are refused, links and devices are left out.
fn unpack(archive: &[u8], destination: &Path) -> Result<Unpacked> {
    let mut unpacked = Unpacked::default();
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
            if entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0) {
                // For those who may read it.
                let mode = file.metadata().with_context(problem)?.permissions().mode();
                let mode = mode | (mode & 0o444) >> 2;
                file.set_permissions(std::fs::Permissions::from_mode(mode))
                    .with_context(problem)?;
            }
            unpacked.files += 1;
        } else if !kind.is_pax_global_extensions() {
            unpacked.left_out.push(path);
        }
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, kind: tar::EntryType) -> Vec<u8> {
        archive_of(name, kind, 0o644)
    }

    fn archive_of(name: &str, kind: tar::EntryType, mode: u32) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_mode(mode);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b"hi"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_stay_below_the_destination() {
        let dir = tempfile::tempdir().unwrap();
        let destination = dir.path().join("t");
        let unpacked = unpack(&archive("a/main.tf", tar::EntryType::Regular), &destination);
        assert_eq!(unpacked.unwrap().files, 1);
        assert_eq!(std::fs::read(destination.join("a/main.tf")).unwrap(), b"hi");
        for name in ["../evil", "/etc/evil", "a/../../evil"] {
            assert!(
                unpack(&archive(name, tar::EntryType::Regular), &destination).is_err(),
                "{name}"
            );
        }
        for kind in [tar::EntryType::Char, tar::EntryType::Symlink] {
            let unpacked = unpack(&archive("dev", kind), &destination).unwrap();
            assert_eq!(unpacked.files, 0);
            assert_eq!(unpacked.left_out, [Path::new("dev")]);
        }
        assert!(!dir.path().join("evil").exists());
    }

    #[test]
    fn programs_stay_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.sh");
        for (mode, runs) in [(0o644, false), (0o755, true)] {
            let archive = archive_of("run.sh", tar::EntryType::Regular, mode);
            unpack(&archive, dir.path()).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o100 != 0, runs, "{mode:o}");
        }
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
