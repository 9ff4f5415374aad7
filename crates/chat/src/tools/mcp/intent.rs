//! Why a model calls a tool, in its own words: people are shown them while it runs. They go no
//! further than here.

use serde_json::{Map, Value, json};

const INTENT: &str = "model_intent";
const INNER: &str = "properties";

/// A schema whose arguments stand beside the model's words.
pub(super) fn wrapped(schema: &Map<String, Value>) -> Value {
    json!({
        "type": "object",
        "properties": {
            INTENT: {
                "type": "string",
                "description": "What you call this tool for, in a few plain words that the user reads \
                                while it runs, such as \"Looking for open tickets\". At most 100 \
                                characters.",
            },
            INNER: schema,
        },
        "required": [INTENT, INNER],
    })
}

/// The arguments alone. Models at times leave out the level between.
pub(super) fn unwrapped(mut args: Map<String, Value>) -> Map<String, Value> {
    args.remove(INTENT);
    match args.remove(INNER) {
        Some(Value::Object(inner)) => inner,
        Some(other) => {
            args.insert(INNER.to_owned(), other);
            args
        }
        None => args,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_sees_its_arguments_alone() {
        let schema = json!({"type": "object", "properties": {"a": {}}});
        let whole = wrapped(schema.as_object().unwrap());
        assert_eq!(whole["properties"][INNER], schema);
        for (given, left) in [
            (json!({INTENT: "why", INNER: {"a": 1}}), json!({"a": 1})),
            (json!({INTENT: "why", "a": 1}), json!({"a": 1})),
            (json!({INTENT: "why"}), json!({})),
            (json!({INNER: 7}), json!({INNER: 7})),
        ] {
            let args = given.as_object().unwrap().clone();
            assert_eq!(Value::Object(unwrapped(args)), left);
        }
    }
}
