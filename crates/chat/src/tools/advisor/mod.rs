//! `advisor`: a second opinion for the model, from another call that has no tools. It costs the
//! chat's owner like any other call, and is asked alone: what else the model wants to do at the
//! same time should wait for the advice.

mod handoff;

use std::time::Duration;

use api_types::{AdvisorConfig, ChatMessagePart, ChatMessagePartType, ChatMessageRole};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use llm::{Error, Event, FinishReason, ReasoningEffort, Request};
use serde_json::{Map, Value, json};
use store::StoreError;
use store::chats::{ChatMessageRow, ChatRow};
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::{Tool, ToolAnswer, ToolContext};
use crate::models::{Call, ModelInfo, Purpose};

/// Key of the deployment's settings of the advisor, as JSON ([`AdvisorConfig`]).
pub const CONFIG: &str = "agents_advisor_config";
/// Its name.
const NAME: &str = "advisor";
/// Characters of a question that are read.
const MAX_QUESTION: usize = 2000;
/// Tokens of an answer when the settings name none.
const MAX_OUTPUT: u32 = 16_384;
/// Bytes of an answer: what so many tokens make, and more.
const MAX_ADVICE: usize = 256 << 10;
/// How often a provider is asked that fails for the moment.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// Said when the turn's advice is used up.
const USED_UP: &str = "The advice for this turn is used up. Do not call the advisor again in this \
turn; decide by yourself.";
const GUIDANCE: &str = "<advisor>\nThe advisor tool gives you a second opinion where the way is \
unclear: plans that could go several ways, choices of architecture, a bug that resists, something \
that failed more than once. It sees the newest part of this conversation and has no tools. Ask one \
short question, without other calls beside it; do not paste logs.\n</advisor>";

/// Asks the advisor.
pub struct Advisor;

/// Whether a chat may ask: helpers may not, and plans are the user's to judge.
pub fn is_for(chat: &ChatRow) -> bool {
    chat.parent_chat_id.is_none() && chat.mode.is_none() && chat.plan_mode.is_empty()
}

impl Tool for Advisor {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            NAME,
            "Ask for a second opinion on a plan, a choice, or a problem that resists. The advisor \
             sees the newest part of this conversation, has no tools, and speaks to you, not to \
             the user. Call it alone, without other tools beside it.",
            json!({
                "type": "object",
                "properties": {
                    "question": { "type": "string", "description": "What you want to know, in at most 2000 characters; sum up instead of pasting logs." },
                    "model_intent": { "type": "string", "description": "Why you ask, in a few words for the user, such as: Weighing two designs." },
                },
                "required": ["question"],
            }),
        )
    }

    fn guidance(&self) -> Option<&'static str> {
        Some(GUIDANCE)
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let args = Args(args);
            match args.text("question") {
                Ok(question) => {
                    let question: String = question.trim().chars().take(MAX_QUESTION).collect();
                    advise(context, &question)
                        .await
                        .map_or_else(|error| ToolAnswer::error(error.to_string()), ToolAnswer::ok)
                }
                Err(error) => ToolAnswer::error(error),
            }
        })
    }
}

async fn advise(context: &ToolContext, question: &str) -> Result<Value, StoreError> {
    let conn = context.machine.store().conn().await?;
    let history = conn.chat_messages_for_model(context.chat.id).await?;
    let system = authz::Subject::system(authz::System::Chats);
    let config = conn.site_config_read(&system, CONFIG).await?;
    drop(conn);
    // Settings that cannot be read are those that nobody made.
    let config: AdvisorConfig = config
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let used = uses(&history);
    let most = i64::from(config.max_uses_per_run.max(0));
    if most > 0 && used >= most {
        return Ok(json!({ "type": "limit_reached", "advice": USED_UP, "remaining_uses": 0 }));
    }
    let left = |used: i64| if most > 0 { (most - used).max(0) } else { -1 };
    let asked = match model(context, &config).await {
        Ok((model, effort)) => {
            let name = format!("{}/{}", model.provider, model.model);
            let answer = ask(context, model, effort, &config, &history, question).await;
            answer.map(|advice| (advice, name))
        }
        Err(error) => Err(error),
    };
    let mut value = match asked {
        Ok((advice, name)) => json!({ "type": "advice", "advice": advice, "advisor_model": name,
            "remaining_uses": left(used + 1) }),
        Err(error) => json!({ "type": "error", "error": error.message,
            "remaining_uses": left(used) }),
    };
    if most == 0
        && let Some(map) = value.as_object_mut()
    {
        // Without a limit nothing can be left of it.
        map.remove("remaining_uses");
    }
    Ok(value)
}

