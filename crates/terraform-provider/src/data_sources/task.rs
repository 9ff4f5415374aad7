//! `coder_task`: from the time of Coder Tasks. Outside of a task it is empty, which is all that happens now.

use super::{DataSource, set, set_random_id};
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block};
use crate::text::uuid;

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_task",
    version: 0,
    block: &BLOCK,
    read: |state, _, context| {
        let task = context.environment.get("CODER_TASK_ID");
        let enabled = !uuid::is_nil(&task);
        if enabled && !uuid::is_uuid(&task) {
            return Err(vec![Diagnostic::error(format!(
                "CODER_TASK_ID must be a UUID, got {task:?}"
            ))]);
        }
        if enabled {
            set(state, "id", task);
        } else {
            set_random_id(state);
        }
        set(state, "enabled", enabled);
        set(
            state,
            "prompt",
            context.environment.get("CODER_TASK_PROMPT"),
        );
        Ok(())
    },
};

const BLOCK: Block = Block::new(
    "The Coder Task that the workspace was made for. Accepted for the sake of existing templates.",
    &[
        Attribute::bool("enabled")
            .computed()
            .about("Whether there is a task."),
        Attribute::string("id")
            .computed()
            .about("Identifier of the task, or a random one."),
        Attribute::string("prompt")
            .computed()
            .about("The text that the task was given."),
    ],
    &[],
);

#[cfg(test)]
mod tests {
    use super::DATA_SOURCE;
    use crate::data_sources::testing::read;
    use crate::value::{Value, field, text};

    #[test]
    fn without_a_task_it_is_off() {
        for id in ["", "00000000-0000-0000-0000-000000000000"] {
            let state = read(&DATA_SOURCE, &[], &[("CODER_TASK_ID", id)]).unwrap();
            assert_eq!(field(&state, "enabled"), &Value::Bool(false));
        }
        let id = "6fc86ab6-2083-496f-b193-5b32f39beeef";
        let state = read(
            &DATA_SOURCE,
            &[],
            &[("CODER_TASK_ID", id), ("CODER_TASK_PROMPT", "p")],
        )
        .unwrap();
        assert_eq!((text(&state, "id"), text(&state, "prompt")), (id, "p"));
        assert!(read(&DATA_SOURCE, &[], &[("CODER_TASK_ID", "x")]).is_err());
    }
}
