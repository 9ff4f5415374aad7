//! Credentials of AWS that the place of the server gives: a machine, the agent of a container, a token
//! of a cluster. The services are scripted, and refuse what the true ones refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use gateway::Options;
use llm::{AwsSource, ErrorKind};
use serde_json::json;
use testkit::model::Asked;
use url::Url;

use crate::world::World;

/// What the services were asked, and how they behave.
#[derive(Default)]
struct Place {
    asked: AtomicUsize,
    /// How many credentials end at once.
    short: AtomicUsize,
    refuses: AtomicUsize,
    without_role: AtomicUsize,
}

impl Place {
    fn credentials(&self) -> String {
        let n = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let ends = if n <= self.short.load(Ordering::Relaxed) {
            "2000-01-01T00:00:00Z"
        } else {
            "2999-01-01T00:00:00Z"
        };
        json!({
            "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
            "AccessKeyId": format!("ASIAPLACE{n}"), "SecretAccessKey": "secret-of-the-place",
            "Token": format!("token-{n}"), "Expiration": ends,
        })
        .to_string()
    }
}

type Answer = (StatusCode, String);

async fn session(headers: HeaderMap) -> Answer {
    match headers.get("x-aws-ec2-metadata-token-ttl-seconds") {
        Some(ttl) if ttl == "21600" => (StatusCode::OK, "a-session".to_owned()),
        _ => (StatusCode::BAD_REQUEST, String::new()),
    }
}

/// Without a session, the second version of the service says nothing.
fn let_in(headers: &HeaderMap) -> bool {
    headers
        .get("x-aws-ec2-metadata-token")
        .is_some_and(|token| token == "a-session")
}

