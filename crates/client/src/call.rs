//! One request and the reading of its answer: success, error envelope, or
//! something that is no Coder server at all.

use std::fmt;

use bytes::Bytes;
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, InvalidHeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::ResponseBuilderExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Position, Url};

use crate::builder::{SESSION_TOKEN_HEADER, VERSION_HEADER};
use crate::dial::Dial;
use crate::error::address;
use crate::{ApiError, Client, Error, Way};

/// By this header a server warns its administrators about features.
const WARNING_HEADER: &str = "x-coder-entitlements-warning";
/// The largest JSON body that is read: far above any list the API gives.
const MAX_JSON: usize = 64 << 20;
/// Error bodies are short texts; the rest of a longer one is of no use.
const MAX_ERROR: usize = 1 << 20;

/// Everything that does not stand for itself in one segment of a path.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// `name` as one segment of a path.
pub(crate) fn segment(name: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(name, SEGMENT)
}

/// A request that is being put together.
#[derive(Debug)]
pub struct Call<'a> {
    client: &'a Client,
    url: Result<Url, Error>,
    method: Method,
    body: Option<(Bytes, &'static str)>,
    accept: Option<&'static str>,
}

impl Client {
    /// Starts a request to `path`, which begins with `/`; names in it must be
    /// percent-encoded.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            client: self,
            url: self.address_of(path),
            method,
            body: None,
            accept: None,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// The full address of `path`. A name that is empty or made of dots would
    /// silently address another resource, so it is refused.
    pub(crate) fn address_of(&self, path: &str) -> Result<Url, Error> {
        let (before_query, _) = path.split_once('?').unwrap_or((path, ""));
        let strange = before_query
            .strip_prefix('/')
            .is_none_or(|p| p.split('/').any(|s| s.is_empty() || s == "." || s == ".."));
        if strange {
            return Err(Error::Path(before_query.to_owned()));
        }
        let base = self.inner.url.as_str().trim_end_matches('/');
        Ok(Url::parse(&format!("{base}{path}"))?)
    }
}

