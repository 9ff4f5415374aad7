//! Forms of template versions: read once, kept, and rendered for each owner and set of values.

use std::collections::BTreeMap;
use std::sync::Arc;

use authz::{Subject, System};
use provisioner::eval::{Owner, Renderer};
use rpc::proto::provisioner::Role;
use store::Conn;
use store::template_versions::VersionSource;
use uuid::Uuid;

use crate::{Control, Error, Result};

/// Versions whose forms are kept; reading one takes some milliseconds.
const KEPT: u64 = 64;

/// The forms that are kept. A version never changes, so neither does its form.
#[derive(Clone)]
pub(crate) struct Forms(moka::sync::Cache<Uuid, Arc<Renderer>>);

impl Default for Forms {
    fn default() -> Self {
        Self(moka::sync::Cache::new(KEPT))
    }
}

impl Control {
    /// The form of a version that the caller may use.
    pub(crate) async fn form(
        &self,
        conn: &Conn,
        version: Uuid,
        source: &VersionSource,
    ) -> Result<Arc<Renderer>> {
        if let Some(kept) = self.forms().0.get(&version) {
            return Ok(kept);
        }
        let system = Subject::system(System::Provisioner);
        let archive = conn.provisioner_job_file(&system, source.file_id).await?;
        let modules = match source.cached_module_files {
            Some(id) => conn.provisioner_job_file(&system, id).await?,
            None => Vec::new(),
        };
        let variables = conn.template_version_variables(version).await?;
        let values: Vec<(String, String)> =
            variables.into_iter().map(|v| (v.name, v.value)).collect();
        let plan = source.cached_plan.clone().unwrap_or_default();
        let read = move || Renderer::new(&archive, &modules, &plan, &values);
        let form = tokio::task::spawn_blocking(read)
            .await
            .map_err(Error::internal)?
            .map_err(|e| {
                Error::invalid("The template version cannot be read.").with_detail(e.to_string())
            })?;
        let form = Arc::new(form);
        self.forms().0.insert(version, form.clone());
        Ok(form)
    }

    /// What forms are told of an owner.
    pub(crate) async fn form_owner(
        &self,
        conn: &Conn,
        owner: Uuid,
        organization: Uuid,
    ) -> Result<Owner> {
        let system = Subject::system(System::Provisioner);
        let row = conn.form_owner_read(&system, owner, organization).await?;
        let role = |name: String, org_id: String| Role { name, org_id };
        let site = row
            .site_roles
            .into_iter()
            .map(|name| role(name, String::new()));
        let in_org = row
            .org_roles
            .into_iter()
            .map(|name| role(name, organization.to_string()));
        Ok(Owner {
            id: owner.to_string(),
            name: row.username,
            full_name: row.name,
            email: row.email,
            ssh_public_key: row.ssh_public_key,
            groups: row.groups,
            login_type: row.login_type,
            roles: site.chain(in_org).collect(),
        })
    }
}

/// Values by name.
pub(crate) fn by_name<'a>(
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, String> {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
