//! Parameters: request and response bodies.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `ParameterFormType`.
    pub enum ParameterFormType {
        Radio = "radio",
        Slider = "slider",
        Input = "input",
        Dropdown = "dropdown",
        Checkbox = "checkbox",
        Switch = "switch",
        MultiSelect = "multi-select",
        TagSelect = "tag-select",
        Textarea = "textarea",
        Error = "error",
    }
}

string_enum! {
    /// Values of `OptionType`.
    pub enum OptionType {
        String = "string",
        Number = "number",
        Bool = "bool",
        ListString = "list(string)",
    }
}

string_enum! {
    /// Values of `DiagnosticSeverityString`.
    pub enum DiagnosticSeverityString {
        Error = "error",
        Warning = "warning",
    }
}

/// `FriendlyDiagnostic` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FriendlyDiagnostic {
    pub severity: DiagnosticSeverityString,
    pub summary: String,
    pub detail: String,
    pub extra: DiagnosticExtra,
}

/// `DiagnosticExtra` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiagnosticExtra {
    pub code: String,
}

/// `NullHCLString` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NullHclString {
    pub value: String,
    pub valid: bool,
}

/// `PreviewParameter` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreviewParameter {
    pub name: String,
    pub display_name: String,
    pub description: String,
    pub r#type: OptionType,
    pub form_type: ParameterFormType,
    pub styling: PreviewParameterStyling,
    pub mutable: bool,
    pub default_value: NullHclString,
    pub icon: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub options: Vec<PreviewParameterOption>,
    #[serde(deserialize_with = "crate::null_default")]
    pub validations: Vec<PreviewParameterValidation>,
    pub required: bool,
    pub order: i64,
    pub ephemeral: bool,
    pub value: NullHclString,
    #[serde(deserialize_with = "crate::null_default")]
    pub diagnostics: Vec<FriendlyDiagnostic>,
}

/// `PreviewParameterStyling` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreviewParameterStyling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_input: Option<bool>,
}

/// `PreviewParameterOption` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreviewParameterOption {
    pub name: String,
    pub description: String,
    pub value: NullHclString,
    pub icon: String,
}

/// `PreviewParameterValidation` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreviewParameterValidation {
    pub validation_error: String,
    pub validation_regex: Option<String>,
    pub validation_min: Option<i64>,
    pub validation_max: Option<i64>,
    pub validation_monotonic: Option<String>,
}

/// `DynamicParametersRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DynamicParametersRequest {
    pub id: i64,
    #[serde(deserialize_with = "crate::null_default")]
    pub inputs: std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<Uuid>,
}

/// `DynamicParametersResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DynamicParametersResponse {
    pub id: i64,
    #[serde(deserialize_with = "crate::null_default")]
    pub diagnostics: Vec<FriendlyDiagnostic>,
    #[serde(deserialize_with = "crate::null_default")]
    pub parameters: Vec<PreviewParameter>,
}