/// How often advice was given since the user spoke last.
fn uses(history: &[ChatMessageRow]) -> i64 {
    let turn = history
        .iter()
        .rposition(|m| m.role == ChatMessageRole::User && !m.compressed)
        .map_or(0, |at| at + 1);
    let given = history[turn..]
        .iter()
        .flat_map(|m| &m.content)
        .filter(|part| {
            part.kind == ChatMessagePartType::ToolResult
                && part.tool_name == NAME
                && part.result.as_ref().is_some_and(|r| r["type"] == "advice")
        });
    given.count() as i64
}

/// The model that advises: what the settings name, else the organization's choice, else the
/// chat's own.
async fn model(
    context: &ToolContext,
    config: &AdvisorConfig,
) -> Result<(ModelInfo, Option<ReasoningEffort>), Error> {
    let (models, who) = (&context.models, &context.who);
    let organization = context.chat.organization_id;
    let parse = |effort: Option<String>| effort.as_deref().and_then(ReasoningEffort::parse);
    if !config.model_config_id.is_nil()
        && let Ok(model) = models
            .model(who, organization, config.model_config_id)
            .await
    {
        return Ok((model, parse(config.reasoning_effort.clone())));
    }
    if let Ok(Some((model, effort))) = models.side_model(who, organization, Purpose::Advisor).await
    {
        return Ok((model, parse(effort)));
    }
    let model = models
        .model(who, organization, context.chat.last_model_config_id)
        .await?;
    Ok((model, parse(context.chat.last_reasoning_effort.clone())))
}

async fn ask(
    context: &ToolContext,
    model: ModelInfo,
    effort: Option<ReasoningEffort>,
    config: &AdvisorConfig,
    history: &[ChatMessageRow],
    question: &str,
) -> Result<String, Error> {
    let most = u32::try_from(config.max_output_tokens)
        .ok()
        .filter(|n| *n > 0);
    let mut request = Request {
        model: model.model.clone(),
        messages: handoff::messages(history, question),
        max_output_tokens: Some(most.unwrap_or(MAX_OUTPUT)),
        ..Request::default()
    };
    model.options.apply(&mut request, &model.provider, effort);
    let chat = &context.chat;
    let call = Call {
        owner: context.who.clone(),
        chat: chat.id,
        parent: chat.parent_chat_id,
        organization: chat.organization_id,
        workspace: chat.workspace_id,
        model,
        purpose: Purpose::Advisor,
    };
    let mut pause = PAUSE;
    for attempt in 1.. {
        match once(context, call.clone(), request.clone()).await {
            Err(error) if error.retryable && attempt < TRIES => {
                context
                    .show(ChatMessagePart {
                        result_reset: true,
                        ..ChatMessagePart::default()
                    })
                    .await;
                tokio::time::sleep(error.retry_after.unwrap_or(pause).min(PAUSE * 10)).await;
                pause *= 2;
            }
            ended => return ended,
        }
    }
    Err(Error::canceled())
}

/// One call, shown to viewers as it comes.
async fn once(context: &ToolContext, call: Call, request: Request) -> Result<String, Error> {
    let cancel = CancellationToken::new();
    let _given_up = cancel.clone().drop_guard();
    let mut events = context.models.stream(call, request, cancel);
    let mut advice = String::new();
    let mut finish = None;
    while let Some(event) = events.next().await {
        let mut shown = ChatMessagePart::default();
        match event? {
            Event::TextDelta { text } if advice.len() + text.len() <= MAX_ADVICE => {
                advice.push_str(&text);
                shown.result_delta = text;
            }
            Event::ReasoningDelta { text } => shown.reasoning_delta = text,
            Event::Finish { reason, .. } => {
                finish = Some(reason);
                break;
            }
            _ => continue,
        }
        context.show(shown).await;
    }
    let advice = advice.trim();
    match finish {
        _ if !advice.is_empty() => Ok(advice.to_owned()),
        Some(FinishReason::Length) => {
            Err(told("The advisor's answer was cut off before it began."))
        }
        _ => Err(told("The advisor gave no answer.")),
    }
}

fn told(text: &str) -> Error {
    Error::new(llm::ErrorKind::Generic, text)
}
