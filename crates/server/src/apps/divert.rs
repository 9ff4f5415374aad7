//! Which requests are for apps: by the host, or by the path. The others go on.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use control::apps::{AccessMethod, AppCondition, AppRequest};

use super::admit::{Admitted, Ask};
use super::cors;
use super::headers::{Client, Place, upgrade};
use super::host::{AppLabel, WildcardHost, without_port};
use super::notice;
use super::page::{Page, wants_html};
use super::proxy::{self, Failure, Shape, Step, set_cookie};
use super::viewer::has_bearer;
use crate::auth::origin;
use crate::middleware::{Limit, RequestInfo, too_many};
use crate::{ApiError, AppState};

/// Label of a host that browsers of old were sent to when they signed out.
const LOGOUT: &str = "coder-logout";

/// Answers requests for apps.
pub(crate) async fn divert(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(wildcard) = state.apps.host()
        && let Some(host) = request_host(&state, &parts.headers, &parts.uri, &parts.extensions)
        && !is_dashboard(&state, &host)
        && let Some(label) = wildcard.label(&host)
    {
        return by_host(&state, parts, body, wildcard, label, &host).await;
    }
    if let Some(path) = PathApp::parse(parts.uri.path()) {
        return by_path(&state, parts, body, path).await;
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The host that a browser asked for.
pub(crate) fn request_host(
    state: &AppState,
    headers: &HeaderMap,
    uri: &Uri,
    extensions: &Extensions,
) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let trusted = peer.is_some_and(|peer| state.http.proxies.trusts(peer.0.ip()));
    let forwarded = trusted.then(|| text("x-forwarded-host")).flatten();
    forwarded
        .or_else(|| text("host"))
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
        .map(str::to_owned)
}

fn is_dashboard(state: &AppState, host: &str) -> bool {
    let own = state.control.settings().access_url.host_str();
    own.is_some_and(|own| own.eq_ignore_ascii_case(without_port(host)))
}

/// What both ways have in common.
struct Asked<'a> {
    state: &'a AppState,
    parts: Parts,
    body: Body,
    request: AppRequest,
    /// The URL in the browser.
    url: String,
    /// Raw path below the app's place.
    path: String,
    place: Place<'a>,
    /// The host's label, and what is read from it.
    host: Option<(&'a WildcardHost, &'a str, AppLabel)>,
}

async fn by_host(
    state: &AppState,
    parts: Parts,
    body: Body,
    wildcard: &WildcardHost,
    label: &str,
    host: &str,
) -> Response {
    let settings = state.control.settings();
    if label == LOGOUT {
        return Redirect::to(settings.access_url.as_str()).into_response();
    }
    let Some(app) = AppLabel::parse(label) else {
        return Page::new(
            StatusCode::BAD_REQUEST,
            "No such address",
            format!("{label:?} names no app: it must be like app--workspace--owner."),
        )
        .aside(settings.access_url.as_str(), "Dashboard")
        .response(&parts.headers);
    };
    if let Some(answer) = super::sign_in::take_key(state, wildcard, &parts).await {
        return answer;
    }
    let path = parts.uri.path().to_owned();
    let query = parts
        .uri
        .query()
        .map(|q| format!("?{q}"))
        .unwrap_or_default();
    let asked = Asked {
        state,
        request: AppRequest {
            access_method: AccessMethod::Subdomain,
            base_path: "/".to_owned(),
            app_prefix: app.prefix.clone(),
            username_or_id: app.owner.clone(),
            workspace_name_or_id: app.workspace.clone(),
            agent_name_or_id: app.agent.clone(),
            app_slug_or_port: app.app.clone(),
        },
        url: format!("{}://{host}{path}{query}", settings.access_url.scheme()),
        path,
        place: Place::Host,
        host: Some((wildcard, label, app)),
        parts,
        body,
    };
    asked.answer().await
}

async fn by_path(state: &AppState, parts: Parts, body: Body, path: PathApp) -> Response {
    let access_url = state.control.settings().access_url.as_str();
    if state.http.disable_path_apps {
        return Page::new(
            StatusCode::FORBIDDEN,
            "Apps under a path are disabled",
            "The administrator of this deployment switched them off. Use the app's own host.",
        )
        .aside(access_url, "Dashboard")
        .response(&parts.headers);
    }
    let base = path.base.clone();
    let asked = Asked {
        state,
        url: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, |path| path.as_str().to_owned()),
        request: AppRequest {
            access_method: AccessMethod::Path,
            base_path: path.base,
            app_prefix: String::new(),
            username_or_id: path.owner,
            workspace_name_or_id: path.workspace,
            agent_name_or_id: path.agent,
            app_slug_or_port: path.app,
        },
        path: path.rest,
        place: Place::Path(&base),
        host: None,
        parts,
        body,
    };
    asked.answer().await
}

