//! Reading the audit log.

use authz::{Action, Columns, ResourceType, Subject, filter};
use uuid::Uuid;

use crate::conn::{Conn, SqlParam, filter_params};
use crate::row::record;
use crate::{Result, Time};

/// Entries are counted up to here, plus one that says "more".
pub const COUNT_CAP: i64 = 2000;

record! {
    /// An entry with the names of its user and organization.
    pub struct AuditRow {
        /// The id.
        pub id: Uuid,
        /// When.
        pub time: Time,
        /// Who.
        pub user_id: Option<Uuid>,
        /// Name of who, if the user still exists in any form.
        pub username: Option<String>,
        /// Where, if in one.
        pub organization_id: Option<Uuid>,
        /// Its name.
        pub organization_name: Option<String>,
        /// Its name for people.
        pub organization_display_name: Option<String>,
        /// Its icon.
        pub organization_icon: Option<String>,
        /// From which address.
        pub ip: Option<String>,
        /// By which program.
        pub user_agent: Option<String>,
        /// Kind of the thing.
        pub resource_type: String,
        /// The thing.
        pub resource_id: Uuid,
        /// Its name.
        pub resource_target: String,
        /// Its icon.
        pub resource_icon: String,
        /// What was done.
        pub action: String,
        /// What changed.
        pub diff: serde_json::Value,
        /// Outcome.
        pub status_code: i32,
        /// More facts.
        pub additional_fields: serde_json::Value,
        /// The request.
        pub request_id: Uuid,
    }
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Kind of the thing.
    pub resource_type: Option<String>,
    /// The thing.
    pub resource_id: Option<Uuid>,
    /// Its name.
    pub resource_target: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// Name of who did it.
    pub username: Option<String>,
    /// Address of who did it.
    pub email: Option<String>,
    /// The request.
    pub request_id: Option<Uuid>,
    /// The organization, by id or name.
    pub organization: Option<String>,
    /// Not before.
    pub from: Option<Time>,
    /// Not after.
    pub to: Option<Time>,
    /// Reason of a build.
    pub build_reason: Option<String>,
    /// So many at most.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u32,
}

impl Conn {
    /// Entries that the subject may read, newest first, and how many there
    /// are, at most [`COUNT_CAP`] + 1.
    ///
    /// # Errors
    /// As for any query.
    pub async fn audit_list(
        &self,
        who: &Subject,
        by: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, i64)> {
        let columns = Columns {
            id: "a.id",
            organization: Some("a.organization_id"),
            ..Columns::default()
        };
        let (allowed, params) =
            filter(who, Action::Read, ResourceType::AuditLog).render(&columns, 12);
        let matching = format!(
            "FROM audit_logs a LEFT JOIN users u ON u.id = a.user_id \
             LEFT JOIN organizations o ON o.id = a.organization_id \
             WHERE ($1::text IS NULL OR a.resource_type = $1) \
             AND ($2::uuid IS NULL OR a.resource_id = $2) \
             AND ($3::text IS NULL OR lower(a.resource_target) = $3) \
             AND ($4::text IS NULL OR a.action = $4) \
             AND ($5::text IS NULL OR u.username_lower = $5) \
             AND ($6::text IS NULL OR u.email_lower = $6) \
             AND ($7::uuid IS NULL OR a.request_id = $7) \
             AND ($8::text IS NULL OR lower(o.name) = $8 OR o.id::text = $8) \
             AND ($9::timestamptz IS NULL OR a.time >= $9) \
             AND ($10::timestamptz IS NULL OR a.time <= $10) \
             AND ($11::text IS NULL OR a.additional_fields ->> 'build_reason' = $11) \
             AND {allowed}"
        );
        let mut all: Vec<SqlParam<'_>> = vec![
            &by.resource_type,
            &by.resource_id,
            &by.resource_target,
            &by.action,
            &by.username,
            &by.email,
            &by.request_id,
            &by.organization,
            &by.from,
            &by.to,
            &by.build_reason,
        ];
        all.extend(filter_params(&params));
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 {matching} LIMIT {}) capped",
            COUNT_CAP + 1
        );
        let count: i64 = self.query_one(&sql, &all).await?.try_get(0)?;
        let next = all.len() + 1;
        let sql = format!(
            "SELECT a.*, u.username, o.name AS organization_name, \
             o.display_name AS organization_display_name, o.icon AS organization_icon \
             {matching} ORDER BY a.time DESC, a.id LIMIT ${next} OFFSET ${}",
            next + 1
        );
        let (limit, offset) = (i64::from(by.limit), i64::from(by.offset));
        all.extend([&limit as SqlParam<'_>, &offset]);
        Ok((self.fetch(&sql, &all).await?, count))
    }

    /// Deletes entries older than a point in time; how many.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn audit_purge(&self, who: &Subject, before: Time) -> Result<u64> {
        who.may(Action::Delete, &authz::Object::new(ResourceType::System))?;
        self.execute("DELETE FROM audit_logs WHERE time < $1", &[&before])
            .await
    }
}
