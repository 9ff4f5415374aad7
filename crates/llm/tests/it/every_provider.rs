//! The same answers come out of every wire format, and go back as they must.

use llm::{Answer, Event, FinishReason, Message, Part, ProviderType, Role, ToolOutput, ToolResult};
use testkit::model::{ModelServer, Reply, Say};
use tokio_util::sync::CancellationToken;

use crate::support::{WAYS, ask, endpoint, http, question, text};

fn answer() -> Vec<Say> {
    vec![
        Say::reasoning("thinking…", "sig-1"),
        Say::text("Grüße "),
        Say::call("c1", "execute", r#"{"command":"ls"}"#),
        Say::Usage(100, 7, 40),
    ]
}

#[tokio::test]
async fn text_reasoning_and_calls_are_understood_however_they_are_split() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::say(answer()));
        server.then(Reply::say(answer()).drip());
        let (events, error) = ask(&server, *kind, question(model)).await;
        assert_eq!(error, None, "{kind:?} {model}");
        let (dripped, _) = ask(&server, *kind, question(model)).await;
        assert_eq!(events, dripped, "{kind:?} {model}: byte by byte");
        assert_eq!(text(&events), "Grüße ", "{kind:?} {model}");
        let call = events
            .iter()
            .find_map(|event| match event {
                Event::ToolCallEnd(call) => Some(call.clone()),
                _ => None,
            })
            .unwrap();
        assert_eq!(call.name, "execute");
        assert_eq!(call.parsed().unwrap()["command"], "ls");
        let deltas: String = events
            .iter()
            .filter_map(|event| match event {
                Event::ToolCallArgsDelta { id, delta } if *id == call.id => Some(delta.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(deltas, call.args);
        let usage = events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Usage(usage) => Some(*usage),
                _ => None,
            })
            .unwrap();
        assert_eq!(
            (
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.output_tokens
            ),
            (60, 40, 7),
            "{kind:?} {model}"
        );
        assert!(
            matches!(
                events.last(),
                Some(Event::Finish { reason: FinishReason::ToolCalls, provider_response_id })
                    if !provider_response_id.is_empty()
            ),
            "{kind:?} {model}: {:?}",
            events.last()
        );
    }
}

#[tokio::test]
async fn whole_answers_say_the_same_as_streams() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::say([Say::text("yes"), Say::Truncated]));
        let request = question(model);
        let provider = llm::connect(&http(), endpoint(&server, *kind), &request).unwrap();
        let answer = provider
            .complete(request, CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(answer.text(), "yes", "{kind:?} {model}");
        assert_eq!(answer.reason, FinishReason::Length);
        assert_eq!(answer.usage.output_tokens, 20);
    }
}

#[tokio::test]
async fn answers_of_a_given_schema_come_as_text() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::text(r#"{"title":"A"}"#));
        let mut request = question(model);
        request.output_schema = Some(llm::OutputSchema {
            name: "title".to_owned(),
            schema: serde_json::json!({"type": "object"}),
        });
        let provider = llm::connect(&http(), endpoint(&server, *kind), &request).unwrap();
        let stream = provider.stream(request, CancellationToken::new());
        let answer = Answer::collect(stream).await.unwrap();
        assert_eq!(answer.text(), r#"{"title":"A"}"#, "{kind:?} {model}");
        assert_eq!(answer.reason, FinishReason::Stop);
    }
}

