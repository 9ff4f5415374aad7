//! What these tests share.

use futures::StreamExt;
use llm::{
    AwsKeys, Credential, Endpoint, Error, Event, Http, Message, ProviderType, Request, Role, Tool,
};
use serde_json::json;
use testkit::model::ModelServer;
use tokio_util::sync::CancellationToken;

/// A key that must never be seen in an error.
pub const KEY: &str = "secret-key-0123456789";

/// One way to call each interface: type, model.
pub const WAYS: &[(ProviderType, &str)] = &[
    (ProviderType::OpenAi, "gpt-5.1"),
    (ProviderType::OpenAi, "my-tuned-model"),
    (ProviderType::OpenAiCompat, "llama-3"),
    (ProviderType::OpenRouter, "vendor/model"),
    (ProviderType::Vercel, "vendor/model"),
    (ProviderType::Azure, "gpt-4.1"),
    (ProviderType::Azure, "my-deployment"),
    (ProviderType::Anthropic, "claude-sonnet-4-5"),
    (ProviderType::Bedrock, "us.anthropic.claude-sonnet-4-5-v1:0"),
    (ProviderType::Google, "gemini-2.5-pro"),
];

pub fn endpoint(server: &ModelServer, kind: ProviderType) -> Endpoint {
    let base = match kind {
        ProviderType::Anthropic
        | ProviderType::Bedrock
        | ProviderType::Google
        | ProviderType::Azure => server.url(),
        _ => server.v1(),
    };
    let credential = match kind {
        ProviderType::Bedrock => Credential::Aws(AwsKeys {
            access_key: "AKIDEXAMPLE".to_owned().into(),
            secret_key: KEY.to_owned().into(),
            session_token: None,
        }),
        _ => Credential::Key(KEY.to_owned().into()),
    };
    Endpoint {
        kind,
        base_url: Some(base.parse().unwrap()),
        region: Some("us-east-1".to_owned()),
        credential,
    }
}

pub fn http() -> Http {
    Http::new("coder-agents/test").unwrap()
}

/// A question with one tool.
pub fn question(model: &str) -> Request {
    Request {
        model: model.to_owned(),
        messages: vec![
            Message::text(Role::System, "be brief"),
            Message::text(Role::User, "hi"),
        ],
        tools: vec![Tool::new(
            "execute",
            "Runs a command.",
            json!({"type": "object", "properties": {"command": {"type": "string"}}}),
        )],
        max_output_tokens: Some(1000),
        ..Request::default()
    }
}

/// Asks, and collects all events up to the end or the error.
pub async fn ask(
    server: &ModelServer,
    kind: ProviderType,
    request: Request,
) -> (Vec<Event>, Option<Error>) {
    ask_over(&http(), server, kind, request).await
}

pub async fn ask_over(
    http: &Http,
    server: &ModelServer,
    kind: ProviderType,
    request: Request,
) -> (Vec<Event>, Option<Error>) {
    let provider = llm::connect(http, endpoint(server, kind), &request).unwrap();
    let mut stream = provider.stream(request, CancellationToken::new());
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(
                    stream.next().await.is_none(),
                    "a stream ends after an error"
                );
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

/// The text of the events.
pub fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
