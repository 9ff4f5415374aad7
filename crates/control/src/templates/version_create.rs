//! Making a version: an archive and a job that imports it.

use std::collections::BTreeMap;

use api_types::{CreateTemplateVersionRequest, TemplateVersion, VariableValue};
use authz::Subject;
use provisioner::archive::{self, Limits};
use serde_json::json;
use store::provisioner_jobs::NewJob;
use store::template_versions::NewVersion;
use store::templates::TemplateRow;
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, StoreError, Tx};
use uuid::Uuid;

use super::versions::{TRACKED, name_conflict, shown};
use crate::workspaces::names::{MAX_MESSAGE, check_text, check_version_name, random_name};
use crate::{Control, Error, Kind, Result};

/// Most values that an import may be given.
const MAX_VARIABLES: usize = 1000;
/// Longest value of a variable.
const MAX_VALUE: usize = 1 << 20;

/// The file of a template that speaks to AI agents.
const AGENTS_FILE: &str = "AGENTS.md";
/// Most bytes of it that are told: it comes with every request, and must leave room for the task.
const MAX_AGENTS_FILE: u64 = 64 << 10;

/// Tags of a job: what was asked for, made whole. A user's own jobs name their owner.
pub(crate) fn job_tags(user: Uuid, asked: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = asked.clone();
    if tags.get("scope").is_some_and(|s| s == "user") {
        tags.insert("owner".to_owned(), user.to_string());
    } else {
        tags.insert("scope".to_owned(), "organization".to_owned());
        tags.insert("owner".to_owned(), String::new());
    }
    tags
}

impl Control {
    /// Adds a version to a template, or one that a template will be made of, and starts its
    /// import.
    pub async fn template_version_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: CreateTemplateVersionRequest,
    ) -> Result<TemplateVersion> {
        check(&request)?;
        let creator = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users make versions."))?;
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let template = match request.template_id.filter(|id| !id.is_nil()) {
            None => None,
            Some(id) => Some(template_of(&tx, who, id, organization.id).await?),
        };
        let file_id = self
            .template_version_file(&tx, who, creator, &request)
            .await?;
        let instructions = agent_instructions(&tx, who, file_id).await?;
        let variables = match &template {
            Some(t) if request.user_variable_values.is_empty() => {
                inherited(&tx, t.api.active_version_id).await?
            }
            _ => request.user_variable_values.clone(),
        };
        let (id, job_id) = (Uuid::new_v4(), Uuid::new_v4());
        let name = if request.name.is_empty() {
            random_name()
        } else {
            request.name.clone()
        };
        let job = NewJob {
            id: job_id,
            organization_id: organization.id,
            initiator_id: creator,
            provisioner: "terraform".to_owned(),
            kind: "template_version_import",
            file_id,
            tags: job_tags(creator, &request.tags),
            input: json!({
                "template_id": request.template_id,
                "template_version_id": id,
                "user_variable_values": variables,
            }),
        };
        tx.provisioner_job_insert(&job).await?;
        let version = NewVersion {
            id,
            template_id: template.as_ref().map(|t| t.api.id),
            organization_id: organization.id,
            name: &name,
            message: &request.message,
            job_id,
            created_by: creator,
            source_example_id: Some(request.example_id.as_str()).filter(|e| !e.is_empty()),
            agent_instructions: &instructions,
        };
        let inserted = tx
            .template_version_insert(who, &version, template.as_ref())
            .await;
        inserted.map_err(|error| name_conflict(error, &name))?;
        let row = tx.template_version_read(who, id).await?;
        tx.audit(
            AuditEntry::new(AuditAction::Create, "template_version", id, &name)
                .org(organization.id)
                .diff(AuditDiff::between(&(), &row.api, TRACKED, &[])),
        )
        .await?;
        let mut api = shown(&tx, row).await?;
        tx.commit().await?;
        api.warnings.clear();
        Ok(api)
    }

    /// The archive of a new version: an upload, or a starter that is stored now.
    async fn template_version_file(
        &self,
        tx: &Tx,
        who: &Subject,
        creator: Uuid,
        request: &CreateTemplateVersionRequest,
    ) -> Result<Uuid> {
        if !request.example_id.is_empty() {
            return self
                .starter_file(tx, who, creator, &request.example_id)
                .await;
        }
        let file = request.file_id.unwrap_or_default();
        tx.file_owner(who, file)
            .await
            .map_err(|error| match error {
                StoreError::NotFound => Error::new(Kind::NotFound, "File not found.").with_detail(
                    "Upload the template's archive first, and name its id as file_id.",
                ),
                error => error.into(),
            })?;
        Ok(file)
    }
}

