//! Prompts: ways to work with chats that people choose in their AI client.

use mcp::serve::{Argument, Prompt};
use serde_json::{Map, Value};

/// A prompt, the tools that it cannot do without, and its text.
pub(crate) struct Offered {
    pub(crate) prompt: Prompt,
    pub(crate) needs: &'static [&'static str],
    pub(crate) text: fn(&Map<String, Value>) -> Result<String, String>,
}

pub(crate) const OFFERS: &[Offered] = &[
    Offered {
        prompt: Prompt {
            name: "coder_agents_delegate",
            description: "Give a coding task to an agent of Coder, and follow it to its end.",
            arguments: &[
                Argument {
                    name: "task",
                    description: "What to do, with all that one must know for it.",
                    required: true,
                },
                Argument {
                    name: "model_config_id",
                    description: "Id of the model; the usual one if absent.",
                    required: false,
                },
            ],
        },
        needs: &[
            "coder_create_chat",
            "coder_await_chat",
            "coder_get_chat_messages",
            "coder_send_chat_message",
        ],
        text: delegate,
    },
    Offered {
        prompt: Prompt {
            name: "coder_agents_check",
            description: "Tell how a chat with an agent of Coder stands.",
            arguments: &[Argument {
                name: "chat_id",
                description: "Id of the chat.",
                required: true,
            }],
        },
        needs: &["coder_get_chat", "coder_get_chat_messages"],
        text: check,
    },
];

fn given<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = arguments.get(name).and_then(Value::as_str)?.trim();
    Some(text).filter(|text| !text.is_empty())
}

fn required<'a>(arguments: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    given(arguments, name).ok_or_else(|| format!("the argument {name} is missing"))
}

fn delegate(arguments: &Map<String, Value>) -> Result<String, String> {
    let task = required(arguments, "task")?;
    let model = match given(arguments, "model_config_id") {
        Some(id) => format!("and {id:?} as model_config_id"),
        None => {
            "; coder_list_chat_model_configs lists models, if a certain one is wanted".to_owned()
        }
    };
    Ok(format!(
        "An agent of Coder shall do this task:\n\n<task>\n{task}\n</task>\n\n\
         - Begin a chat by coder_create_chat, with the task as prompt {model}.\n\
         - Tell the user at once where the chat is, so that they can watch it.\n\
         - Wait by coder_await_chat, again for as long as it says timed_out.\n\
         - Read what was done by coder_get_chat_messages, newest first; while has_more is true, older \
         messages are there by before_id.\n\
         - If the agent asks something, or the result is not right yet, answer by \
         coder_send_chat_message and wait again.\n\
         - At the end tell the user what was done, what was not, and where the chat is.\n"
    ))
}

fn check(arguments: &Map<String, Value>) -> Result<String, String> {
    let chat = required(arguments, "chat_id")?;
    Ok(format!(
        "How does the chat {chat:?} with an agent of Coder stand?\n\n\
         - coder_get_chat tells its status, what its last turn was about, and its last error.\n\
         - coder_get_chat_messages tells what was said last, and which messages wait.\n\
         - Tell the user what the agent does or has done, whether it waits for somebody, what went \
         wrong, and where the chat is.\n"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_must_be_given_is_asked_for() {
        for offered in OFFERS {
            let mut all = Map::new();
            for argument in offered.prompt.arguments {
                let refused = (offered.text)(&all);
                if argument.required {
                    assert!(refused.unwrap_err().contains(argument.name));
                } else {
                    refused.unwrap();
                }
                all.insert(
                    argument.name.to_owned(),
                    json!(format!(" <{}> ", argument.name)),
                );
            }
            let text = (offered.text)(&all).unwrap();
            for argument in offered.prompt.arguments {
                assert!(text.contains(&format!("<{}>", argument.name)), "{text}");
            }
            for tool in offered.needs {
                assert!(text.contains(tool), "{text}");
            }
        }
    }
}
