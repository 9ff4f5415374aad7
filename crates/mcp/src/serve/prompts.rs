//! Prompts: texts that people choose to have a model told, with what they fill in.

use serde_json::{Map, Value, json};

use super::Service;

/// A prompt as it is offered.
#[derive(Debug, Clone, Copy)]
pub struct Prompt {
    /// Its name.
    pub name: &'static str,
    /// What it has the model do.
    pub description: &'static str,
    /// What is filled in.
    pub arguments: &'static [Argument],
}

/// Something that is filled in.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// It must be given.
    pub required: bool,
}

pub(super) fn listed(service: &dyn Service) -> Value {
    let prompts = service.prompts().into_iter().map(|prompt| {
        let arguments = prompt.arguments.iter().map(|argument| {
            json!({
                "name": argument.name,
                "description": argument.description,
                "required": argument.required,
            })
        });
        json!({
            "name": prompt.name,
            "description": prompt.description,
            "arguments": arguments.collect::<Vec<_>>(),
        })
    });
    json!({ "prompts": prompts.collect::<Vec<_>>() })
}

pub(super) fn read(service: &dyn Service, params: &Value) -> Result<Value, String> {
    let name = params["name"].as_str().unwrap_or_default();
    let none = Map::new();
    let arguments = params["arguments"].as_object().unwrap_or(&none);
    let text = service
        .prompt(name, arguments)
        .ok_or_else(|| format!("there is no prompt {name:?}"))??;
    let prompts = service.prompts();
    let prompt = prompts.iter().find(|prompt| prompt.name == name);
    Ok(json!({
        "description": prompt.map(|prompt| prompt.description),
        "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
    }))
}
