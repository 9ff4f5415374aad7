//! Tools for chats with AI agents.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api_types::{
    Chat, ChatBusyBehavior, ChatInputPart, ChatInputPartType, ChatStatus, CreateChatMessageRequest,
    CreateChatRequest, UpdateChatRequest,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::args::Args;
use crate::{Argument, Deps, Kind, Offer};

/// How long to wait for a chat when nothing else is said, and at most, in seconds.
const USUAL_WAIT: u64 = 60;
const LONGEST_WAIT: u64 = 300;
/// How often a chat is looked at meanwhile.
const POLL: Duration = Duration::from_secs(1);
/// Messages and chats of one answer.
const USUAL: u64 = 50;
const MOST: u64 = 200;
/// Bytes of a file.
const MAX_FILE: usize = 10 << 20;

/// The chat that a tool is for.
const CHAT: Argument = ("chat_id*", "string", "Id of the chat.");
/// How much of a list is told.
const LIMIT: Argument = ("limit", "integer", "How many; 50 if absent, 200 at most.");

pub(crate) const OFFERS: &[Offer] = &[
    Offer {
        name: "coder_create_chat",
        description: "Begin a chat with an AI agent that runs in the control plane and can work in a \
                      workspace. It works on its own: wait with coder_await_chat, read with \
                      coder_get_chat_messages.",
        kind: Kind::Changes,
        arguments: &[
            ("prompt*", "string", "The first message."),
            (
                "organization_id",
                "string",
                "Id of the organization; the usual one if absent.",
            ),
            (
                "model_config_id",
                "string",
                "Id from coder_list_chat_model_configs.",
            ),
            ("labels", "object", "Texts by name, to find the chat again."),
        ],
        run: |deps, args| Box::pin(create(deps, args)),
    },
    Offer {
        name: "coder_get_chat",
        description: "Get a chat with its status, files and workspace.",
        kind: Kind::Reads,
        arguments: &[CHAT],
        run: |deps, args| Box::pin(async move { Ok(json!(chat(deps, &args).await?)) }),
    },
    Offer {
        name: "coder_await_chat",
        description: "Wait until a chat rests: it has answered, failed, or waits for someone. Gives \
                      the chat as it is then; timed_out says that it still works.",
        kind: Kind::Reads,
        arguments: &[
            CHAT,
            (
                "wait_secs",
                "integer",
                "Seconds to wait at most; 60 if absent, 300 at most.",
            ),
        ],
        run: |deps, args| Box::pin(wait(deps, args)),
    },
    Offer {
        name: "coder_list_chats",
        description: "List your chats, those first that changed last.",
        kind: Kind::Reads,
        arguments: &[
            (
                "query",
                "string",
                "A search expression, such as archived:true or title:deploy.",
            ),
            ("labels", "object", "Only chats with these labels."),
            LIMIT,
        ],
        run: |deps, args| Box::pin(list(deps, args)),
    },
    Offer {
        name: "coder_get_chat_messages",
        description: "Read messages of a chat, newest first.",
        kind: Kind::Reads,
        arguments: &[
            CHAT,
            ("before_id", "integer", "Only messages before this one."),
            ("after_id", "integer", "Only messages after this one."),
            LIMIT,
        ],
        run: |deps, args| Box::pin(messages(deps, args)),
    },
    Offer {
        name: "coder_send_chat_message",
        description: "Say something in a chat. One that works takes it afterwards, or with \
                      \"interrupt\" at once.",
        kind: Kind::Changes,
        arguments: &[
            CHAT,
            ("text*", "string", "What to say."),
            (
                "busy_behavior",
                "queue|interrupt",
                "What happens if it works; queue if absent.",
            ),
        ],
        run: |deps, args| Box::pin(say(deps, args)),
    },
    Offer {
        name: "coder_interrupt_chat",
        description: "Stop what a chat is at.",
        kind: Kind::Changes,
        arguments: &[CHAT],
        run: |deps, args| {
            Box::pin(async move {
                let id = args.id("chat_id")?;
                Ok(json!(deps.client().chat_interrupt(id).await?))
            })
        },
    },
    Offer {
        name: "coder_archive_chat",
        description: "Put a chat away: lists do not show it any more. It can be brought back.",
        kind: Kind::Changes,
        arguments: &[CHAT],
        run: |deps, args| Box::pin(archive(deps, args)),
    },
    Offer {
        name: "coder_download_chat_file",
        description: "Get a file of a chat, as base64: by its id, or by its name and the chat.",
        kind: Kind::Reads,
        arguments: &[
            ("file_id", "string", "Id of the file."),
            ("chat_id", "string", "Id of the chat, with file_name."),
            ("file_name", "string", "Name of the file, with chat_id."),
        ],
        run: |deps, args| Box::pin(download(deps, args)),
    },
    Offer {
        name: "coder_list_chat_model_configs",
        description: "List the models that chats can use.",
        kind: Kind::Reads,
        arguments: &[],
        run: |deps, _| Box::pin(models(deps)),
    },
];

