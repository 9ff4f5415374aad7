//! Computer use: the forms of the providers that have one, and that of all others.

use llm::{
    Event, FileData, MediaPart, Message, Part, ProviderType, Request, Role, Tool, ToolOutput,
    ToolResult, computer,
};
use serde_json::{Value, json};
use testkit::model::{ModelServer, Piece, Reply};

use crate::support::{ask, question};

/// A question to a model that may use the screen.
fn on_screen(provider: &str, model: &str) -> Request {
    let mut tool = Tool::new(
        computer::COMPUTER,
        "Uses the screen.",
        json!({"type": "object"}),
    );
    tool.native = computer::native(provider, model);
    Request {
        tools: vec![tool],
        ..question(model)
    }
}

async fn body(kind: ProviderType, request: Request) -> Value {
    let server = ModelServer::start().await;
    let (_, error) = ask(&server, kind, request).await;
    assert_eq!(error, None);
    server.last().body
}

#[tokio::test]
async fn each_provider_is_told_in_its_form() {
    let server = ModelServer::start().await;
    let request = on_screen("anthropic", "claude-opus-5");
    let (_, error) = ask(&server, ProviderType::Anthropic, request).await;
    assert_eq!(error, None);
    let asked = server.last();
    assert_eq!(
        asked.header("anthropic-beta"),
        Some("computer-use-2025-11-24")
    );
    assert_eq!(
        asked.body["tools"],
        json!([{"type": "computer_20251124", "name": "computer",
            "display_width_px": 1280, "display_height_px": 720}])
    );
    let told = body(ProviderType::OpenAi, on_screen("openai", "gpt-5.5")).await;
    assert_eq!(told["tools"], json!([{"type": "computer"}]));
    // Who knows no such tool gets an ordinary one.
    for (kind, provider, model, name) in [
        (ProviderType::OpenAi, "openai", "gpt-4.1", "/tools/0/name"),
        (
            ProviderType::OpenAiCompat,
            "openai-compat",
            "llama",
            "/tools/0/function/name",
        ),
        (
            ProviderType::Anthropic,
            "anthropic",
            "claude-sonnet-4-5",
            "/tools/0/name",
        ),
        (
            ProviderType::Google,
            "google",
            "gemini-3",
            "/tools/0/functionDeclarations/0/name",
        ),
    ] {
        let told = body(kind, on_screen(provider, model)).await;
        assert_eq!(told.pointer(name), Some(&json!("computer")), "{told:#}");
    }
    // An interface without native tools tells of the native one by its schema, too.
    let mut odd = on_screen("openai", "gpt-5.5");
    odd.model = "llama".to_owned();
    let told = body(ProviderType::OpenAiCompat, odd).await;
    assert_eq!(told["tools"][0]["function"]["name"], "computer");
}

/// A stream of one call of the computer tool.
fn calling(item: &Value) -> Reply {
    let done = json!({"type": "response.completed", "response": {"id": "r", "status": "completed",
        "output": [item], "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        done,
    ];
    let frames: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    Reply::raw([Piece::Bytes(frames.into_bytes())])
}

#[tokio::test]
async fn openais_calls_are_read_and_answered_in_their_form() {
    let check = json!({"id": "c1", "code": "malicious_instructions", "message": "Is this right?"});
    let click = json!({"type": "click", "button": "left", "x": 3, "y": 4});
    let new = json!({"type": "computer_call", "id": "cu_1", "call_id": "call_1",
        "status": "completed", "actions": [click], "pending_safety_checks": [check]});
    let old = json!({"type": "computer_call", "id": "cu_1", "call_id": "call_1",
        "status": "completed", "action": click, "pending_safety_checks": []});
    for (item, checked) in [(&new, true), (&old, false)] {
        let server = ModelServer::start().await;
        server.then(calling(item));
        let (events, error) = ask(
            &server,
            ProviderType::OpenAi,
            on_screen("openai", "gpt-5.5"),
        )
        .await;
        assert_eq!(error, None);
        let call = events.iter().find_map(|event| match event {
            Event::ToolCallEnd(call) => Some(call.clone()),
            _ => None,
        });
        let call = call.expect("a call");
        let args = call.parsed().unwrap();
        assert_eq!(args["actions"], json!([click]));
        assert_eq!(args.contains_key("pending_safety_checks"), checked);

        // A picture is the answer; words come with an empty one, and behind it.
        let picture = ToolOutput::Media {
            text: String::new(),
            media: MediaPart {
                media_type: "image/png".to_owned(),
                name: None,
                data: FileData::new(&b"png"[..]),
            },
        };
        for (output, fails) in [
            (picture, false),
            (ToolOutput::Text("no screen".to_owned()), true),
        ] {
            let mut request = on_screen("openai", "gpt-5.5");
            request.messages.push(Message {
                role: Role::Assistant,
                parts: vec![Part::ToolCall(call.clone())],
            });
            request.messages.push(Message {
                role: Role::Tool,
                parts: vec![Part::ToolResult(ToolResult {
                    call_id: call.id.clone(),
                    name: "computer".to_owned(),
                    output,
                    is_error: fails,
                    provider_executed: false,
                    metadata: llm::Metadata::default(),
                })],
            });
            let told = body(ProviderType::OpenAi, request).await;
            let items = told["input"].as_array().unwrap();
            assert_eq!(&items[2], item, "as it came");
            let answer = &items[3];
            assert_eq!(answer["type"], "computer_call_output");
            assert_eq!(answer["call_id"], "call_1");
            assert_eq!(answer["output"]["type"], "computer_screenshot");
            let url = answer["output"]["image_url"].as_str().unwrap();
            assert!(url.starts_with("data:image/png;base64,"), "{url}");
            assert_eq!(answer["acknowledged_safety_checks"].is_array(), checked);
            assert_eq!(items.len(), if fails { 5 } else { 4 });
            if fails {
                assert!(items[4].to_string().contains("no screen"));
            }
        }
    }
}
