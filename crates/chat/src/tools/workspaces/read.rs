//! `read_template`: all about a template that is needed to make a workspace of it.

use api_types::{Preset, TemplateVersionParameter};
use serde_json::{Value, json};

use super::readme::{cut, excerpt};
use super::{Workspaces, template_id};
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Characters of a README.
const MAX_README: usize = 8000;
/// Characters of a parameter's description.
const MAX_DESCRIPTION: usize = 300;

/// Reads a template.
pub(in crate::tools) fn read_template() -> Simple {
    Simple::new(
        "read_template",
        "Read about a template: its parameters, its presets, and what it says of itself.",
        json!({
            "type": "object",
            "properties": {
                "template_id": { "type": "string", "description": "Of list_templates." },
            },
            "required": ["template_id"],
        }),
        |context, args| Box::pin(async move { read(&*context.workspaces, &args).await }),
    )
    .repeatable()
}

pub(super) async fn read(house: &dyn Workspaces, args: &Args) -> Done {
    let details = house.template(template_id(args)?).await?;
    let template = &details.template;
    let mut info = json!({
        "id": template.id,
        "name": template.name,
        "active_version_id": template.active_version_id,
    });
    put(&mut info, "display_name", template.display_name.trim());
    put(&mut info, "description", template.description.trim());
    put(&mut info, "readme", &excerpt(&details.readme, MAX_README));
    let mut answer = json!({
        "template": info,
        "parameters": details.parameters.iter().map(parameter).collect::<Vec<_>>(),
    });
    if !details.presets.is_empty() {
        answer["presets"] = details.presets.iter().map(preset).collect();
    }
    Ok(answer)
}

fn put(value: &mut Value, key: &str, text: &str) {
    if !text.is_empty() {
        value[key] = Value::from(text);
    }
}

fn parameter(parameter: &TemplateVersionParameter) -> Value {
    let mut value = json!({
        "name": parameter.name,
        "type": parameter.r#type,
        "required": parameter.required,
    });
    put(&mut value, "display_name", parameter.display_name.trim());
    put(
        &mut value,
        "description",
        cut(&parameter.description, MAX_DESCRIPTION),
    );
    put(&mut value, "default", &parameter.default_value);
    put(&mut value, "form_type", &parameter.form_type);
    put(&mut value, "validation_regex", &parameter.validation_regex);
    for (key, is) in [
        ("mutable", parameter.mutable),
        ("ephemeral", parameter.ephemeral),
    ] {
        if is {
            value[key] = Value::from(true);
        }
    }
    if !parameter.options.is_empty() {
        value["options"] = json!(parameter.options);
    }
    let bounds = [
        ("validation_min", parameter.validation_min),
        ("validation_max", parameter.validation_max),
    ];
    for (key, bound) in bounds {
        if let Some(bound) = bound {
            value[key] = Value::from(bound);
        }
    }
    value
}

fn preset(preset: &Preset) -> Value {
    let parameters = preset.parameters.iter();
    let mut value = json!({
        "id": preset.id,
        "name": preset.name,
        "default": preset.default,
        "parameters": parameters
            .map(|one| json!({ "name": one.name, "value": one.value }))
            .collect::<Vec<_>>(),
    });
    put(&mut value, "description", preset.description.trim());
    put(&mut value, "icon", preset.icon.trim());
    if let Some(ready) = preset.desired_prebuild_instances.filter(|n| *n > 0) {
        value["desired_prebuild_instances"] = Value::from(ready);
    }
    value
}
