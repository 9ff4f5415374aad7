//! Uploaded archives.

use api_types::UploadResponse;
use authz::Subject;
use provisioner::archive::{self, ArchiveError, Limits};
use sha2::{Digest as _, Sha256};
use store::files::NewFile;
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

/// Largest upload, and largest tar that a zip may turn into.
pub const MAX_UPLOAD: usize = 100 << 20;

/// What archives are stored as.
pub const TAR: &str = "application/x-tar";

/// What archives may be downloaded as, beside tar.
pub const ZIP: &str = "application/zip";

impl Control {
    /// Stores an upload. Answers its id, and whether it is new: the same bytes by the same
    /// user are stored once. Zips are stored as tar.
    pub async fn file_create(
        &self,
        who: &Subject,
        content_type: &str,
        data: Vec<u8>,
    ) -> Result<(UploadResponse, bool)> {
        let zipped = match content_type {
            TAR => false,
            ZIP | "application/x-zip-compressed" => true,
            other => {
                return Err(
                    Error::invalid(format!("Unsupported content type header {other:?}."))
                        .with_detail(format!("Send a template archive as {TAR} or {ZIP}.")),
                );
            }
        };
        if data.len() > MAX_UPLOAD {
            return Err(too_large("Request body too large."));
        }
        let data = if zipped {
            blocking(move || archive::zip_to_tar(&data, Limits::TEMPLATE)).await?
        } else {
            data
        };
        let owner = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users can upload files."))?;
        let hash = hex::encode(Sha256::digest(&data));
        let tx = self.store().begin(who).await?;
        let file = NewFile {
            hash: &hash,
            created_by: owner,
            mimetype: TAR,
            data: &data,
        };
        let (id, created) = tx.file_insert(who, &file).await?;
        tx.commit().await?;
        Ok((UploadResponse { hash: id }, created))
    }

    /// An archive with its type; `format` may be empty or `zip`.
    pub async fn file_read(
        &self,
        who: &Subject,
        id: Uuid,
        format: &str,
    ) -> Result<(String, Vec<u8>)> {
        let file = self.store().conn().await?.file_read(who, id).await?;
        match format {
            "" => Ok((file.mimetype, file.data)),
            "zip" if file.mimetype == TAR => {
                let zip =
                    blocking(move || archive::tar_to_zip(&file.data, Limits::TEMPLATE)).await?;
                Ok((ZIP.to_owned(), zip))
            }
            "zip" => Err(Error::invalid(
                "Only .tar files can be converted to .zip format",
            )),
            other => Err(
                Error::invalid("Unsupported conversion format.").with_detail(format!(
                    "{other:?} is not supported; leave it out or use zip."
                )),
            ),
        }
    }
}

fn too_large(message: &str) -> Error {
    Error::new(Kind::TooLarge, message).with_detail(format!(
        "An archive may have {} MiB at most.",
        MAX_UPLOAD >> 20
    ))
}

/// Runs a conversion off the threads that serve requests.
async fn blocking(
    work: impl FnOnce() -> Result<Vec<u8>, ArchiveError> + Send + 'static,
) -> Result<Vec<u8>> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?;
    done.map_err(|error| match error {
        error if error.is_too_large() => {
            too_large("Expanded .zip archive exceeds maximum size.").with_detail(error.to_string())
        }
        error => Error::invalid("Invalid archive contents.").with_detail(error.to_string()),
    })
}