async fn chat(deps: &Deps, args: &Args) -> Result<Chat> {
    Ok(deps.client().chat(args.id("chat_id")?).await?)
}

fn said(text: &str) -> Vec<ChatInputPart> {
    vec![ChatInputPart {
        kind: ChatInputPartType::Text,
        text: text.to_owned(),
        ..ChatInputPart::default()
    }]
}

async fn create(deps: &Deps, args: Args) -> Result<Value> {
    let organization = match args.maybe_id("organization_id")? {
        Some(id) => id,
        None => deps.organization().await?.id,
    };
    let request = CreateChatRequest {
        organization_id: organization,
        content: said(args.text("prompt")?),
        model_config_id: args.maybe_id("model_config_id")?,
        labels: args.texts("labels")?,
        ..CreateChatRequest::default()
    };
    Ok(json!(deps.client().chat_create(&request).await?))
}

async fn wait(deps: &Deps, args: Args) -> Result<Value> {
    let seconds = args.number("wait_secs")?.unwrap_or(USUAL_WAIT);
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds.min(LONGEST_WAIT));
    loop {
        let chat = chat(deps, &args).await?;
        let works = matches!(chat.status, ChatStatus::Running | ChatStatus::Interrupting);
        let timed_out = tokio::time::Instant::now() >= end;
        if !works || timed_out {
            return Ok(json!({ "chat": chat, "timed_out": works }));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn count(args: &Args) -> Result<u32> {
    let limit = args.number("limit")?.filter(|n| *n > 0).unwrap_or(USUAL);
    Ok(u32::try_from(limit.min(MOST)).unwrap_or(u32::MAX))
}

async fn list(deps: &Deps, args: Args) -> Result<Value> {
    let labels: BTreeMap<String, String> = args.texts("labels")?;
    let mut call = deps.client().call(http::Method::GET, "/api/v2/chats");
    call = call.query("limit", count(&args)?);
    call = call.query_if("q", args.maybe("query")?);
    for (name, value) in &labels {
        call = call.query("label", format!("{name}:{value}"));
    }
    Ok(call.decode::<Value>().await?)
}

async fn messages(deps: &Deps, args: Args) -> Result<Value> {
    let path = format!("/api/v2/chats/{}/messages", args.id("chat_id")?);
    let call = deps.client().call(http::Method::GET, &path);
    let call = call
        .query("limit", count(&args)?)
        .query_if("before_id", args.number("before_id")?)
        .query_if("after_id", args.number("after_id")?);
    Ok(call.decode::<Value>().await?)
}

async fn say(deps: &Deps, args: Args) -> Result<Value> {
    let request = CreateChatMessageRequest {
        content: said(args.text("text")?),
        busy_behavior: match args.maybe("busy_behavior")? {
            None | Some("queue") => ChatBusyBehavior::Queue,
            Some("interrupt") => ChatBusyBehavior::Interrupt,
            Some(other) => bail!("busy_behavior must be queue or interrupt, not {other:?}"),
        },
        ..CreateChatMessageRequest::default()
    };
    let id = args.id("chat_id")?;
    Ok(json!(deps.client().chat_send(id, &request).await?))
}

async fn archive(deps: &Deps, args: Args) -> Result<Value> {
    let request = UpdateChatRequest {
        archived: Some(true),
        ..UpdateChatRequest::default()
    };
    let id = args.id("chat_id")?;
    deps.client().chat_update(id, &request).await?;
    Ok(json!({ "message": "Chat archived." }))
}

async fn download(deps: &Deps, args: Args) -> Result<Value> {
    let id = match args.maybe_id("file_id")? {
        Some(id) => id,
        None => {
            let name = args.maybe("file_name")?;
            let name = name.context("give file_id, or chat_id and file_name")?;
            let files = chat(deps, &args).await?.files;
            // Of several the latest.
            let file = files.iter().rev().find(|file| file.name == name);
            file.with_context(|| format!("the chat has no file {name:?}"))?
                .id
        }
    };
    let call = deps
        .client()
        .call(http::Method::GET, &format!("/api/v2/chats/files/{id}"));
    let bytes = call.read(MAX_FILE).await?;
    Ok(json!({ "file_id": id, "content": STANDARD.encode(bytes) }))
}

async fn models(deps: &Deps) -> Result<Value> {
    let organization = deps.organization().await?.id.to_string();
    let path = format!("/api/v2/organizations/{organization}/chats/models");
    let call = deps.client().call(http::Method::GET, &path);
    Ok(call.decode::<Value>().await?["models"].take())
}
