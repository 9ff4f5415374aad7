//! Files of chats: what may come in, and links to what goes out.

use api_types::{ChatFileDownloadUrlResponse, UploadChatFileResponse};
use authz::Subject;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use chat::files::MAX_FILE as MAX_CHAT_FILE;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use store::chats::{ChatFileRow, NewChatFile};
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

/// Longest name, in bytes.
const MAX_NAME: usize = 255;
/// How long a link works: long enough for a slow download to begin.
const LINK_LIFE: TimeDelta = TimeDelta::minutes(15);
/// Feature of the keys that sign links.
const KEYS: &str = "chat_files_token";

/// A file with its bytes.
#[derive(Debug)]
pub struct ChatFileData {
    /// What it is called.
    pub name: String,
    /// Its type.
    pub mimetype: String,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Control {
    /// Stores a file for chats of an organization.
    pub async fn chat_file_create(
        &self,
        who: &Subject,
        organization: Uuid,
        declared: &str,
        name: &str,
        data: &[u8],
    ) -> Result<UploadChatFileResponse> {
        let owner = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users can upload files."))?;
        let conn = self.store().conn().await?;
        conn.chat_may_create(who, organization, owner)
            .map_err(|_| Error::not_found())?;
        drop(conn);
        if name.is_empty() {
            return Err(Error::invalid("Filename is required.").with_detail(
                "Give it in the Content-Disposition header: attachment; filename=\"…\".",
            ));
        }
        if name.len() > MAX_NAME || name.contains(['/', '\\', '\0']) {
            return Err(Error::invalid("Invalid filename.").with_detail(format!(
                "A name has {MAX_NAME} bytes at most, and no slashes."
            )));
        }
        if data.len() > MAX_CHAT_FILE {
            return Err(Error::new(Kind::TooLarge, "File is too large.")
                .with_detail(format!("A file has {} MiB at most.", MAX_CHAT_FILE >> 20)));
        }
        let mimetype = chat::files::media_type(declared, name, data)
            .map_err(|detail| Error::invalid("Unsupported file type.").with_detail(detail))?;
        let tx = self.store().begin(who).await?;
        let id = tx
            .chat_file_insert(
                who,
                &NewChatFile {
                    owner_id: owner,
                    organization_id: organization,
                    name,
                    mimetype,
                    sha256: &hex::encode(Sha256::digest(data)),
                    data,
                },
            )
            .await?;
        tx.commit().await?;
        Ok(UploadChatFileResponse { id })
    }

    /// A file that `who` may read.
    pub async fn chat_file_read(&self, who: &Subject, id: Uuid) -> Result<ChatFileData> {
        let conn = self.store().conn().await?;
        conn.chat_file_read(who, id).await?;
        let mut files = conn.chat_files_data(&[id]).await?;
        let (row, data) = files.pop().ok_or_else(Error::not_found)?;
        Ok(ChatFileData {
            name: row.name,
            mimetype: row.mimetype,
            data,
        })
    }

    /// A link by which a file can be fetched without a key, for a while.
    pub async fn chat_file_link(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<ChatFileDownloadUrlResponse> {
        let row: ChatFileRow = self.store().conn().await?.chat_file_read(who, id).await?;
        let now = Utc::now();
        let expires_at = now + LINK_LIFE;
        let key = self.crypto_key_signing(KEYS, now).await?;
        let claim = format!(
            "{}.{}.{}",
            key.sequence,
            id.simple(),
            expires_at.timestamp()
        );
        let token = format!("{claim}.{}", sign(key.secret.expose(), &claim));
        let mut url = self.settings().access_url.clone();
        url.set_path(&format!(
            "{}/api/v2/chats/files/{id}/download",
            url.path().trim_end_matches('/')
        ));
        url.query_pairs_mut().append_pair("token", &token);
        Ok(ChatFileDownloadUrlResponse {
            url: url.into(),
            expires_at,
            sha256: row.sha256,
            size_bytes: row.size_bytes,
            name: row.name,
            mime_type: row.mimetype,
        })
    }

    /// The file that a link of ours leads to.
    pub async fn chat_file_by_link(&self, id: Uuid, token: &str) -> Result<ChatFileData> {
        let refused = || {
            Error::new(
                Kind::Unauthorized,
                "The download link is invalid or has expired. Ask for a new one.",
            )
        };
        let now = Utc::now();
        let keys = self.crypto_key_list(KEYS, now).await?;
        let (claim, signature) = token.rsplit_once('.').ok_or_else(refused)?;
        let mut words = claim.split('.');
        let sequence: i32 = words
            .next()
            .and_then(|w| w.parse().ok())
            .ok_or_else(refused)?;
        let file = words.next().ok_or_else(refused)?;
        let until = words
            .next()
            .and_then(|w| w.parse().ok())
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or_else(refused)?;
        let key = keys
            .iter()
            .find(|key| key.sequence == sequence)
            .ok_or_else(refused)?;
        let good = subtle::ConstantTimeEq::ct_eq(
            sign(key.secret.expose(), claim).as_bytes(),
            signature.as_bytes(),
        );
        if !bool::from(good) || file != id.simple().to_string() || until < now {
            return Err(refused());
        }
        let conn = self.store().conn().await?;
        let mut files = conn.chat_files_data(&[id]).await?;
        let (row, data) = files.pop().ok_or_else(Error::not_found)?;
        Ok(ChatFileData {
            name: row.name,
            mimetype: row.mimetype,
            data,
        })
    }
}

fn sign(key: &[u8], claim: &str) -> String {
    // Any length of key is good for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(b"chat file ");
    mac.update(claim.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
