//! The client over a connection in memory.

use api_types::FileEditRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use uuid::Uuid;

use super::*;
use crate::Error;

/// An agent that answers one request with `answer` and hands it over.
fn agent(answer: &'static str) -> (AgentApi, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    let api = AgentApi::new(move || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(one(theirs, answer, seen.clone()));
        async move { Ok(ours) }
    });
    (api, requests)
}

async fn one(
    mut stream: DuplexStream,
    answer: &str,
    seen: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut request = vec![0; 64 * 1024];
    let n = stream.read(&mut request).await.unwrap();
    seen.send(String::from_utf8_lossy(&request[..n]).into_owned())
        .unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn requests_name_their_chat() {
    let (api, mut requests) =
        agent("HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"resolved_path\":\"/a b/c\"}");
    let (chat, above) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let resolved = api.for_chat(chat, &[above]).resolve_path("/a b").await;
    // One byte is missing: the answer is broken off.
    assert!(matches!(
        resolved,
        Err(Error::Decode { .. } | Error::Transport { .. })
    ));
    let request = requests.recv().await.unwrap();
    assert!(
        request.starts_with("GET /api/v0/resolve-path?path=%2Fa+b HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains(&format!("coder-chat-id: {chat}\r\n")));
    assert!(request.contains(&format!("coder-ancestor-chat-ids: [\"{above}\"]\r\n")));
}

#[tokio::test]
async fn errors_of_the_agent_are_told() {
    let (api, _requests) = agent(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n\
         {\"message\":\"no file\",\"detail\":\"d\"}",
    );
    let error = api
        .edit_files(&FileEditRequest::default())
        .await
        .unwrap_err();
    let said = error.api().unwrap();
    assert_eq!(
        (said.message.as_str(), said.detail.as_str()),
        ("no file", "d")
    );
    assert_eq!(said.status, http::StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_agent_out_of_reach_is_a_transport_error() {
    let api = AgentApi::new(|| async {
        Err::<DuplexStream, _>(io::Error::new(io::ErrorKind::HostUnreachable, "no way"))
    });
    let error = api.listening_ports().await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("no way"));
    let silent = AgentApi::new(|| async {
        let (ours, theirs) = tokio::io::duplex(64);
        std::mem::forget(theirs);
        Ok(ours)
    });
    let error = silent
        .with_timeout(Duration::from_millis(10))
        .netcheck()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("did not answer"), "{error}");
}

#[tokio::test]
async fn files_come_in_parts() {
    let (api, _requests) = agent(
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let file = api.read_file("/x.png", 0, 0).await.unwrap();
    assert_eq!((file.media_type(), file.length()), ("image/png", None));
    assert_eq!(file.bytes(10).await.unwrap().as_ref(), b"abcde");
    let (api, _requests) = agent("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde");
    let file = api.read_file("/x", 0, 0).await.unwrap();
    assert_eq!(file.length(), Some(5));
    assert!(file.bytes(4).await.is_err());
}