/// What each family must see again of the reasoning and the call of its own answer.
#[tokio::test]
async fn signatures_come_back_unchanged() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::say(answer()));
        let mut request = question(model);
        let provider = llm::connect(&http(), endpoint(&server, *kind), &request).unwrap();
        let stream = provider.stream(request.clone(), CancellationToken::new());
        let parts = Answer::collect(stream).await.unwrap().parts;
        let id = parts
            .iter()
            .find_map(|part| match part {
                Part::ToolCall(call) => Some(call.id.clone()),
                _ => None,
            })
            .unwrap();
        request.messages.push(Message {
            role: Role::Assistant,
            parts,
        });
        request.messages.push(Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult(ToolResult {
                call_id: id,
                name: "execute".to_owned(),
                output: ToolOutput::Text("a.txt".to_owned()),
                is_error: false,
                provider_executed: false,
                metadata: llm::Metadata::default(),
            })],
        });
        let (_, error) = ask(&server, *kind, request).await;
        assert_eq!(error, None);
        let body = server.last().body.to_string();
        assert!(body.contains("a.txt"), "{kind:?} {model}: {body}");
        let expected = match kind {
            ProviderType::Anthropic | ProviderType::Bedrock => {
                r#""signature":"sig-1","thinking":"thinking…","type":"thinking""#
            }
            ProviderType::Google => r#""thoughtSignature":"signed-c1""#,
            ProviderType::OpenAi | ProviderType::Azure if model.starts_with("gpt") => {
                r#""encrypted_content":"sig-1""#
            }
            _ => r#""reasoning_content":"thinking…""#,
        };
        assert!(
            sorted(&server.last().body).contains(expected),
            "{kind:?} {model}: {body}"
        );
    }
}

/// JSON text whose keys are sorted, however the map keeps them.
fn sorted(value: &serde_json::Value) -> String {
    fn sort(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let tree: std::collections::BTreeMap<_, _> =
                    map.iter().map(|(k, v)| (k.clone(), sort(v))).collect();
                serde_json::to_value(tree).unwrap()
            }
            serde_json::Value::Array(list) => list.iter().map(sort).collect(),
            other => other.clone(),
        }
    }
    sort(value).to_string()
}

#[tokio::test]
async fn a_conversation_may_change_its_model_at_any_time() {
    // What every family answered, told to every other.
    let mut history = Vec::new();
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::say(answer()));
        let request = question(model);
        let provider = llm::connect(&http(), endpoint(&server, *kind), &request).unwrap();
        let stream = provider.stream(request, CancellationToken::new());
        history.push(Message {
            role: Role::Assistant,
            parts: Answer::collect(stream).await.unwrap().parts,
        });
        history.push(Message::text(Role::User, "go on"));
    }
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        let mut request = question(model);
        request.messages.extend(history.clone());
        let (events, error) = ask(&server, *kind, request).await;
        assert_eq!((text(&events).as_str(), error), ("ok", None), "{kind:?}");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        let http = http();
        for _ in 0..3 {
            let (_, error) = crate::support::ask_over(&http, &server, *kind, question(model)).await;
            assert_eq!(error, None);
            // The end of the body is read in the background.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(server.last().connection, 1, "{kind:?} {model}");
    }
}

#[tokio::test]
async fn searches_by_the_provider_give_sources() {
    for (kind, model) in [
        (ProviderType::OpenAi, "gpt-5.1"),
        (ProviderType::Anthropic, "claude-sonnet-4-5"),
        (ProviderType::Google, "gemini-2.5-pro"),
    ] {
        let server = ModelServer::start().await;
        server.then(Reply::say([
            Say::Search(
                "rust".into(),
                "https://rust-lang.org/".into(),
                "Rust".into(),
            ),
            Say::text("It is a language."),
        ]));
        let mut request = question(model);
        request.web_search = Some(llm::WebSearch::default());
        let provider = llm::connect(&http(), endpoint(&server, kind), &request).unwrap();
        let stream = provider.stream(request.clone(), CancellationToken::new());
        let answer = Answer::collect(stream).await.unwrap();
        assert!(
            answer
                .parts
                .iter()
                .any(|part| matches!(part, Part::Source(s)
                if s.url == "https://rust-lang.org/" && s.title == "Rust")),
            "{kind:?}: {:?}",
            answer.parts
        );
        assert_eq!(answer.reason, FinishReason::Stop);
        // The next request carries the search where the provider wants to see it again.
        request.messages.push(Message {
            role: Role::Assistant,
            parts: answer.parts,
        });
        request.messages.push(Message::text(Role::User, "more"));
        let (_, error) = ask(&server, kind, request).await;
        assert_eq!(error, None);
        let body = server.last().body.to_string();
        match kind {
            ProviderType::OpenAi => assert!(body.contains("web_search_call"), "{body}"),
            ProviderType::Anthropic => assert!(
                body.contains("server_tool_use") && body.contains("web_search_tool_result"),
                "{body}"
            ),
            _ => {}
        }
    }
}