impl Asked<'_> {
    async fn answer(self) -> Response {
        let (state, headers) = (self.state, self.parts.headers.clone());
        let info = self.parts.extensions.get::<RequestInfo>().copied();
        let client = info.and_then(|info| info.ip);
        let counted = format!("{} {}", self.request.label(), self.parts.uri.path());
        let name = client.map_or_else(String::new, |ip| ip.to_string());
        if let Some(refusal) = too_many(&state.limits, Limit::Api, &name, &counted) {
            return refusal;
        }
        let from = self.came_from();
        let preflight = cors::is_preflight(&self.parts.method, &headers);
        let admitted = match self.ask().admit().await {
            Ok(admitted) => admitted,
            // A preflight carries no cookies: whether it is allowed depends on the origin alone.
            Err(_) if preflight && from == Some(cors::From::SameOwner) => {
                return preflight_answer(&headers);
            }
            Err(refusal) => return refusal,
        };
        let passthru = self.host.is_some() && admitted.grant.cors_behavior.as_str() == "passthru";
        let shared = !passthru && from == Some(cors::From::SameOwner);
        if !passthru {
            if preflight && shared {
                return preflight_answer(&headers);
            }
            let refusal = match from {
                Some(cors::From::OtherOwner) => {
                    Some("This app does not take requests from other people's apps.")
                }
                Some(cors::From::Hidden) => Some(
                    "This request hides the page that it comes from, which may be another \
                     person's app. Let that page send its origin (Referrer-Policy: same-origin, \
                     for one), or open it by HTTPS in a current browser.",
                ),
                Some(cors::From::SameOwner | cors::From::Elsewhere) | None => None,
            };
            if let Some(text) = refusal
                && self.changes_something()
            {
                return ApiError::new(StatusCode::FORBIDDEN, text).into_response();
            }
        }
        let mut response = self.proxy(admitted, passthru).await;
        if shared {
            cors::allow(&headers, response.headers_mut(), false);
        }
        response
    }

    /// Where the request comes from; none where no app has a host of its own.
    fn came_from(&self) -> Option<cors::From> {
        let headers = &self.parts.headers;
        if let Some((wildcard, label, app)) = &self.host {
            return Some(cors::origin(headers, wildcard, app, label));
        }
        let wildcard = self.state.apps.host()?;
        let owner = &self.request.username_or_id;
        let dashboard = |host: &str| is_dashboard(self.state, host);
        Some(cors::origin_at_path(headers, wildcard, owner, dashboard))
    }

    /// Whether a foreign page could do harm by the request alone, without reading its answer.
    fn changes_something(&self) -> bool {
        let safe = matches!(
            self.parts.method,
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        !safe || upgrade(&self.parts.headers).is_some()
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            state: self.state,
            uri: &self.parts.uri,
            headers: &self.parts.headers,
            origin: origin(&self.parts),
            request: self.request.clone(),
            url: self.url.clone(),
        }
    }

    async fn proxy(self, admitted: Admitted, passthru: bool) -> Response {
        let Admitted {
            grant,
            cookie,
            visit,
            condition,
        } = admitted;
        // A token in the address would be read by the page's scripts, and told to other sites.
        if self.parts.method == Method::GET
            && wants_html(&self.parts.headers)
            && let Some(clean) = proxy::without_ours(&self.parts.uri)
        {
            let mut answer = Redirect::to(&clean).into_response();
            set_cookie(&mut answer, cookie);
            return answer;
        }
        let step = match proxy::target(&grant, &self.path, self.parts.uri.query()) {
            Ok(step) => step,
            Err(failure) => return self.failed(failure, None),
        };
        let target = match step {
            Step::Forward(target) => target,
            Step::Answer(mut answer) => {
                set_cookie(&mut answer, cookie);
                return answer;
            }
        };
        let state = self.state;
        let peer = self.parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let trusted = peer.is_some_and(|peer| state.http.proxies.trusts(peer.0.ip()));
        let headers = self.parts.headers.clone();
        let before = Asked {
            body: Body::empty(),
            parts: head(&self.parts),
            request: self.request,
            url: self.url,
            path: self.path,
            host: self.host,
            place: self.place,
            state,
        };
        let shape = Shape {
            place: self.place,
            client: Client {
                ip: before
                    .parts
                    .extensions
                    .get::<RequestInfo>()
                    .and_then(|info| info.ip),
                forwarded_for: headers
                    .get("x-forwarded-for")
                    .filter(|_| trusted)
                    .and_then(|value| append_peer(value, peer.map(|peer| peer.0))),
                host: headers.get(header::HOST),
                https: state.control.settings().access_url.scheme() == "https",
            },
            bearer: has_bearer(&headers),
            cors: passthru,
        };
        let counted = state.apps.sessions().begin(&grant, chrono::Utc::now());
        let answer = proxy::forward(state, self.parts, self.body, target, shape, counted).await;
        match answer {
            Ok(mut response) => {
                set_cookie(&mut response, cookie);
                if let Some(mut visit) = visit {
                    visit.status = response.status().as_u16().into();
                    let control = state.control.clone();
                    tokio::spawn(async move {
                        if let Err(error) = control.app_visit_note(&visit).await {
                            tracing::warn!(%error, "a visit of an app was not noted");
                        }
                    });
                }
                response
            }
            Err(failure) if condition.is_none() => {
                // What was true a minute ago may not be so any more: the rules say what is.
                match before.ask().by_rules().await {
                    Ok(now) => before.failed(failure, now.condition.as_ref()),
                    Err(refusal) => refusal,
                }
            }
            Err(failure) => before.failed(failure, condition.as_ref()),
        }
    }

    fn failed(&self, failure: Failure, condition: Option<&AppCondition>) -> Response {
        let dashboard = self.state.control.settings().access_url.as_str();
        let page = match failure {
            Failure::Url(text) => notice::useless_url(&text),
            Failure::Gateway(text) => {
                // What was sent cannot be sent again by loading the page anew.
                let again = self.parts.method == Method::GET;
                let page = notice::no_answer(&text, condition, again.then_some(self.url.as_str()));
                match self.other_scheme() {
                    Some((url, text)) => page.link(&url, text),
                    None => page,
                }
            }
        };
        page.aside(dashboard, "Dashboard")
            .response(&self.parts.headers)
    }

    /// For a port, the same one by HTTPS instead of HTTP, or the other way round.
    fn other_scheme(&self) -> Option<(String, &'static str)> {
        let (_, label, app) = self.host.as_ref()?;
        let (port, https) = self.request.port()?;
        let other = AppLabel {
            app: if https {
                port.to_string()
            } else {
                format!("{port}s")
            },
            ..app.clone()
        };
        let text = if https { "Try HTTP" } else { "Try HTTPS" };
        Some((self.url.replacen(label, &other.to_string(), 1), text))
    }
}

