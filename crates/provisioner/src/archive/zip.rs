//! Zip archives: uploads are stored as tar, downloads may be asked for as zip.

use std::io::{Cursor, Read, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{ArchiveError, Limits};

/// Turns an uploaded zip into the tar that is stored in its place.
///
/// # Errors
/// [`ArchiveError::Invalid`] when it is not a zip, [`ArchiveError::TooLarge`] when it unpacks to
/// more than `limits` allow, [`ArchiveError::Entry`] for paths that leave the archive.
pub fn zip_to_tar(zip: &[u8], limits: Limits) -> Result<Vec<u8>, ArchiveError> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|e| invalid(&e))?;
    if archive.len() > limits.entries {
        return Err(ArchiveError::TooLarge {
            what: "entries",
            limit: limits.entries as u64,
        });
    }
    let mut tar = tar::Builder::new(Vec::new());
    let mut total = 0u64;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|e| invalid(&e))?;
        let name = file.name().to_owned();
        let Some(path) = file.enclosed_name() else {
            return Err(ArchiveError::entry(name, "its path leaves the archive"));
        };
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        if file.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, path, &[][..])
                .map_err(|e| ArchiveError::entry(name, e.to_string()))?;
            continue;
        }
        if file.is_symlink() {
            return Err(ArchiveError::entry(
                name,
                "a zip archive may not hold links",
            ));
        }
        let left = limits.file_bytes.min(limits.total_bytes - total);
        let mut content = Vec::new();
        // One byte more than allowed tells "exactly full" from "too much".
        (&mut file)
            .take(left + 1)
            .read_to_end(&mut content)
            .map_err(|e| ArchiveError::Invalid {
                format: "zip",
                reason: format!("{name}: {e}"),
            })?;
        if content.len() as u64 > left {
            return Err(ArchiveError::TooLarge {
                what: "bytes in its files",
                limit: limits.total_bytes,
            });
        }
        total += content.len() as u64;
        header.set_entry_type(tar::EntryType::Regular);
        let executable = file.unix_mode().unwrap_or(0) & 0o111 != 0;
        header.set_mode(if executable { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content.as_slice())
            .map_err(|e| ArchiveError::entry(name, e.to_string()))?;
    }
    tar.into_inner().map_err(|e| ArchiveError::io("tar", e))
}

/// Turns a stored tar into a zip.
///
/// # Errors
/// When the tar is not one that [`extract`](super::extract) would accept.
pub fn tar_to_zip(tar: &[u8], limits: Limits) -> Result<Vec<u8>, ArchiveError> {
    let files = super::read_all(tar, limits)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (path, content) in files {
        zip.start_file(&path, options).map_err(|e| invalid(&e))?;
        zip.write_all(&content)
            .map_err(|e| ArchiveError::io("zip", e))?;
    }
    Ok(zip.finish().map_err(|e| invalid(&e))?.into_inner())
}

fn invalid(error: &::zip::result::ZipError) -> ArchiveError {
    ArchiveError::Invalid {
        format: "zip",
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::read_all;

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, content) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn converts_both_ways() {
        let zip = zip_of(&[("main.tf", b"a"), ("sub/x.tf", b"b")]);
        let tar = zip_to_tar(&zip, Limits::TEMPLATE).unwrap();
        let back = tar_to_zip(&tar, Limits::TEMPLATE).unwrap();
        let again = zip_to_tar(&back, Limits::TEMPLATE).unwrap();
        let files = read_all(&again, Limits::TEMPLATE).unwrap();
        assert_eq!(files["main.tf"], b"a");
        assert_eq!(files["sub/x.tf"], b"b");
    }

    #[test]
    fn refuses_a_bomb() {
        let zip = zip_of(&[("main.tf", &vec![0u8; 4 << 20])]);
        assert!(zip.len() < 64 << 10, "the bomb should be small");
        let limits = Limits {
            total_bytes: 1 << 20,
            ..Limits::TEMPLATE
        };
        assert!(zip_to_tar(&zip, limits).unwrap_err().is_too_large());
    }

    #[test]
    fn refuses_paths_that_leave_and_garbage() {
        let zip = zip_of(&[("../main.tf", b"a")]);
        assert!(
            zip_to_tar(&zip, Limits::TEMPLATE)
                .unwrap_err()
                .to_string()
                .contains("leaves")
        );
        assert!(zip_to_tar(b"PK garbage", Limits::TEMPLATE).is_err());
    }
}
