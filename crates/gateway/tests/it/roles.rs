//! Roles of AWS, taken on at a scripted service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway::Options;
use llm::ErrorKind;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use crate::world::World;

/// A service that hands out keys, or refuses, and keeps what it was asked.
struct Sts {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
    allows: Arc<AtomicUsize>,
    /// When its first keys end, if not at once.
    first: Arc<Mutex<Option<String>>>,
}

impl Sts {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let allows = Arc::new(AtomicUsize::new(1));
        let (kept, allowed) = (asked.clone(), allows.clone());
        let first = Arc::new(Mutex::new(None::<String>));
        let ends = first.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                // Requests of this test are shorter than one read; their body ends with the version.
                while !request.ends_with(b"Version=2011-06-15") {
                    let mut piece = [0; 4096];
                    let read = socket.read(&mut piece).await.unwrap();
                    if read == 0 {
                        break;
                    }
                    request.extend_from_slice(&piece[..read]);
                }
                kept.lock().push(String::from_utf8(request).unwrap());
                let n = kept.lock().len();
                let (status, body) = if allowed.load(Ordering::Relaxed) == 0 {
                    let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not \
                                authorized with secret-of-the-server</Message></Error></ErrorResponse>";
                    ("403 Forbidden", body.to_owned())
                } else {
                    // The first end at once.
                    let end = match n {
                        1 => ends
                            .lock()
                            .clone()
                            .unwrap_or("2000-01-01T00:00:00Z".to_owned()),
                        _ => "2999-01-01T00:00:00Z".to_owned(),
                    };
                    let body = format!(
                        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIATEMP{n}\
                         </AccessKeyId><SecretAccessKey>temporary</SecretAccessKey><SessionToken>\
                         token-{n}</SessionToken><Expiration>{end}</Expiration></Credentials>\
                         </AssumeRoleResult></AssumeRoleResponse>"
                    );
                    ("200 OK", body)
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Sts {
            url: url.parse().unwrap(),
            asked,
            allows,
            first,
        }
    }
}

async fn world(sts: &Sts) -> World {
    world_of(Ok(Some(sts.url.clone()))).await
}

async fn world_of(role_service: Result<Option<Url>, llm::Error>) -> World {
    let options = Options {
        role_service,
        ..Options::default()
    };
    let world = World::with(&[], "bedrock", options).await;
    let settings = serde_json::json!({
        "_type": "bedrock", "_version": 1, "region": "eu-west-1",
        "access_key": "AKIDEXAMPLE", "access_key_secret": "secret-of-the-server",
        "role_arn": "arn:aws:iam::123456789012:role/llm", "external_id": "told-by-us",
    });
    let (sealed, key) = world.seal.seal(&settings.to_string()).unwrap();
    world
        .db
        .store
        .execute(
            "UPDATE ai_providers SET settings = $1, settings_key_id = $2, base_url = $3",
            &[&sealed, &key, &world.model_server.url()],
        )
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn a_role_is_taken_on_once_while_it_holds() {
    let sts = Sts::start().await;
    let world = world(&sts).await;
    for n in 0..3 {
        assert_eq!(world.ask().await.1, None, "{n}");
    }
    // The first keys were over at once, the second hold.
    let asked = sts.asked.lock().clone();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].contains("Credential=AKIDEXAMPLE/"), "{}", asked[0]);
    assert!(
        asked[0].contains("/eu-west-1/sts/aws4_request"),
        "{}",
        asked[0]
    );
    assert!(asked[0].contains("ExternalId=told-by-us"), "{}", asked[0]);
    let keys: Vec<(String, String)> = world
        .model_server
        .asked()
        .iter()
        .map(|asked| {
            let signed = asked.header("authorization").unwrap();
            let key = signed.split(['=', '/']).nth(1).unwrap().to_owned();
            (
                key,
                asked.header("x-amz-security-token").unwrap().to_owned(),
            )
        })
        .collect();
    let pair = |n: u8| (format!("ASIATEMP{n}"), format!("token-{n}"));
    assert_eq!(keys, [pair(1), pair(2), pair(2)]);
}

#[tokio::test]
async fn a_refused_role_is_told_without_secrets() {
    let sts = Sts::start().await;
    sts.allows.store(0, Ordering::Relaxed);
    let world = world(&sts).await;
    let error = world.ask().await.1.unwrap();
    assert_eq!((error.kind, error.status), (ErrorKind::Auth, 403));
    assert!(
        !error.retryable && error.message.contains("role"),
        "{error}"
    );
    assert!(error.detail.contains("AccessDenied"), "{}", error.detail);
    assert!(
        !error.detail.contains("secret-of-the-server"),
        "{}",
        error.detail
    );
    assert!(world.model_server.asked().is_empty());
    // Allowed now: nothing of the refusal stays.
    sts.allows.store(1, Ordering::Relaxed);
    assert_eq!(world.ask().await.1, None);
}

#[tokio::test]
async fn a_service_that_is_named_wrongly_is_told_and_no_other_is_asked() {
    let named = llm::role_service(|_| Some("sts.internal".to_owned()));
    let world = world_of(named).await;
    let error = world.ask().await.1.unwrap();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("AWS_ENDPOINT_URL_STS"), "{error}");
    assert!(world.model_server.asked().is_empty());
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let sts = Sts::start().await;
    *sts.first.lock() = Some("2999-01-01T00:00:00Z".to_owned());
    let world = world(&sts).await;
    let asked = futures::future::join_all((0..8).map(|_| world.ask())).await;
    assert!(asked.iter().all(|(_, error)| error.is_none()));
    assert_eq!(sts.asked.lock().len(), 1);
}
