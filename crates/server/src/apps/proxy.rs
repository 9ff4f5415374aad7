//! Passes a request on to an app and its answer back, both as streams: what one side does not
//! read, the other cannot send.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use http_body_util::BodyExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use url::Url;

use super::headers::{Client, Place, clean_request, clean_response, upgrade};
use super::splice::splice;
use super::stats::Use;
use super::token::Grant;
use super::{sealed_key, upstream};
use crate::AppState;
use crate::auth::SESSION_COOKIE;

/// Ports below are the agent's own services.
const FIRST_PORT: u16 = 9;

/// Marks an answer that is an app's, not ours.
#[derive(Clone, Copy)]
pub(crate) struct FromApp;

/// Why an app gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Its URL is of no use.
    Url(String),
    /// It cannot be reached, or does not speak HTTP.
    Gateway(String),
}

/// Where a request goes.
pub(super) struct Target {
    uri: Uri,
}

/// What to do with a request to `path` of an app.
pub(super) enum Step {
    Forward(Target),
    Answer(Response),
}

/// Finds where `path` (raw, as in the request) and `query` lead.
pub(super) fn target(grant: &Grant, path: &str, query: Option<&str>) -> Result<Step, Failure> {
    let url = Url::parse(&grant.app_url).map_err(|error| {
        Failure::Url(format!("its URL {:?} is invalid: {error}", grant.app_url))
    })?;
    let scheme = url.scheme();
    let port = url.port_or_known_default();
    let ("http" | "https", Some(port)) = (scheme, port) else {
        return Err(Failure::Url(format!(
            "its URL {:?} is neither http nor https",
            grant.app_url
        )));
    };
    if port < FIRST_PORT {
        return Err(Failure::Url(format!(
            "port {port} is reserved: ports below {FIRST_PORT} are the agent's own"
        )));
    }
    if path.is_empty() {
        // Relative links would lead beside the app. The query stays.
        return Ok(Step::Answer(temporary(&format!(
            "{}{}",
            grant.request.base_path,
            query.map(|query| format!("?{query}")).unwrap_or_default()
        ))));
    }
    if let (("/", None), Some(query)) = ((path, query), url.query()) {
        // Some apps read their settings in the browser, from the address.
        return Ok(Step::Answer(temporary(&format!(
            "{}?{query}",
            grant.request.base_path
        ))));
    }
    let base = url.path().trim_end_matches('/');
    let authority = upstream::authority(grant.agent_id, port);
    let query = query.map(own_query).filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{scheme}://{authority}{base}{path}{query}");
    let uri = text
        .parse()
        .map_err(|error| Failure::Url(format!("the address is invalid: {error}")))?;
    Ok(Step::Forward(Target { uri }))
}

fn temporary(to: &str) -> Response {
    // A path that begins with two slashes would name another host.
    let to = format!("/{}", to.trim_start_matches(['/', '\\']));
    Redirect::temporary(&to).into_response()
}

/// The address of a request without parameters of ours; none if it has none of them.
pub(super) fn without_ours(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let own = own_query(query);
    if own == query {
        return None;
    }
    let path = uri.path().trim_start_matches(['/', '\\']);
    let query = if own.is_empty() {
        String::new()
    } else {
        format!("?{own}")
    };
    Some(format!("/{path}{query}"))
}

/// A query without parameters of ours.
fn own_query(query: &str) -> String {
    let ours = |pair: &&str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next();
        name.is_some_and(|(name, _)| name == SESSION_COOKIE || name == sealed_key::PARAM)
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !ours(pair)).collect();
    kept.join("&")
}

/// How an answer is shaped.
pub(super) struct Shape<'a> {
    pub(super) place: Place<'a>,
    pub(super) client: Client<'a>,
    /// The `Authorization` header is ours.
    pub(super) bearer: bool,
    /// The app rules over requests of other origins itself.
    pub(super) cors: bool,
}

