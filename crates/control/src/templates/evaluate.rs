//! A version's form for an owner and a set of values, as clients show it.

use api_types::{
    DiagnosticExtra, DynamicParametersRequest, DynamicParametersResponse, FriendlyDiagnostic,
    NullHclString, PreviewParameter, PreviewParameterOption, PreviewParameterStyling,
    PreviewParameterValidation,
};
use authz::{Action, Object, ResourceType, Subject};
use provisioner::eval::{
    Diagnostic, Rendered, RenderedOption, RenderedParameter, RenderedValidation, Severity,
};
use uuid::Uuid;

use super::version_contents::{ended, unfinished};
use crate::workspaces::names::check_text;
use crate::{Control, Error, Result};

/// Most inputs of one request.
const MAX_INPUTS: usize = 1000;
/// Longest input.
const MAX_INPUT: usize = 1 << 20;

impl Control {
    /// Renders the form once. Values that are missing or wrong are told as diagnostics, not
    /// as an error: the form is there to be filled in.
    pub async fn template_version_evaluate(
        &self,
        who: &Subject,
        version: Uuid,
        request: DynamicParametersRequest,
    ) -> Result<DynamicParametersResponse> {
        if request.inputs.len() > MAX_INPUTS {
            return Err(Error::invalid(format!("More than {MAX_INPUTS} inputs.")));
        }
        for (name, value) in &request.inputs {
            check_text("inputs", name, MAX_INPUT)?;
            check_text("inputs", value, MAX_INPUT)?;
        }
        let conn = self.store().conn().await?;
        let row = conn.template_version_read(who, version).await?;
        if !ended(&row.api.job.status) {
            return Err(unfinished());
        }
        let owner = request.owner_id.filter(|id| !id.is_nil()).or(who.user_id());
        let owner = owner.ok_or_else(|| Error::field("owner_id", "Name the workspace's owner."))?;
        let workspace = Object::new(ResourceType::Workspace)
            .org(row.organization_id)
            .owner(owner);
        let allowed = who.user_id() == Some(owner) || who.may(Action::Create, &workspace).is_ok();
        let facts = if allowed {
            self.form_owner(&conn, owner, row.organization_id).await
        } else {
            Err(Error::not_found())
        };
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) if error.kind == crate::Kind::NotFound => {
                return Ok(DynamicParametersResponse {
                    id: request.id,
                    diagnostics: vec![no_owner(owner)],
                    parameters: Vec::new(),
                });
            }
            Err(error) => return Err(error),
        };
        let source = conn.template_version_source(version).await?;
        let form = self.form(&conn, version, &source).await?;
        drop(conn);
        let (id, inputs) = (request.id, request.inputs);
        let none = std::collections::BTreeMap::new();
        // A template decides how long this takes, within bounds that are long for others.
        let rendered = tokio::task::spawn_blocking(move || form.render(&facts, &inputs, &none));
        Ok(shown(id, rendered.await.map_err(Error::internal)?))
    }
}

fn no_owner(owner: Uuid) -> FriendlyDiagnostic {
    FriendlyDiagnostic {
        severity: "error".into(),
        summary: "Failed to fetch workspace owner".to_owned(),
        detail: format!("There is no user {owner}, or you may not create workspaces for it."),
        extra: DiagnosticExtra {
            code: "owner_not_found".to_owned(),
        },
    }
}

fn shown(id: i64, rendered: Rendered) -> DynamicParametersResponse {
    DynamicParametersResponse {
        id,
        diagnostics: rendered.diagnostics.into_iter().map(diagnostic).collect(),
        parameters: rendered.parameters.into_iter().map(parameter).collect(),
    }
}

fn diagnostic(d: Diagnostic) -> FriendlyDiagnostic {
    FriendlyDiagnostic {
        severity: match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
        .into(),
        summary: d.summary,
        detail: d.detail,
        extra: DiagnosticExtra { code: d.code },
    }
}

fn text(value: Option<String>) -> NullHclString {
    NullHclString {
        valid: value.is_some(),
        value: value.unwrap_or_default(),
    }
}

fn parameter(p: RenderedParameter) -> PreviewParameter {
    PreviewParameter {
        name: p.name,
        display_name: p.display_name,
        description: p.description,
        r#type: p.r#type.as_str().into(),
        form_type: p.form_type.as_str().into(),
        // Hints in another form than the known one are no reason to show no form.
        styling: serde_json::from_value::<PreviewParameterStyling>(p.styling).unwrap_or_default(),
        mutable: p.mutable,
        default_value: text(p.default),
        icon: p.icon,
        options: p.options.into_iter().map(option).collect(),
        validations: p.validation.into_iter().map(validation).collect(),
        required: p.required,
        order: p.order,
        ephemeral: p.ephemeral,
        value: text(p.value),
        diagnostics: p.diagnostics.into_iter().map(diagnostic).collect(),
    }
}

fn option(o: RenderedOption) -> PreviewParameterOption {
    PreviewParameterOption {
        name: o.name,
        description: o.description,
        value: text(o.value),
        icon: o.icon,
    }
}

fn validation(v: RenderedValidation) -> PreviewParameterValidation {
    PreviewParameterValidation {
        validation_error: v.error,
        validation_regex: Some(v.regex).filter(|r| !r.is_empty()),
        validation_min: v.min,
        validation_max: v.max,
        validation_monotonic: Some(v.monotonic).filter(|m| !m.is_empty()),
    }
}
