//! The application of one test, called without a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use control::{Control, Settings};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::{
    AppState, Binaries, CookiePolicy, Health, HttpSettings, LiveAgents, RateLimits, Tailnet,
    TailnetSettings, TrustedProxies,
};
use testkit::{TestDb, TestUser};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::published::Published;

pub struct App {
    pub db: TestDb,
    pub control: Control,
    router: Router,
    _published: Published,
}

/// An answer, read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Asserts the status, showing the body if it is another.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl App {
    pub async fn new() -> Self {
        Self::with(RateLimits::new(None, true), |_| {}).await
    }

    pub async fn with(limits: RateLimits, change: impl FnOnce(&mut Settings)) -> Self {
        let db = testkit::db().await;
        let url: url::Url = "http://coder.test".parse().unwrap();
        let mut settings = Settings::new(url.clone());
        change(&mut settings);
        let control = Control::new(db.store.clone(), settings);
        let tailnet = Tailnet::new(
            control.clone(),
            &url,
            TailnetSettings::default(),
            Uuid::new_v4(),
        );
        let http = HttpSettings {
            options: Arc::new(server::options::Options::defaults()),
            deployment_id: Uuid::new_v4(),
            cookies: CookiePolicy::default(),
            hsts: None,
            csp: Vec::new(),
            docs_url: String::new(),
            cli_upgrade_message: String::new(),
            terms_of_service_url: String::new(),
            experiments: Vec::new(),
            ssh_config_options: BTreeMap::new(),
            support_links: Vec::new(),
            proxies: TrustedProxies::new(&[], &[]).unwrap(),
            disable_path_apps: false,
        };
        let router = server::router(AppState {
            control: control.clone(),
            http: Arc::new(http),
            limits: Arc::new(limits),
            apps: server::Apps::new(control.clone(), tailnet.clone()),
            tailnet,
            live_agents: LiveAgents::default(),
            health: Health::default(),
            binaries: Binaries::default(),
        });
        let published = Published::default();
        App {
            db,
            control,
            router: published.watch(router),
            _published: published,
        }
    }

    pub async fn user(&self, name: &str, roles: &[&str]) -> TestUser {
        testkit::user(&self.db, name, roles).await
    }

    /// Any request. Paths begin behind `/api/v2`, unless they begin with `!`.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let uri = path
            .strip_prefix('!')
            .map_or_else(|| format!("/api/v2{path}"), str::to_owned);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let request = request
            .extension(ConnectInfo(peer))
            .body(body.into())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let bytes = if kind.is_some_and(|kind| kind == "text/event-stream") {
            // Never ends by itself.
            Default::default()
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// A request with a token (none if empty) and a JSON body (none if null).
    pub async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let headers: &[(&str, &str)] = if token.is_empty() {
            &[]
        } else {
            &[("Coder-Session-Token", token)]
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, headers, body).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, Value::Null).await
    }
}

/// The value of a cookie that an answer sets.
pub fn cookie(answer: &Answer, name: &str) -> String {
    let values = answer.headers.get_all(header::SET_COOKIE).iter();
    values
        .filter_map(|value| value.to_str().unwrap().split(';').next()?.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