/// What the archive of a version tells AI agents; empty if it says nothing.
async fn agent_instructions(tx: &Tx, who: &Subject, file: Uuid) -> Result<String> {
    let file = tx.file_read(who, file).await?;
    let (most, limits) = (MAX_AGENTS_FILE, Limits::TEMPLATE);
    let text = archive::read_file(&file.data, AGENTS_FILE, most, limits).unwrap_or_default();
    Ok(api_types::sanitize_prompt(&String::from_utf8_lossy(&text)).replace('\0', ""))
}

fn check(request: &CreateTemplateVersionRequest) -> Result<()> {
    if !request.name.is_empty() {
        check_version_name("name", &request.name)?;
    }
    check_text("message", &request.message, MAX_MESSAGE)?;
    if !request.example_id.is_empty() && request.file_id.is_some_and(|id| !id.is_nil()) {
        return Err(Error::invalid(
            "You cannot specify both an example_id and a file_id.",
        ));
    }
    if request.storage_method.as_str() != "file" {
        return Err(Error::field(
            "storage_method",
            "Validation failed for tag \"eq\": must be \"file\".",
        ));
    }
    if request.provisioner.as_str() != "terraform" {
        return Err(Error::field(
            "provisioner",
            "Validation failed for tag \"oneof\": must be \"terraform\".",
        ));
    }
    if request.user_variable_values.len() > MAX_VARIABLES || request.tags.len() > MAX_VARIABLES {
        return Err(Error::invalid(format!(
            "More than {MAX_VARIABLES} variables or tags."
        )));
    }
    for v in &request.user_variable_values {
        check_text("user_variable_values", &v.name, MAX_VALUE)?;
        check_text("user_variable_values", &v.value, MAX_VALUE)?;
    }
    for (key, value) in &request.tags {
        check_text("tags", key, MAX_VALUE)?;
        check_text("tags", value, MAX_VALUE)?;
    }
    Ok(())
}

async fn template_of(tx: &Tx, who: &Subject, id: Uuid, organization: Uuid) -> Result<TemplateRow> {
    let missing = || Error::new(Kind::NotFound, "Template does not exist.");
    let row = tx
        .template_read(who, id)
        .await
        .map_err(|error| match error {
            StoreError::NotFound => missing(),
            error => error.into(),
        })?;
    if row.api.deleted || row.api.organization_id != organization {
        return Err(missing());
    }
    Ok(row)
}

/// Values of the active version: an update that names none keeps them.
async fn inherited(tx: &Tx, active: Uuid) -> Result<Vec<VariableValue>> {
    let all = tx.template_version_variables(active).await?;
    let given = all
        .into_iter()
        .filter(|v| !v.value.is_empty() && v.value != v.default_value);
    Ok(given
        .map(|v| VariableValue {
            name: v.name,
            value: v.value,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_an_owner_only_for_users() {
        let user = Uuid::from_u128(7);
        let plain = job_tags(user, &BTreeMap::new());
        assert_eq!(
            (plain["scope"].as_str(), plain["owner"].as_str()),
            ("organization", "")
        );
        let asked = BTreeMap::from([("scope".into(), "user".into()), ("gpu".into(), "1".into())]);
        let own = job_tags(user, &asked);
        assert_eq!(
            (own["owner"].clone(), own["gpu"].as_str()),
            (user.to_string(), "1")
        );
        let forged = BTreeMap::from([("owner".to_owned(), "somebody".to_owned())]);
        assert_eq!(job_tags(user, &forged)["owner"], "");
    }
}
