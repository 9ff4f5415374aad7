//! The exact requests.

use llm::{
    FileData, MediaPart, Message, Part, ProviderType, ReasoningEffort, Role, Source, ToolChoice,
};
use serde_json::{Value, json};
use testkit::model::{Asked, ModelServer};

use crate::support::{KEY, ask, question};

async fn asked(kind: ProviderType, request: llm::Request) -> Asked {
    let server = ModelServer::start().await;
    let (_, error) = ask(&server, kind, request).await;
    assert_eq!(error, None);
    server.last()
}

#[tokio::test]
async fn responses() {
    let mut request = question("gpt-5.1");
    request.reasoning_effort = Some(ReasoningEffort::High);
    request.temperature = Some(0.5);
    request.headers = vec![("x-coder-chat-id", "chat".to_owned())];
    let asked = asked(ProviderType::OpenAi, request).await;
    assert_eq!(asked.path, "/v1/responses");
    assert_eq!(
        asked.header("authorization"),
        Some(&*format!("Bearer {KEY}"))
    );
    assert_eq!(asked.header("user-agent"), Some("coder-agents/test"));
    assert_eq!(asked.header("x-coder-chat-id"), Some("chat"));
    assert_eq!(
        asked.body,
        json!({
            "model": "gpt-5.1",
            "stream": true,
            "store": false,
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "high", "summary": "auto"},
            "max_output_tokens": 1000,
            "input": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            ],
            "tools": [{"type": "function", "name": "execute", "description": "Runs a command.",
                "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
                "strict": false}],
        })
    );
}

#[tokio::test]
async fn chat_completions() {
    let mut request = question("llama-3");
    request.temperature = Some(0.5);
    request.tool_choice = ToolChoice::Tool("execute".to_owned());
    let asked = asked(ProviderType::OpenAiCompat, request).await;
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(
        asked.body,
        json!({
            "model": "llama-3",
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": 1000,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hi"},
            ],
            "tools": [{"type": "function", "function": {"name": "execute",
                "description": "Runs a command.",
                "parameters": {"type": "object", "properties": {"command": {"type": "string"}}}}}],
            "tool_choice": "required",
        })
    );
}

#[tokio::test]
async fn messages_with_cache_marks() {
    let mut request = question("claude-sonnet-4-5");
    request.reasoning_effort = Some(ReasoningEffort::High);
    request.max_output_tokens = Some(10_000);
    // Thinking and a temperature exclude each other.
    request.temperature = Some(0.5);
    let asked = asked(ProviderType::Anthropic, request).await;
    assert_eq!(asked.path, "/v1/messages");
    assert_eq!(asked.header("x-api-key"), Some(KEY));
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
    let mark = json!({"type": "ephemeral"});
    assert_eq!(
        asked.body,
        json!({
            "model": "claude-sonnet-4-5",
            "stream": true,
            "max_tokens": 10_000,
            "thinking": {"type": "enabled", "budget_tokens": 8000},
            "system": [{"type": "text", "text": "be brief", "cache_control": mark}],
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "hi", "cache_control": mark}]}],
            "tools": [{"name": "execute", "description": "Runs a command.",
                "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
        })
    );
}

#[tokio::test]
async fn the_last_two_messages_are_cached() {
    let mut request = question("claude-sonnet-4-5");
    for n in 0..3 {
        request
            .messages
            .push(Message::text(Role::Assistant, format!("a{n}")));
        request
            .messages
            .push(Message::text(Role::User, format!("u{n}")));
    }
    let body = asked(ProviderType::Anthropic, request).await.body;
    let marked: Vec<bool> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["content"][0].get("cache_control").is_some())
        .collect();
    assert_eq!(marked, [false, false, false, false, false, true, true]);
}

#[tokio::test]
async fn bedrock_signs() {
    let asked = asked(
        ProviderType::Bedrock,
        question("us.anthropic.claude-sonnet-4-5-v1:0"),
    )
    .await;
    assert_eq!(
        asked.path,
        "/model/us.anthropic.claude-sonnet-4-5-v1%3A0/invoke-with-response-stream"
    );
    assert_eq!(asked.body["anthropic_version"], "bedrock-2023-05-31");
    assert!(asked.body.get("model").is_none() && asked.body.get("stream").is_none());
    let authorization = asked.header("authorization").unwrap();
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && authorization.contains("/us-east-1/bedrock/aws4_request")
            && authorization.contains("SignedHeaders=content-type;host;x-amz-date,"),
        "{authorization}"
    );
}

