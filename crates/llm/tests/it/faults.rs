//! All the ways in which providers fail.

use std::time::Duration;

use futures::StreamExt;
use llm::{ErrorKind, Event, ProviderType};
use serde_json::json;
use testkit::model::{ModelServer, Piece, Reply, Say};
use tokio_util::sync::CancellationToken;

use crate::support::{KEY, WAYS, ask, ask_over, endpoint, http, question, text};

#[tokio::test]
async fn statuses_and_hints() {
    let server = ModelServer::start().await;
    for (status, kind, retryable) in [
        (400, ErrorKind::Config, false),
        (401, ErrorKind::Auth, false),
        (403, ErrorKind::Auth, false),
        (404, ErrorKind::Config, false),
        (408, ErrorKind::Timeout, true),
        (413, ErrorKind::Config, false),
        (429, ErrorKind::RateLimit, true),
        (500, ErrorKind::Generic, true),
        (503, ErrorKind::Timeout, true),
        (529, ErrorKind::Overloaded, true),
    ] {
        server.then(Reply::status(status).header("retry-after-ms", "1500"));
        let (events, error) = ask(&server, ProviderType::OpenAiCompat, question("m")).await;
        let error = error.unwrap();
        assert!(events.is_empty());
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{status}");
        assert_eq!(error.status, status);
        assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(error.detail, "as the test wants it");
        assert_eq!(error.provider, "openai-compat");
    }
}

#[tokio::test]
async fn every_provider_may_ask_to_wait() {
    let told = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}});
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::status(429).header("retry-after", "3"));
        server.then(Reply::status(429));
        server.then(Reply::error(429, told.clone()));
        for wait in [Some(3), None, Some(7)] {
            let (_, error) = ask(&server, *kind, question(model)).await;
            let error = error.unwrap();
            assert_eq!(error.kind, ErrorKind::RateLimit, "{kind:?} {model}");
            assert_eq!(
                error.retry_after,
                wait.map(Duration::from_secs),
                "{kind:?} {model}"
            );
        }
    }
}

#[tokio::test]
async fn a_cut_at_every_frame_is_a_retryable_error_and_keeps_what_was_said() {
    for (kind, model) in WAYS {
        let says = [
            Say::text("one"),
            Say::call("c", "execute", r#"{"command":"ls"}"#),
        ];
        for after in 0..16 {
            let server = ModelServer::start().await;
            server.then(Reply::say(says.clone()).cut_after(after));
            let (events, error) = ask(&server, *kind, question(model)).await;
            let finished = matches!(events.last(), Some(Event::Finish { .. }));
            match error {
                None => {
                    assert!(finished, "{kind:?} {model} cut after {after}");
                    break;
                }
                Some(error) => {
                    assert!(!finished);
                    assert_eq!(error.kind, ErrorKind::Timeout, "{kind:?} {model} {after}");
                    assert!(error.retryable);
                    assert!(["", "one"].contains(&text(&events).as_str()));
                }
            }
            assert!(after < 15, "{kind:?} {model}: never whole");
        }
    }
}

#[tokio::test]
async fn an_end_without_the_last_event_is_an_error() {
    for (kind, model, frame) in [
        (
            ProviderType::OpenAiCompat,
            "m",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
        ),
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
        ),
        (
            ProviderType::Anthropic,
            "claude-3",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
        ),
        (
            ProviderType::Google,
            "gemini",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n",
        ),
    ] {
        let server = ModelServer::start().await;
        server.then(Reply::raw([Piece::Bytes(frame.as_bytes().to_vec())]));
        let (events, error) = ask(&server, kind, question(model)).await;
        assert_eq!(text(&events), "a");
        let error = error.unwrap();
        assert_eq!(
            (error.kind, error.retryable),
            (ErrorKind::Timeout, true),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn errors_within_a_stream() {
    for (kind, model, frame, want) in [
        (
            ProviderType::Anthropic,
            "claude-3",
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            ErrorKind::Overloaded,
        ),
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            json!({"type": "response.failed", "response": {"status": "failed",
                "error": {"code": "rate_limit_exceeded", "message": "slow down"}}}),
            ErrorKind::RateLimit,
        ),
        (
            ProviderType::OpenAi,
            "gpt-4.1",
            json!({"type": "error", "code": "server_error", "message": "sorry"}),
            ErrorKind::Generic,
        ),
        (
            ProviderType::OpenRouter,
            "v/m",
            json!({"error": {"code": 502, "message": "upstream"}, "choices": []}),
            ErrorKind::Timeout,
        ),
        (
            ProviderType::Google,
            "gemini",
            json!({"promptFeedback": {"blockReason": "SAFETY"}}),
            ErrorKind::ContentFilter,
        ),
    ] {
        let server = ModelServer::start().await;
        let bytes = format!("data: {frame}\n\n").into_bytes();
        server.then(Reply::raw([Piece::Bytes(bytes)]));
        let (_, error) = ask(&server, kind, question(model)).await;
        assert_eq!(error.unwrap().kind, want, "{frame}");
    }
}

#[tokio::test]
async fn silence_ends_a_call_even_while_the_provider_pings() {
    let http = http().silence(Duration::from_millis(200));
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::say([Say::text("one")]).hang_after(3));
        let (_, error) = ask_over(&http, &server, *kind, question(model)).await;
        // Short answers may be whole before that.
        if let Some(error) = error {
            assert_eq!(error.kind, ErrorKind::StreamSilence, "{kind:?}");
            assert!(error.retryable);
        }
    }
    let server = ModelServer::start().await;
    let ping = b"event: ping\ndata: {\"type\": \"ping\"}\n\n".to_vec();
    let pings = std::iter::repeat_n(
        [Piece::Bytes(ping), Piece::Wait(Duration::from_millis(20))],
        1000,
    );
    server.then(Reply::raw(pings.flatten()));
    let (_, error) = ask_over(&http, &server, ProviderType::Anthropic, question("c")).await;
    assert_eq!(error.unwrap().kind, ErrorKind::StreamSilence);
}

