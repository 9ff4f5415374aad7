//! Whether a stored parameter takes a value: asked of the provisioner's rules, which are those
//! that the template itself will apply.

use api_types::TemplateVersionParameter as Parameter;
use provisioner::parameters::classic;
use rpc::proto::provisioner::{ParameterFormType as Form, RichParameter, RichParameterOption};

/// Longest value of a parameter.
pub(crate) const MAX_VALUE: usize = 1 << 20;

/// Refuses a value in words for people. `previous` is the value of the build before.
pub(super) fn validate(p: &Parameter, value: &str, previous: Option<&str>) -> Result<(), String> {
    classic::check(&rich(p), value, previous)
}

fn rich(p: &Parameter) -> RichParameter {
    let options = p.options.iter().map(|o| RichParameterOption {
        name: o.name.clone(),
        description: o.description.clone(),
        value: o.value.clone(),
        icon: o.icon.clone(),
    });
    RichParameter {
        name: p.name.clone(),
        display_name: p.display_name.clone(),
        description: p.description.clone(),
        r#type: p.r#type.clone(),
        mutable: p.mutable,
        default_value: p.default_value.clone(),
        icon: p.icon.clone(),
        options: options.collect(),
        validation_regex: p.validation_regex.clone(),
        validation_error: p.validation_error.clone(),
        validation_min: p.validation_min,
        validation_max: p.validation_max,
        validation_monotonic: p.validation_monotonic.to_string(),
        required: p.required,
        order: 0,
        ephemeral: p.ephemeral,
        form_type: form(&p.form_type).into(),
    }
}

fn form(text: &str) -> Form {
    match text {
        "error" => Form::FormError,
        "radio" => Form::Radio,
        "dropdown" => Form::Dropdown,
        "input" => Form::Input,
        "textarea" => Form::Textarea,
        "slider" => Form::Slider,
        "checkbox" => Form::Checkbox,
        "switch" => Form::Switch,
        "tag-select" => Form::Tagselect,
        "multi-select" => Form::Multiselect,
        _ => Form::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::TemplateVersionParameterOption as Choice;

    fn of(kind: &str) -> Parameter {
        Parameter {
            name: "p".into(),
            r#type: kind.into(),
            ..Default::default()
        }
    }

    fn ok(p: &Parameter, value: &str) -> bool {
        validate(p, value, None).is_ok()
    }

    #[test]
    fn what_is_stored_is_what_is_checked() {
        assert!(ok(&of("number"), "1") && !ok(&of("number"), "x") && !ok(&of("magic"), "x"));
        let mut bounded = of("number");
        bounded.validation_max = Some(5);
        assert!(ok(&bounded, "5") && !ok(&bounded, "6"));
        let mut growing = of("number");
        growing.validation_monotonic = "increasing".into();
        assert!(validate(&growing, "3", Some("2")).is_ok());
        assert!(validate(&growing, "1", Some("2")).is_err());
        let mut chosen = of("string");
        chosen.options = vec![Choice {
            name: "A".into(),
            value: "a".into(),
            ..Default::default()
        }];
        assert!(ok(&chosen, "a") && !ok(&chosen, "b"));
        let mut multi = of("list(string)");
        multi.form_type = "multi-select".into();
        multi.options.clone_from(&chosen.options);
        assert!(ok(&multi, "[\"a\"]") && !ok(&multi, "[\"b\"]"));
    }
}