async fn role(State(place): State<Arc<Place>>, headers: HeaderMap) -> Answer {
    if !let_in(&headers) {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    match place.without_role.load(Ordering::Relaxed) {
        0 => (StatusCode::OK, "models-role\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "<html>404</html>".to_owned()),
    }
}

async fn machine(
    State(place): State<Arc<Place>>,
    Path(role): Path<String>,
    headers: HeaderMap,
) -> Answer {
    if !let_in(&headers) || role != "models-role" {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    (StatusCode::OK, place.credentials())
}

async fn container(State(place): State<Arc<Place>>, headers: HeaderMap) -> Answer {
    let shown = headers.get("authorization");
    if shown.is_none_or(|token| token != "shown-to-the-agent") {
        let said = json!({ "code": "AccessDenied", "message": format!("not with {shown:?}") });
        return (StatusCode::FORBIDDEN, said.to_string());
    }
    (StatusCode::OK, place.credentials())
}

async fn tokens(State(place): State<Arc<Place>>, body: String) -> Answer {
    assert_eq!(
        body,
        "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpod&\
         RoleSessionName=pod-7&Version=2011-06-15&WebIdentityToken=a.cluster.token"
    );
    if place.refuses.load(Ordering::Relaxed) > 0 {
        let said = "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>a.cluster.token \
                    is too old</Message></Error></ErrorResponse>";
        return (StatusCode::BAD_REQUEST, said.to_owned());
    }
    let n = place.asked.fetch_add(1, Ordering::Relaxed) + 1;
    let said = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>\
         <SubjectFromWebIdentityToken>pod</SubjectFromWebIdentityToken><Credentials>\
         <SessionToken>token-{n}</SessionToken><SecretAccessKey>s</SecretAccessKey>\
         <Expiration>2999-01-01T00:00:00Z</Expiration><AccessKeyId>ASIAPLACE{n}</AccessKeyId>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    (StatusCode::OK, said)
}

async fn place() -> (Arc<Place>, Url) {
    let place = Arc::new(Place::default());
    let router = Router::new()
        .route("/latest/api/token", put(session))
        .route("/latest/meta-data/iam/security-credentials/", get(role))
        .route(
            "/latest/meta-data/iam/security-credentials/{role}",
            get(machine),
        )
        .route("/v2/credentials/1", get(container))
        .route("/sts", post(tokens))
        .with_state(place.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (place, url.parse().unwrap())
}

/// A Bedrock provider without keys, where these variables are set.
async fn world(variables: &[(&str, String)]) -> World {
    let aws = AwsSource::of(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    });
    let options = Options {
        aws,
        ..Options::default()
    };
    let world = World::with(&[], "bedrock", options).await;
    let settings = json!({ "_type": "bedrock", "_version": 1, "region": "eu-west-1" });
    let (sealed, key) = world.seal.seal(&settings.to_string()).unwrap();
    let sql = "UPDATE ai_providers SET settings = $1, settings_key_id = $2, base_url = $3";
    let base = world.model_server.url();
    world
        .db
        .store
        .execute(sql, &[&sealed, &key, &base])
        .await
        .unwrap();
    world
}

fn machine_at(url: &Url) -> Vec<(&'static str, String)> {
    vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.to_string())]
}

/// With which credentials the model was called: key and token.
fn used(world: &World) -> Vec<(String, String)> {
    let of = |asked: &Asked| {
        let signed = asked.header("authorization").unwrap();
        let key = signed.split(['=', '/']).nth(1).unwrap().to_owned();
        (
            key,
            asked.header("x-amz-security-token").unwrap().to_owned(),
        )
    };
    world.model_server.asked().iter().map(of).collect()
}

fn pair(n: usize) -> (String, String) {
    (format!("ASIAPLACE{n}"), format!("token-{n}"))
}

#[tokio::test]
async fn a_machine_gives_the_credentials_of_its_role() {
    let (place, url) = place().await;
    let world = world(&machine_at(&url)).await;
    // The first end at once.
    place.short.store(1, Ordering::Relaxed);
    for n in 0..3 {
        assert_eq!(world.ask().await.1, None, "{n}");
    }
    assert_eq!(used(&world), [pair(1), pair(2), pair(2)]);
}

#[tokio::test]
async fn many_calls_ask_the_place_once() {
    let (place, url) = place().await;
    let world = world(&machine_at(&url)).await;
    let (a, b, c) = tokio::join!(world.ask(), world.ask(), world.ask());
    assert_eq!((a.1, b.1, c.1), (None, None, None));
    assert_eq!(place.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_agent_of_a_container_is_shown_its_token() {
    let (_, url) = place().await;
    let agent = url.join("v2/credentials/1").unwrap().to_string();
    let file = std::env::temp_dir().join(format!("coder-aws-{}", std::process::id()));
    std::fs::write(&file, "shown-to-the-agent\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let by_file = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let told = [(full, agent.clone()), (by_file, file)];
    let first = world(&told).await;
    assert_eq!(first.ask().await.1, None);
    assert_eq!(used(&first), [pair(1)]);
    // One that it does not know is told, and not repeated.
    let wrong = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let told = [(full, agent), (wrong, "not-the-right-one".to_owned())];
    let second = world(&told).await;
    let error = second.ask().await.1.unwrap();
    assert_eq!((error.kind, error.status), (ErrorKind::Auth, 403));
    assert!(error.message.contains("container"), "{error}");
    assert!(error.detail.contains("AccessDenied"), "{}", error.detail);
    assert!(!error.detail.contains("right-one"), "{}", error.detail);
    assert!(second.model_server.asked().is_empty());
}

#[tokio::test]
async fn a_token_of_the_cluster_becomes_a_role() {
    let (place, url) = place().await;
    let file = std::env::temp_dir().join(format!("coder-web-identity-{}", std::process::id()));
    std::fs::write(&file, "a.cluster.token\n").unwrap();
    let told = [
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod".to_owned()),
        ("AWS_ROLE_SESSION_NAME", "pod-7".to_owned()),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            file.to_str().unwrap().to_owned(),
        ),
        ("AWS_ENDPOINT_URL_STS", url.join("sts").unwrap().to_string()),
    ];
    let first = world(&told).await;
    assert_eq!(first.ask().await.1, None);
    assert_eq!(used(&first), [pair(1)]);
    // Refused, nobody else is asked in its place, and the token is not repeated.
    place.refuses.store(1, Ordering::Relaxed);
    let second = world(&told).await;
    let error = second.ask().await.1.unwrap();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(
        error.detail.contains("ExpiredTokenException"),
        "{}",
        error.detail
    );
    assert!(
        !error.detail.contains("a.cluster.token"),
        "{}",
        error.detail
    );
    // A file that is gone is named.
    std::fs::remove_file(&file).unwrap();
    let third = world(&told).await;
    let error = third.ask().await.1.unwrap();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(
        error.detail.contains("coder-web-identity"),
        "{}",
        error.detail
    );
}

#[tokio::test]
async fn where_nothing_is_given_it_is_said_that_a_key_is_missing() {
    let (place, url) = place().await;
    place.without_role.store(1, Ordering::Relaxed);
    let first = world(&machine_at(&url)).await;
    assert_eq!(first.ask().await.1.unwrap().kind, ErrorKind::MissingKey);
    // No machine at all.
    let nobody = "http://127.0.0.1:1/".parse().unwrap();
    let second = world(&machine_at(&nobody)).await;
    assert_eq!(second.ask().await.1.unwrap().kind, ErrorKind::MissingKey);
}

#[tokio::test]
async fn what_a_place_says_may_make_no_sense() {
    for (said, kind) in [
        ("not json", ErrorKind::Timeout),
        ("{}", ErrorKind::Timeout),
        (
            r#"{"AccessKeyId":"a","SecretAccessKey":""}"#,
            ErrorKind::Timeout,
        ),
        (
            r#"{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}"#,
            ErrorKind::Timeout,
        ),
        (
            r#"{"Code":"AssumeRoleUnauthorizedAccess"}"#,
            ErrorKind::Auth,
        ),
    ] {
        let router = Router::new().route("/c", get(move || async move { said }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/c", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let told = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)];
        let world = world(&told).await;
        let error = world.ask().await.1.unwrap();
        assert_eq!(error.kind, kind, "{said}: {error}");
        assert!(world.model_server.asked().is_empty());
    }
}