fn preflight_answer(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    cors::allow(request, response.headers_mut(), true);
    response
}

/// The head of a request, to decide anew about it.
fn head(parts: &Parts) -> Parts {
    let (mut head, ()) = axum::http::Request::new(()).into_parts();
    head.method = parts.method.clone();
    head.uri = parts.uri.clone();
    head.headers = parts.headers.clone();
    if let Some(info) = parts.extensions.get::<RequestInfo>() {
        head.extensions.insert(*info);
    }
    head
}

/// What a trusted proxy said of those before it, and the proxy itself.
fn append_peer(said: &HeaderValue, peer: Option<SocketAddr>) -> Option<HeaderValue> {
    let peer = peer?.ip().to_canonical();
    HeaderValue::try_from(format!("{}, {peer}", said.to_str().ok()?)).ok()
}

/// An app in a path: `/@owner/workspace[.agent]/apps/slug[/rest]`.
#[derive(Debug, PartialEq, Eq)]
struct PathApp {
    owner: String,
    workspace: String,
    agent: String,
    app: String,
    /// The path up to the app, with a slash at the end.
    base: String,
    /// What follows, beginning with a slash; empty if there is not even that.
    rest: String,
}

impl PathApp {
    fn parse(path: &str) -> Option<Self> {
        let named = path
            .strip_prefix("/@")
            .or_else(|| path.strip_prefix("/%40"))?;
        let mut parts = named.splitn(4, '/');
        let (owner, place) = (parts.next()?, parts.next()?);
        if parts.next()? != "apps" {
            return None;
        }
        let tail = parts.next()?;
        let app = tail.split('/').next()?;
        let rest = &tail[app.len()..];
        if [owner, place, app].iter().any(|part| part.is_empty()) {
            return None;
        }
        let (workspace, agent) = place.split_once('.').unwrap_or((place, ""));
        // Names need no escapes: what has some names nothing.
        Some(Self {
            owner: owner.to_owned(),
            workspace: workspace.to_owned(),
            agent: agent.to_owned(),
            app: app.to_owned(),
            base: format!("{}/", path[..path.len() - rest.len()].trim_end_matches('/')),
            rest: rest.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_apps_are_told_from_others() {
        let app = PathApp::parse("/@ann/dev.main/apps/code/x//y").unwrap();
        assert_eq!(
            (
                app.owner.as_str(),
                app.workspace.as_str(),
                app.agent.as_str()
            ),
            ("ann", "dev", "main")
        );
        assert_eq!(
            (app.base.as_str(), app.rest.as_str()),
            ("/@ann/dev.main/apps/code/", "/x//y")
        );
        let bare = PathApp::parse("/%40ann/dev/apps/code").unwrap();
        assert_eq!(
            (bare.base.as_str(), bare.rest.as_str()),
            ("/%40ann/dev/apps/code/", "")
        );
        for other in [
            "/@ann",
            "/@ann/dev",
            "/@ann/dev/terminal",
            "/@ann/dev/apps",
            "/@ann/dev/apps/",
            "/@/dev/apps/x",
            "/ann/dev/apps/x",
            "/api/v2/x",
        ] {
            assert_eq!(PathApp::parse(other), None, "{other}");
        }
    }
}