#[tokio::test]
async fn gemini() {
    let mut request = question("gemini-2.5-pro");
    request.reasoning_effort = Some(ReasoningEffort::Low);
    let asked = asked(ProviderType::Google, request).await;
    assert_eq!(
        asked.path,
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    );
    assert_eq!(asked.header("x-goog-api-key"), Some(KEY));
    assert_eq!(
        asked.body,
        json!({
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "generationConfig": {"maxOutputTokens": 1000,
                "thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": true}},
            "tools": [{"functionDeclarations": [{"name": "execute",
                "description": "Runs a command.", "parametersJsonSchema":
                {"type": "object", "properties": {"command": {"type": "string"}}}}]}],
        })
    );
}

#[tokio::test]
async fn azure_has_a_key_header_and_versions() {
    let chat = asked(ProviderType::Azure, question("my-deployment")).await;
    assert_eq!(
        chat.path,
        "/openai/deployments/my-deployment/chat/completions?api-version=2025-04-01-preview"
    );
    assert_eq!(chat.header("api-key"), Some(KEY));
    assert_eq!(chat.header("authorization"), None);
    let responses = asked(ProviderType::Azure, question("gpt-4.1")).await;
    assert_eq!(
        responses.path,
        "/openai/responses?api-version=2025-04-01-preview"
    );
}

fn with_file(model: &str, media_type: &str, bytes: &[u8]) -> llm::Request {
    let mut request = question(model);
    request.messages.push(Message {
        role: Role::User,
        parts: vec![
            Part::Media(MediaPart {
                media_type: media_type.to_owned(),
                name: Some("f".to_owned()),
                data: FileData::new(bytes.to_vec()),
            }),
            Part::Source(Source {
                id: "s".to_owned(),
                url: "https://never.sent/".to_owned(),
                title: String::new(),
            }),
        ],
    });
    request
}

#[tokio::test]
async fn files_by_the_rules_of_each_provider() {
    let find = |body: &Value, needle: &str| body.to_string().contains(needle);
    for (kind, model, media_type, needle) in [
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            "image/png",
            r#""input_image""#,
        ),
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            "application/pdf",
            r#""input_file""#,
        ),
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            "text/csv",
            r#"<file name=\"f\">"#,
        ),
        (
            ProviderType::OpenAiCompat,
            "m",
            "image/png",
            "data:image/png;base64,YWJj",
        ),
        (
            ProviderType::OpenAiCompat,
            "m",
            "application/pdf",
            r#""file_data""#,
        ),
        (
            ProviderType::OpenAiCompat,
            "m",
            "audio/wav",
            r#""input_audio""#,
        ),
        (ProviderType::OpenAiCompat, "m", "video/mp4", "was left out"),
        (
            ProviderType::Anthropic,
            "claude-3",
            "image/png",
            r#""media_type":"image/png""#,
        ),
        (
            ProviderType::Anthropic,
            "claude-3",
            "application/pdf",
            r#""type":"document""#,
        ),
        (
            ProviderType::Anthropic,
            "claude-3",
            "text/plain",
            r#""data":"abc""#,
        ),
        (
            ProviderType::Anthropic,
            "claude-3",
            "image/tiff",
            "was left out",
        ),
        (
            ProviderType::Google,
            "gemini",
            "video/mp4",
            r#""inlineData""#,
        ),
    ] {
        let asked = asked(kind, with_file(model, media_type, b"abc")).await;
        assert!(
            find(&asked.body, needle),
            "{kind:?} {media_type}: {}",
            asked.body
        );
        assert!(!find(&asked.body, "never.sent"));
    }
}

#[tokio::test]
async fn an_image_that_is_too_large_says_what_to_do() {
    let server = ModelServer::start().await;
    let request = with_file("claude-sonnet-4-5", "image/png", &vec![0; 6 << 20]);
    let (_, error) = ask(&server, ProviderType::Anthropic, request).await;
    let error = error.unwrap();
    assert_eq!(error.kind, llm::ErrorKind::Config);
    assert!(
        error.message.contains("5 MiB") && !error.retryable,
        "{error}"
    );
    assert!(server.asked().is_empty());
}
