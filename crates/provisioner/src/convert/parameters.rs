//! Parameters as a plan lists them.

use rpc::proto::provisioner::{ParameterFormType, RichParameter, RichParameterOption};

use super::attributes::{Attributes, clamp};
use super::{ConvertError, Instance};

/// The parameters of a plan, in its order.
///
/// # Errors
/// When two have the same name, or a form type is unknown.
pub fn rich_parameters(instances: &[Instance]) -> Result<Vec<RichParameter>, ConvertError> {
    let mut found: Vec<RichParameter> = Vec::new();
    for instance in instances
        .iter()
        .filter(|i| i.data && i.kind == "coder_parameter")
    {
        let parameter = parameter(instance)?;
        if found.iter().any(|p| p.name == parameter.name) {
            return Err(ConvertError::template(format!(
                "coder_parameter names must be unique but {:?} appears multiple times",
                parameter.name
            )));
        }
        found.push(parameter);
    }
    Ok(found)
}

fn parameter(instance: &Instance) -> Result<RichParameter, ConvertError> {
    let a = instance.attributes();
    let form_type = form_type(&a.text("form_type")).ok_or_else(|| {
        ConvertError::template(format!(
            "coder_parameter.{}: unknown form_type {:?}",
            instance.name,
            a.text("form_type")
        ))
    })?;
    let mut parameter = RichParameter {
        name: a.text("name"),
        display_name: a.text("display_name"),
        description: a.text("description"),
        r#type: a.text("type"),
        mutable: a.flag("mutable"),
        default_value: a.text("default"),
        icon: a.text("icon"),
        required: !a.flag("optional"),
        order: a.number32("order"),
        ephemeral: a.flag("ephemeral"),
        form_type: form_type.into(),
        options: a
            .blocks("option")
            .into_iter()
            .map(|o| RichParameterOption {
                name: o.text("name"),
                description: o.text("description"),
                value: o.text("value"),
                icon: o.text("icon"),
            })
            .collect(),
        ..RichParameter::default()
    };
    if let Some(validation) = a.blocks("validation").first() {
        validate(&mut parameter, *validation);
    }
    Ok(parameter)
}

fn validate(parameter: &mut RichParameter, v: Attributes<'_>) {
    parameter.validation_regex = v.text("regex");
    parameter.validation_error = v.text("error");
    parameter.validation_monotonic = v.text("monotonic");
    // Providers before 0.8.2 do not say which bound is set; there both were or none.
    let old = v.get("min_disabled").is_none();
    let bounds = v.number("min") != 0 || v.number("max") != 0;
    let enabled = |name| if old { bounds } else { !v.flag(name) };
    if enabled("min_disabled") {
        parameter.validation_min = Some(clamp(v.number("min")));
    }
    if enabled("max_disabled") {
        parameter.validation_max = Some(clamp(v.number("max")));
    }
}

/// The form type of that name; an empty one leaves the choice to the form.
fn form_type(name: &str) -> Option<ParameterFormType> {
    Some(match name {
        "" => ParameterFormType::Default,
        "error" => ParameterFormType::FormError,
        "radio" => ParameterFormType::Radio,
        "dropdown" => ParameterFormType::Dropdown,
        "input" => ParameterFormType::Input,
        "textarea" => ParameterFormType::Textarea,
        "slider" => ParameterFormType::Slider,
        "checkbox" => ParameterFormType::Checkbox,
        "switch" => ParameterFormType::Switch,
        "tag-select" => ParameterFormType::Tagselect,
        "multi-select" => ParameterFormType::Multiselect,
        _ => return None,
    })
}
