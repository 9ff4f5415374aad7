//! `ask_user_question`: decisions that are the user's. The turn ends with it.

use serde_json::{Map, Value, json};

use super::args::Args;
use super::shape::{Done, Simple};

/// Most questions at once: nobody answers more.
const MAX_QUESTIONS: usize = 10;

/// Asks the user.
pub(in crate::tools) fn ask_user_question() -> Simple {
    let text = json!({ "type": "string" });
    Simple::new(
        "ask_user_question",
        "Ask the user questions whose answers the plan depends on, each with 2 to 4 answers to \
             choose from; the user may also answer freely. Your turn ends with it.",
        json!({
            "type": "object",
            "properties": { "questions": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "header": { "type": "string", "description": "A word or two." },
                        "question": text,
                        "options": {
                            "type": "array",
                            "minItems": 2,
                            "maxItems": 4,
                            "items": {
                                "type": "object",
                                "properties": { "label": text, "description": text },
                                "required": ["label", "description"],
                            },
                        },
                    },
                    "required": ["header", "question", "options"],
                },
            } },
            "required": ["questions"],
        }),
        |_, args| Box::pin(std::future::ready(ask(&args))),
    )
    .repeatable()
    .ending_turn()
}

fn ask(args: &Args) -> Done {
    Ok(questions(&args.0)?)
}

/// The questions as they are shown, checked; nothing else of what the model wrote.
fn questions(args: &Map<String, Value>) -> Result<Value, String> {
    let asked = args.get("questions").and_then(Value::as_array);
    let asked = asked
        .filter(|asked| !asked.is_empty())
        .ok_or("questions is required")?;
    if asked.len() > MAX_QUESTIONS {
        return Err(format!("at most {MAX_QUESTIONS} questions at once"));
    }
    let text = |of: &Value, name: &str, place: &str| match of.get(name).and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{place}.{name} is required")),
    };
    let mut shown = Vec::with_capacity(asked.len());
    for (i, one) in asked.iter().enumerate() {
        let place = format!("questions[{i}]");
        let options = one.get("options").and_then(Value::as_array);
        let options = options
            .filter(|options| (2..=4).contains(&options.len()))
            .ok_or_else(|| format!("{place}.options must hold 2 to 4 answers"))?;
        let options = options.iter().enumerate().map(|(j, option)| {
            let place = format!("{place}.options[{j}]");
            Ok(json!({
                "label": text(option, "label", &place)?,
                "description": text(option, "description", &place)?,
            }))
        });
        shown.push(json!({
            "header": text(one, "header", &place)?,
            "question": text(one, "question", &place)?,
            "options": options.collect::<Result<Vec<_>, String>>()?,
        }));
    }
    Ok(json!({ "questions": shown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_echoed_if_they_can_be_answered() {
        let option = json!({ "label": "a", "description": "b" });
        let with = |options: Value| {
            let value = json!({ "questions": [
                { "header": "DB", "question": "Which?", "options": options, "extra": 1 }
            ] });
            questions(value.as_object().unwrap())
        };
        let good = with(json!([option, option])).unwrap();
        assert_eq!(good["questions"][0]["options"][1]["label"], "a");
        assert!(good["questions"][0].get("extra").is_none());
        for bad in [
            json!([option]),
            json!([option, option, option, option, option]),
            json!([option, { "label": "a" }]),
            json!("x"),
        ] {
            assert!(with(bad).is_err());
        }
        for bad in [
            json!({}),
            json!({ "questions": [] }),
            json!({ "questions": [1] }),
            json!({ "questions": "x" }),
        ] {
            assert!(questions(bad.as_object().unwrap()).is_err());
        }
    }
}