/// Sends a request to an app.
pub(super) async fn forward(
    state: &AppState,
    mut parts: Parts,
    body: Body,
    target: Target,
    shape: Shape<'_>,
    counted: Use,
) -> Result<Response, Failure> {
    let switch = upgrade(&parts.headers)
        .is_some()
        .then(|| parts.extensions.remove::<OnUpgrade>())
        .flatten();
    clean_request(&mut parts.headers, shape.place, &shape.client, shape.bearer);
    // Answered by our own server already.
    parts.headers.remove(header::EXPECT);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = target.uri;
    *request.headers_mut() = parts.headers;
    // How the browser wrote the names of its headers.
    *request.extensions_mut() = parts.extensions;
    let answered = state.apps.upstream().request(request).await;
    let mut answer = answered.map_err(|error| Failure::Gateway(words(&error)))?;

    let switching = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    clean_response(answer.headers_mut(), shape.place, switching, shape.cors);
    answer.extensions_mut().insert(FromApp);
    if !switching {
        // The use lasts as long as its answer is read.
        return Ok(answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _ = &counted;
                frame
            }))
        }));
    }
    let Some(switch) = switch else {
        return Err(Failure::Gateway(
            "it switched to another protocol without being asked to".to_owned(),
        ));
    };
    let theirs = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let _counted = counted;
        match tokio::try_join!(switch, theirs) {
            Ok((browser, app)) => {
                splice(TokioIo::new(browser), TokioIo::new(app)).await;
            }
            Err(error) => tracing::debug!(%error, "an app's connection was not switched"),
        }
    });
    Ok(answer.map(|_| Body::empty()))
}

/// The innermost cause, which says most.
fn words(error: &hyper_util::client::legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Adds a cookie to an answer.
pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::apps::{AppRequest, AppTarget};
    use uuid::Uuid;

    fn grant(url: &str) -> Grant {
        let target = AppTarget {
            owner_id: Uuid::nil(),
            workspace_id: Uuid::nil(),
            agent_id: Uuid::nil(),
            agent_name: String::new(),
            app_url: url.to_owned(),
            cors_behavior: "simple".into(),
            is_port: false,
            condition: control::apps::AppCondition {
                name: String::new(),
                health: "healthy".into(),
                lifecycle: "ready".into(),
            },
        };
        let request = AppRequest {
            base_path: "/@a/b/apps/c/".to_owned(),
            ..AppRequest::default()
        };
        Grant::new(request, &target, None, chrono::Utc::now())
    }

    fn at(url: &str, path: &str, query: Option<&str>) -> String {
        match target(&grant(url), path, query).unwrap() {
            Step::Forward(target) => target.uri.to_string(),
            Step::Answer(answer) => format!(
                "{} {}",
                answer.status().as_u16(),
                answer.headers()[header::LOCATION].to_str().unwrap()
            ),
        }
    }

    #[test]
    fn paths_and_queries_reach_the_app_as_they_are() {
        let host = Uuid::nil().simple().to_string();
        let url = "http://localhost:13337/base/?folder=/home";
        assert_eq!(
            at(url, "/x%2Fy//z", Some("a=1&coder_session_token=t&b=%20")),
            format!("http://{host}:13337/base/x%2Fy//z?a=1&b=%20")
        );
        assert_eq!(
            at("https://10.0.0.1", "/", Some("coder%5Fsession_token=t")),
            format!("https://{host}:443/")
        );
        assert_eq!(at(url, "", Some("q")), "307 /@a/b/apps/c/?q");
        assert_eq!(at(url, "/", None), "307 /@a/b/apps/c/?folder=/home");
        assert!(at(url, "/", Some("q")).starts_with("http"));
    }

    #[test]
    fn addresses_lose_what_is_ours() {
        let of = |text: &str| without_ours(&text.parse().unwrap());
        assert_eq!(of("//x/y?coder_session_token=t").as_deref(), Some("/x/y"));
        assert_eq!(
            of("/x?a=1&coder_session_token=t").as_deref(),
            Some("/x?a=1")
        );
        assert_eq!(of("/x?a=1"), None);
        assert_eq!(of("/x"), None);
    }

    #[test]
    fn agents_own_ports_and_other_schemes_are_no_apps() {
        for bad in [
            "http://localhost:4",
            "ftp://localhost:2100",
            "x",
            "vscode://a",
        ] {
            assert!(
                matches!(target(&grant(bad), "/", None), Err(Failure::Url(_))),
                "{bad}"
            );
        }
    }
}
