//! `coder_ai_task`: from the time of Coder Tasks. It does nothing, but templates that hold one must go on building.

use super::{Resource, is_set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Nested};
use crate::text::uuid;
use crate::value::{Object, Value, field, text};

/// The resource.
pub const RESOURCE: Resource = Resource {
    create,
    ..Resource::new("coder_ai_task", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "Marked a template as one for Coder Tasks. Accepted for the sake of existing templates; it has no effect.",
    &[
        Attribute::string("app_id")
            .optional_computed()
            .about("The `id` of the `coder_app` that shows the task.")
            .conflicts_with(&["sidebar_app"])
            .checked(&[Check::Uuid]),
        Attribute::bool("enabled")
            .computed()
            .about("Whether the workspace was made for a task."),
        Attribute::string("id")
            .computed()
            .about("Identifier of the task, or a random one."),
        Attribute::string("prompt")
            .computed()
            .about("The text that the task was given."),
    ],
    &[Nested::set("sidebar_app", &SIDEBAR_APP)
        .at_most_one()
        .deprecated("sidebar_app is deprecated. Set `app_id` instead.")
        .conflicts_with(&["app_id"])],
);

const SIDEBAR_APP: Block = Block::new(
    "The app that shows the task. Deprecated: set `app_id`.",
    &[Attribute::string("id")
        .required()
        .about("The `id` of a `coder_app`.")
        .checked(&[Check::Uuid])],
    &[],
);

fn create(state: &mut Object, context: &Context) -> Vec<Diagnostic> {
    let task = context.environment.get("CODER_TASK_ID");
    let enabled = uuid::is_uuid(&task) && !uuid::is_nil(&task);
    if enabled {
        state.insert("id".to_owned(), Value::String(task.to_lowercase()));
    }
    state.insert("enabled".to_owned(), Value::Bool(enabled));
    if let Some(prompt) = context.environment.non_empty("CODER_TASK_PROMPT") {
        state.insert("prompt".to_owned(), Value::String(prompt));
    }
    if !is_set(state, "app_id") {
        let app = field(state, "sidebar_app")
            .elements()
            .iter()
            .find_map(Value::as_object);
        match app.map(|app| text(app, "id")) {
            None | Some("") => return vec![Diagnostic::error("'app_id' must be set")],
            Some(id) => {
                let id = Value::text(id);
                state.insert("app_id".to_owned(), id);
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_app_comes_from_either_place_and_the_id_from_the_task() {
        let task = "6fc86ab6-2083-496f-b193-5b32f39beeef";
        let context =
            |id: &str| Context::new(Environment::given([("CODER_TASK_ID", id)]), None).unwrap();
        let app = Value::Map(Object::from([("id".to_owned(), Value::text("a"))]));
        let mut state = Object::from([("sidebar_app".to_owned(), Value::Sequence(vec![app]))]);
        assert!(create(&mut state, &context(task)).is_empty());
        assert_eq!((text(&state, "app_id"), text(&state, "id")), ("a", task));
        for id in ["", "x", "00000000-0000-0000-0000-000000000000"] {
            create(&mut state, &context(id));
            assert_eq!(field(&state, "enabled"), &Value::Bool(false));
        }
        assert_eq!(
            create(&mut Object::new(), &context(""))[0].summary,
            "'app_id' must be set"
        );
    }
}
