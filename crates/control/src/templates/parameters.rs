//! Which values a start's parameters get: by what the import stored where the template wants it
//! so, else by the form that the template makes of the values.

use std::collections::BTreeMap;

use api_types::{TemplateVersionParameter, ValidationError, WorkspaceBuildParameter};
use provisioner::parameters::{Values, dynamic};
use store::template_versions::{VersionRow, VersionSource};

use super::forms::by_name;
use crate::builds::Base;
use crate::builds::parameters::{Sources, resolve};
use crate::{Control, Error, Result};

/// Values and tags of a build.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Every parameter with its value.
    pub values: Vec<WorkspaceBuildParameter>,
    /// What the template asks of daemons for these values.
    pub tags: BTreeMap<String, String>,
}

impl Control {
    /// Resolves the parameters of a start.
    pub(crate) async fn parameters_resolve(
        &self,
        version: &VersionRow,
        source: &VersionSource,
        base: &Base,
        parameters: &[TemplateVersionParameter],
        from: &Sources<'_>,
    ) -> Result<Resolved> {
        if base.classic_parameters {
            return Ok(Resolved {
                values: resolve(parameters, from)?,
                tags: BTreeMap::new(),
            });
        }
        let conn = self.store().conn().await?;
        let form = self.form(&conn, version.api.id, source).await?;
        let owner = self
            .form_owner(&conn, base.owner_id, base.organization_id)
            .await?;
        drop(conn);
        let named = |values: &[WorkspaceBuildParameter]| {
            by_name(values.iter().map(|v| (v.name.as_str(), v.value.as_str())))
        };
        let preset = from.preset.into_iter().flat_map(|p| &p.parameters);
        let values = Values {
            previous: named(from.last),
            request: named(from.requested),
            preset: by_name(preset.map(|p| (p.name.as_str(), p.value.as_str()))),
            first_build: from.first_build,
        };
        // A template decides how long this takes, within bounds that are long for other requests.
        let outcome = tokio::task::spawn_blocking(move || dynamic::resolve(&form, &owner, &values))
            .await
            .map_err(Error::internal)?;
        let resolved = outcome.map_err(|invalid| {
            let mut error = Error::invalid("Unable to validate parameters");
            error.validations = invalid
                .into_iter()
                .map(|i| ValidationError {
                    field: i.name,
                    detail: i.detail,
                })
                .collect();
            error
        })?;
        Ok(Resolved {
            values: resolved
                .values
                .into_iter()
                .map(|(name, value)| WorkspaceBuildParameter { name, value })
                .collect(),
            tags: resolved.tags,
        })
    }
}
