//! Uploaded archives: template sources and cached modules.

use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// An archive as stored.
#[derive(Debug, Clone)]
pub struct File {
    /// Its id.
    pub id: Uuid,
    /// Hex SHA-256 of the data.
    pub hash: String,
    /// When it was uploaded first.
    pub created_at: DateTime<Utc>,
    /// Who uploaded it.
    pub created_by: Uuid,
    /// `application/x-tar`.
    pub mimetype: String,
    /// The archive.
    pub data: Vec<u8>,
}

/// An archive to store.
#[derive(Debug)]
pub struct NewFile<'a> {
    /// Hex SHA-256 of the data.
    pub hash: &'a str,
    /// Who it belongs to.
    pub created_by: Uuid,
    /// `application/x-tar`.
    pub mimetype: &'a str,
    /// The archive.
    pub data: &'a [u8],
}

fn object(id: Uuid, owner: Uuid) -> Object {
    Object::new(ResourceType::File).id(id).owner(owner)
}

impl Conn {
    /// The file, for its owner and for those who may edit a template made of it.
    pub async fn file_read(&self, who: &Subject, id: Uuid) -> Result<File, StoreError> {
        let row = self
            .query_opt(
                "SELECT f.id, f.hash, f.created_at, f.created_by, f.mimetype, f.data,
                        ARRAY(SELECT DISTINCT tv.organization_id FROM provisioner_jobs j
                              JOIN template_versions tv ON tv.job_id = j.id
                              WHERE j.file_id = f.id)
                 FROM files f WHERE f.id = $1",
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut cols = Cols::new(&row);
        let file = File {
            id: cols.next()?,
            hash: cols.next()?,
            created_at: cols.next()?,
            created_by: cols.next()?,
            mimetype: cols.next()?,
            data: cols.next()?,
        };
        let organizations: Vec<Uuid> = cols.next()?;
        let by_owner = authorize(who, Action::Read, &object(id, file.created_by)).is_ok();
        let by_template = || {
            organizations.iter().any(|org| {
                let template = Object::new(ResourceType::Template).org(*org);
                authorize(who, Action::Update, &template).is_ok()
            })
        };
        if by_owner || by_template() {
            Ok(file)
        } else {
            Err(StoreError::NotFound)
        }
    }

    /// The owner and the type of a file that `who` may use, without its data.
    pub async fn file_owner(&self, who: &Subject, id: Uuid) -> Result<Uuid, StoreError> {
        let row = self
            .query_opt("SELECT created_by FROM files WHERE id = $1", &[&id])
            .await?
            .ok_or(StoreError::NotFound)?;
        let owner: Uuid = row.try_get(0)?;
        authorize(who, Action::Read, &object(id, owner)).map_err(|_| StoreError::NotFound)?;
        Ok(owner)
    }
}

impl Tx {
    /// Stores a file unless this owner has stored the same before; answers its id and
    /// whether it is new.
    pub async fn file_insert(
        &self,
        who: &Subject,
        file: &NewFile<'_>,
    ) -> Result<(Uuid, bool), StoreError> {
        let id = Uuid::new_v4();
        authorize(who, Action::Create, &object(id, file.created_by))?;
        let inserted = self
            .query_opt(
                "INSERT INTO files (id, hash, created_at, created_by, mimetype, data)
                 VALUES ($1, $2, now(), $3, $4, $5)
                 ON CONFLICT (hash, created_by) DO NOTHING RETURNING id",
                &[
                    &id,
                    &file.hash,
                    &file.created_by,
                    &file.mimetype,
                    &file.data,
                ],
            )
            .await?;
        if inserted.is_some() {
            return Ok((id, true));
        }
        let row = self
            .query_one(
                "SELECT id FROM files WHERE hash = $1 AND created_by = $2",
                &[&file.hash, &file.created_by],
            )
            .await?;
        Ok((row.try_get(0)?, false))
    }
}
