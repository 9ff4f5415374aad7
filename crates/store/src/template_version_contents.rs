//! What an import found in a version: variables, parameters, presets, tags, modules.

use std::collections::BTreeMap;

use api_types::{
    Preset, PresetParameter, TemplateVersionParameter, TemplateVersionParameterOption,
    TemplateVersionVariable,
};
use authz::{Action, Object, ResourceType, Subject, authorize};
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// A preset to add.
#[derive(Debug, Clone)]
pub struct NewPreset {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its icon.
    pub icon: String,
    /// Whether forms start with it.
    pub is_default: bool,
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
    /// How many workspaces to keep ready.
    pub desired_instances: Option<i32>,
    /// After how many seconds a ready workspace is replaced; 0 never.
    pub invalidate_after_seconds: i32,
    /// Other numbers at certain times: `{"timezone", "schedule": [{"cron", "instances"}]}`.
    pub scheduling: Option<Value>,
}

/// What a finished import leaves beside resources, parameters and presets.
#[derive(Debug, Clone)]
pub struct ImportResult {
    /// `[{"id", "optional"}]`.
    pub external_auth_providers: Value,
    /// Whether an agent is started by hand.
    pub has_external_agent: bool,
    /// Plan JSON.
    pub cached_plan: Option<Vec<u8>>,
    /// Archive of its modules.
    pub cached_module_files: Option<Uuid>,
}

impl Conn {
    /// Variables of a version that `who` was allowed to read, values included.
    pub async fn template_version_variables(
        &self,
        version: Uuid,
    ) -> Result<Vec<TemplateVersionVariable>, StoreError> {
        let rows = self
            .query(
                "SELECT name, description, type, value, default_value, required, sensitive
                 FROM template_version_variables WHERE template_version_id = $1 ORDER BY position",
                &[&version],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok(TemplateVersionVariable {
                    name: cols.next()?,
                    description: cols.next()?,
                    r#type: cols.next()?,
                    value: cols.next()?,
                    default_value: cols.next()?,
                    required: cols.next()?,
                    sensitive: cols.next()?,
                })
            })
            .collect()
    }

    /// Parameters of a version that `who` was allowed to read, in the order of forms.
    pub async fn template_version_parameters(
        &self,
        version: Uuid,
    ) -> Result<Vec<TemplateVersionParameter>, StoreError> {
        let rows = self
            .query(
                "SELECT name, display_name, description, type, form_type, mutable, default_value,
                        icon, options, validation_error, validation_regex, validation_min,
                        validation_max, validation_monotonic, required, ephemeral
                 FROM template_version_parameters WHERE template_version_id = $1
                 ORDER BY display_order, lower(name)",
                &[&version],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                let mut p = TemplateVersionParameter {
                    name: cols.next()?,
                    display_name: cols.next()?,
                    description: cols.next()?,
                    r#type: cols.next()?,
                    form_type: cols.next()?,
                    mutable: cols.next()?,
                    default_value: cols.next()?,
                    icon: cols.next()?,
                    options: cols.next::<Json<Vec<TemplateVersionParameterOption>>>()?.0,
                    validation_error: cols.next()?,
                    validation_regex: cols.next()?,
                    validation_min: cols.next()?,
                    validation_max: cols.next()?,
                    validation_monotonic: cols.text()?,
                    required: cols.next()?,
                    ephemeral: cols.next()?,
                    ..TemplateVersionParameter::default()
                };
                p.description_plaintext = p.description.clone();
                Ok(p)
            })
            .collect()
    }

    /// Presets of a version that `who` was allowed to read.
    pub async fn template_version_presets(&self, version: Uuid) -> Result<Vec<Preset>, StoreError> {
        let rows = self
            .query(
                "SELECT id, name, parameters, is_default, desired_instances, description, icon
                 FROM template_version_presets WHERE template_version_id = $1 ORDER BY position",
                &[&version],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok(Preset {
                    id: cols.next()?,
                    name: cols.next()?,
                    parameters: cols
                        .next::<Json<BTreeMap<String, String>>>()?
                        .0
                        .into_iter()
                        .map(|(name, value)| PresetParameter { name, value })
                        .collect(),
                    default: cols.next()?,
                    desired_prebuild_instances: cols.next::<Option<i32>>()?.map(i64::from),
                    description: cols.next()?,
                    icon: cols.next()?,
                })
            })
            .collect()
    }
}

