//! Template versions: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `TemplateVersionWarning`.
    pub enum TemplateVersionWarning {
        UNSUPPORTEDWORKSPACES = "UNSUPPORTED_WORKSPACES",
    }
}

/// `TemplateVersion` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateVersion {
    pub id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub name: String,
    pub message: String,
    pub job: crate::provisioners::ProvisionerJob,
    pub readme: String,
    pub created_by: crate::users::MinimalUser,
    pub archived: bool,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<TemplateVersionWarning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_provisioners: Option<crate::provisioners::MatchedProvisioners>,
    pub has_external_agent: bool,
}

/// `TemplateVersionExternalAuth` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateVersionExternalAuth {
    pub id: String,
    pub r#type: String,
    pub display_name: String,
    pub display_icon: String,
    pub authenticate_url: String,
    pub authenticated: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub optional: bool,
}

string_enum! {
    /// Values of `ValidationMonotonicOrder`.
    pub enum ValidationMonotonicOrder {
        Increasing = "increasing",
        Decreasing = "decreasing",
    }
}

/// `TemplateVersionParameter` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateVersionParameter {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    pub description: String,
    pub description_plaintext: String,
    pub r#type: String,
    pub form_type: String,
    pub mutable: bool,
    pub default_value: String,
    pub icon: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub options: Vec<TemplateVersionParameterOption>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub validation_error: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub validation_regex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_min: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_max: Option<i32>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub validation_monotonic: ValidationMonotonicOrder,
    pub required: bool,
    pub ephemeral: bool,
}

/// `TemplateVersionParameterOption` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateVersionParameterOption {
    pub name: String,
    pub description: String,
    pub value: String,
    pub icon: String,
}

/// `TemplateVersionVariable` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateVersionVariable {
    pub name: String,
    pub description: String,
    pub r#type: String,
    pub value: String,
    pub default_value: String,
    pub required: bool,
    pub sensitive: bool,
}

/// `PatchTemplateVersionRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PatchTemplateVersionRequest {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `CreateTemplateVersionDryRunRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateTemplateVersionDryRunRequest {
    pub workspace_name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub rich_parameter_values: Vec<crate::workspace_builds::WorkspaceBuildParameter>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub user_variable_values: Vec<VariableValue>,
}

/// `CreateTemplateVersionRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateTemplateVersionRequest {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Uuid>,
    pub storage_method: ProvisionerStorageMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub example_id: String,
    pub provisioner: ProvisionerType,
    #[serde(deserialize_with = "crate::null_default")]
    pub tags: std::collections::BTreeMap<String, String>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub user_variable_values: Vec<VariableValue>,
}

/// `VariableValue` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariableValue {
    pub name: String,
    pub value: String,
}

/// `Preset` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preset {
    #[serde(rename = "ID")]
    pub id: Uuid,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Parameters", deserialize_with = "crate::null_default")]
    pub parameters: Vec<PresetParameter>,
    #[serde(rename = "Default")]
    pub default: bool,
    #[serde(rename = "DesiredPrebuildInstances")]
    pub desired_prebuild_instances: Option<i64>,
    #[serde(rename = "Description")]
    pub description: String,
    #[serde(rename = "Icon")]
    pub icon: String,
}

/// `PresetParameter` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PresetParameter {
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Value")]
    pub value: String,
}

string_enum! {
    /// Values of `ProvisionerStorageMethod`.
    pub enum ProvisionerStorageMethod {
        File = "file",
    }
}

string_enum! {
    /// Values of `ProvisionerType`.
    pub enum ProvisionerType {
        Echo = "echo",
        Terraform = "terraform",
    }
}