impl Call<'_> {
    /// Adds `name=value` to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }

    /// Adds `name=value` to the query where there is a value.
    #[must_use]
    pub fn query_if(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends `body` as JSON.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = Some((bytes.into(), "application/json")),
            Err(e) => {
                if let Ok(url) = &self.url {
                    self.url = Err(Error::decode(url, e));
                }
            }
        }
        self
    }

    /// Sends `body` as it is.
    #[must_use]
    pub fn bytes_body(mut self, body: impl Into<Bytes>, content_type: &'static str) -> Self {
        self.body = Some((body.into(), content_type));
        self
    }

    /// Asks for an answer of this type.
    #[must_use]
    pub fn accept(mut self, content_type: &'static str) -> Self {
        self.accept = Some(content_type);
        self
    }

    /// Sends the request and reads a JSON answer.
    pub async fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.send().await?;
        let url = answer.url().clone();
        let body = read(answer, MAX_JSON).await?;
        serde_json::from_slice(&body).map_err(|e| Error::decode(&url, e))
    }

    /// Sends the request; the body of the answer does not matter.
    pub async fn done(self) -> Result<(), Error> {
        self.send().await.map(drop)
    }

    /// Sends the request and reads at most `limit` bytes of answer.
    pub async fn read(self, limit: usize) -> Result<Vec<u8>, Error> {
        read(self.send().await?, limit).await
    }

    /// Sends the request; any status but a success is an error.
    pub(crate) async fn send(self) -> Result<reqwest::Response, Error> {
        let method = self.method.clone();
        let answer = self.send_any(&[]).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(failure(&method, answer).await)
        }
    }

    /// Sends the request with `headers` added and gives any answer.
    pub(crate) async fn send_any(
        self,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<reqwest::Response, Error> {
        let url = self.url?;
        let inner = &self.client.inner;
        tracing::debug!(method = %self.method, url = %address(&url), "request");
        let mut all = inner.headers.clone();
        if !inner.token.expose().is_empty() {
            let token = HeaderValue::from_str(inner.token.expose());
            let token = token.map_err(|e| Error::transport(&url, &e))?;
            all.insert(HeaderName::from_static(SESSION_TOKEN_HEADER), token);
        }
        for (name, value) in headers {
            all.insert(name, value.clone());
        }
        if let Some(accept) = self.accept {
            all.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let body = self.body.map(|(body, content_type)| {
            all.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            body
        });
        let answer = match &inner.way {
            Way::Web(http) => {
                let mut request = http.request(self.method, url.clone()).headers(all);
                if let Some(body) = body {
                    request = request.body(body);
                }
                let answer = request.send().await;
                answer.map_err(|e| Error::transport(&url, &e))?
            }
            Way::Dialed { dial, user_agent } => {
                if let Some(name) = user_agent.as_deref().and_then(|n| n.parse().ok()) {
                    all.insert(USER_AGENT, name);
                }
                // Boxed: every request of every command would carry its size.
                Box::pin(dialed(
                    dial,
                    self.method,
                    &url,
                    all,
                    body.unwrap_or_default(),
                ))
                .await?
            }
        };
        if let Some(version) = answer
            .headers()
            .get(VERSION_HEADER)
            .and_then(|v| v.to_str().ok())
        {
            inner.server_version.get_or_init(|| version.to_owned());
        }
        let warnings = answer.headers().get_all(WARNING_HEADER).iter();
        let warnings: Vec<String> = warnings
            .filter_map(|w| w.to_str().ok().map(str::to_owned))
            .collect();
        if !warnings.is_empty() {
            inner.warnings.get_or_init(|| warnings);
        }
        tracing::debug!(status = %answer.status(), url = %address(&url), "answer");
        Ok(answer)
    }
}

/// Sends a request over a connection that somebody else opens.
async fn dialed(
    dial: &Dial,
    method: Method,
    url: &Url,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<reqwest::Response, Error> {
    let failed = |error: &dyn std::error::Error| Error::transport(url, error);
    let host = url[Position::BeforeHost..Position::AfterPort].parse();
    headers.insert(HOST, host.map_err(|e: InvalidHeaderValue| failed(&e))?);
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let mut request = http::Request::builder()
        .method(method)
        .uri(target)
        .body(Full::new(body))
        .map_err(|e| failed(&e))?;
    *request.headers_mut() = headers;
    // The connection ends with the answer.
    let (answer, _) = dial.send(request).await.map_err(|e| failed(&*e))?;
    let (parts, body) = answer.into_parts();
    let mut answer = http::Response::builder()
        .status(parts.status)
        .url(url.clone())
        .body(reqwest::Body::wrap(body))
        .map_err(|e| failed(&e))?;
    *answer.headers_mut() = parts.headers;
    answer.extensions_mut().extend(parts.extensions);
    Ok(answer.into())
}

/// Reads a body of at most `limit` bytes.
async fn read(answer: reqwest::Response, limit: usize) -> Result<Vec<u8>, Error> {
    let url = answer.url().clone();
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| Error::transport(&url, &e))?;
        if body.len() + chunk.len() > limit {
            return Err(Error::decode(
                &url,
                format_args!("the answer is larger than {limit} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Turns an answer that is no success into the error that it describes.
pub(crate) async fn failure(method: &Method, answer: reqwest::Response) -> Error {
    let status = answer.status();
    let url = answer.url().clone();
    let is_json =
        header(&answer, "content-type").is_some_and(|t| t.starts_with("application/json"));
    let location = header(&answer, "location");
    let body = read(answer, MAX_ERROR).await.unwrap_or_default();
    error_of(status, method, &url, is_json, location, &body)
}

/// The error that an answer with this body describes.
pub(crate) fn error_of(
    status: StatusCode,
    method: &Method,
    url: &Url,
    is_json: bool,
    location: Option<String>,
    body: &[u8],
) -> Error {
    let mut error = ApiError {
        status,
        method: method.to_string(),
        url: address(url),
        message: String::new(),
        detail: String::new(),
        validations: Vec::new(),
        suggestion: None,
    };
    match serde_json::from_slice::<api_types::Response>(body) {
        Ok(said) if is_json && !said.message.is_empty() => {
            error.message = said.message;
            error.detail = said.detail;
            error.validations = said.validations;
        }
        _ => describe_foreign(&mut error, location, body),
    }
    if status == StatusCode::UNAUTHORIZED && error.suggestion.is_none() {
        error.suggestion = Some("Try logging in using 'coder login'.".to_owned());
    }
    Error::Api(Box::new(error))
}

/// An answer without our envelope comes from something in between, or from
/// another kind of server: say which, and where a redirect leads.
fn describe_foreign(error: &mut ApiError, location: Option<String>, body: &[u8]) {
    if let Some(location) = location.filter(|_| error.status.is_redirection()) {
        error.message = format!("{} answers with a redirect to {location}", error.url);
        error.suggestion =
            Some("Use the address that it redirects to: 'coder login <address>'.".to_owned());
        return;
    }
    error.message = format!("unexpected answer {} from {}", error.status, error.url);
    // An HTML page says nothing in a terminal; a short plain text may.
    let text = String::from_utf8_lossy(&body[..body.len().min(512)]);
    if !text.trim_start().starts_with('<') {
        text.trim().clone_into(&mut error.detail);
    }
}

fn header(answer: &reqwest::Response, name: &str) -> Option<String> {
    answer
        .headers()
        .get(name)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}