fn allow(who: &Subject) -> Result<(), StoreError> {
    Ok(authorize(
        who,
        Action::Update,
        &Object::new(ResourceType::Template),
    )?)
}

impl Tx {
    /// Writes the variables of the version that a job imports, in place of earlier ones.
    pub async fn template_version_set_variables(
        &self,
        who: &Subject,
        version: Uuid,
        variables: &[TemplateVersionVariable],
    ) -> Result<(), StoreError> {
        allow(who)?;
        self.execute(
            "DELETE FROM template_version_variables WHERE template_version_id = $1",
            &[&version],
        )
        .await?;
        for (position, v) in variables.iter().enumerate() {
            self.execute(
                "INSERT INTO template_version_variables (template_version_id, position, name,
                     description, type, value, default_value, required, sensitive)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    &version,
                    &(position as i32),
                    &v.name,
                    &v.description,
                    &v.r#type,
                    &v.value,
                    &v.default_value,
                    &v.required,
                    &v.sensitive,
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Writes the readme of the version that a job imports.
    pub async fn template_version_set_readme(
        &self,
        who: &Subject,
        version: Uuid,
        readme: &str,
    ) -> Result<(), StoreError> {
        allow(who)?;
        self.execute(
            "UPDATE template_versions SET readme = $2, updated_at = now() WHERE id = $1",
            &[&version, &readme],
        )
        .await?;
        Ok(())
    }

    /// Writes the tags that the version's builds ask of daemons.
    pub async fn template_version_set_tags(
        &self,
        who: &Subject,
        version: Uuid,
        tags: &Value,
    ) -> Result<(), StoreError> {
        allow(who)?;
        self.execute(
            "UPDATE template_versions SET workspace_tags = $2 WHERE id = $1",
            &[&version, tags],
        )
        .await?;
        Ok(())
    }

    /// Adds the parameters that an import found, in the template's order; each with its
    /// place in forms.
    pub async fn template_version_set_parameters(
        &self,
        who: &Subject,
        version: Uuid,
        parameters: &[(TemplateVersionParameter, i32)],
    ) -> Result<(), StoreError> {
        allow(who)?;
        for (position, (p, order)) in parameters.iter().enumerate() {
            self.execute(
                "INSERT INTO template_version_parameters (template_version_id, position, name,
                     display_name, description, type, form_type, mutable, default_value, icon,
                     options, validation_regex, validation_error, validation_min, validation_max,
                     validation_monotonic, required, display_order, ephemeral)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                         $17, $18, $19)",
                &[
                    &version,
                    &(position as i32),
                    &p.name,
                    &p.display_name,
                    &p.description,
                    &p.r#type,
                    &p.form_type,
                    &p.mutable,
                    &p.default_value,
                    &p.icon,
                    &Json(&p.options),
                    &p.validation_regex,
                    &p.validation_error,
                    &p.validation_min,
                    &p.validation_max,
                    &p.validation_monotonic.as_str(),
                    &p.required,
                    order,
                    &p.ephemeral,
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Adds the presets that an import found.
    pub async fn template_version_set_presets(
        &self,
        who: &Subject,
        version: Uuid,
        presets: &[NewPreset],
    ) -> Result<(), StoreError> {
        allow(who)?;
        for (position, p) in presets.iter().enumerate() {
            self.execute(
                "INSERT INTO template_version_presets (id, template_version_id, position, name,
                     description, icon, is_default, parameters, desired_instances,
                     invalidate_after_seconds, scheduling)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                &[
                    &Uuid::new_v4(),
                    &version,
                    &(position as i32),
                    &p.name,
                    &p.description,
                    &p.icon,
                    &p.is_default,
                    &Json(&p.parameters),
                    &p.desired_instances,
                    &p.invalidate_after_seconds,
                    &p.scheduling,
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Writes what else an import found.
    pub async fn template_version_set_result(
        &self,
        who: &Subject,
        version: Uuid,
        result: &ImportResult,
    ) -> Result<(), StoreError> {
        allow(who)?;
        self.execute(
            "UPDATE template_versions SET updated_at = now(), external_auth_providers = $2,
                 has_external_agent = $3, cached_plan = $4, cached_module_files = $5
             WHERE id = $1",
            &[
                &version,
                &result.external_auth_providers,
                &result.has_external_agent,
                &result.cached_plan,
                &result.cached_module_files,
            ],
        )
        .await?;
        Ok(())
    }
}