#[tokio::test]
async fn fifty_megabytes_and_endless_streams_are_cut() {
    let server = ModelServer::start().await;
    let delta = json!({"choices": [{"delta": {"content": "x".repeat(64 << 10)}}]});
    let frame = format!("data: {delta}\n\n").into_bytes();
    server.then(Reply::raw([Piece::Repeat(frame, 800)]));
    let (events, error) = ask(&server, ProviderType::OpenAiCompat, question("m")).await;
    let error = error.unwrap();
    assert!(
        !error.retryable && error.message.contains("8 MiB"),
        "{error}"
    );
    assert!(text(&events).len() <= 8 << 20);
    // One line without an end.
    let server = ModelServer::start().await;
    server.then(Reply::raw([Piece::Repeat(vec![b'x'; 1 << 20], 64)]));
    let (_, error) = ask(&server, ProviderType::OpenAiCompat, question("m")).await;
    assert!(!error.unwrap().retryable);
}

#[tokio::test]
async fn garbage_is_an_error_and_never_a_panic() {
    for (kind, model) in WAYS {
        for garbage in [
            &b"data: {\"choices\": 7, \"type\": [], \"candidates\": {}}\n\n"[..],
            b"data: not json\n\n",
            b"\xff\xfe\x00\x01",
            b"<html>sign in to the wifi</html>",
        ] {
            let server = ModelServer::start().await;
            server.then(Reply::raw([Piece::Bytes(garbage.to_vec())]));
            let (events, error) = ask(&server, *kind, question(model)).await;
            assert!(error.is_some() && events.is_empty(), "{kind:?} {garbage:?}");
        }
    }
}

#[tokio::test]
async fn invalid_arguments_and_repeated_ids_reach_the_caller() {
    for (kind, model) in WAYS {
        if *kind == ProviderType::Google {
            continue; // Its arguments are an object on the wire.
        }
        let server = ModelServer::start().await;
        server.then(Reply::say([
            Say::call("same", "execute", r#"{"command": "#),
            Say::call("same", "execute", r#"{"command":"b"}"#),
        ]));
        let (events, error) = ask(&server, *kind, question(model)).await;
        assert_eq!(error, None);
        let calls: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::ToolCallEnd(call) => Some(call.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(calls.len(), 2, "{kind:?} {model}");
        assert_ne!(calls[0].id, calls[1].id);
        assert!(calls[0].parsed().unwrap_err().contains("not valid JSON"));
        assert_eq!(calls[1].parsed().unwrap()["command"], "b");
    }
}

#[tokio::test]
async fn credentials_never_appear_in_errors() {
    for (kind, model) in WAYS {
        let server = ModelServer::start().await;
        server.then(Reply::error(
            401,
            json!({"error": {"message": format!("invalid api key {KEY} and sk-other0123456789")}}),
        ));
        let (_, error) = ask(&server, *kind, question(model)).await;
        let error = error.unwrap();
        assert_eq!(error.kind, ErrorKind::Auth);
        let shown = format!("{error:?} {error}");
        assert!(
            !shown.contains(KEY) && !shown.contains("sk-other"),
            "{shown}"
        );
        assert!(shown.contains("[redacted]"));
        let shown = format!("{:?}", endpoint(&server, *kind));
        assert!(!shown.contains(KEY), "{shown}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = ModelServer::start().await;
    let elsewhere = ModelServer::start().await;
    server.then(Reply::status(302).header("location", &elsewhere.v1()));
    let (_, error) = ask(&server, ProviderType::OpenAiCompat, question("m")).await;
    assert_eq!(error.unwrap().kind, ErrorKind::Config);
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn nobody_listens() {
    let server = ModelServer::start().await;
    let mut endpoint = endpoint(&server, ProviderType::OpenAiCompat);
    drop(server);
    endpoint.base_url = Some("http://127.0.0.1:1/v1".parse().unwrap());
    let request = question("m");
    let provider = llm::connect(&http(), endpoint, &request).unwrap();
    let mut stream = provider.stream(request, CancellationToken::new());
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Timeout, true));
    assert!(!error.detail.is_empty());
}

#[tokio::test]
async fn cancelling_ends_the_stream() {
    let server = ModelServer::start().await;
    server.then(Reply::say([Say::text("one")]).hang_after(2));
    let request = question("m");
    let provider = llm::connect(
        &http(),
        endpoint(&server, ProviderType::OpenAiCompat),
        &request,
    )
    .unwrap();
    let cancel = CancellationToken::new();
    let mut stream = provider.stream(request, cancel.clone());
    assert!(matches!(
        stream.next().await,
        Some(Ok(Event::TextDelta { .. }))
    ));
    cancel.cancel();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Canceled, false));
    assert!(stream.next().await.is_none());
}
