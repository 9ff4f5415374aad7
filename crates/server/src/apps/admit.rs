//! Lets a request to an app in: by its signed token, or by asking the rules.

use authz::Origin;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::Utc;
use control::apps::{AccessMethod, AppCondition, AppRefusal, AppRequest, AppTarget, AppVisit};

use super::headers::SIGNED_COOKIE;
use super::notice;
use super::page::{Page, wants_html};
use super::token::{self, Grant};
use super::viewer::viewer;
use crate::{ApiError, AppState};

/// Tokens of one request that are looked at: browsers send those of all paths that fit.
const MAX_TOKENS: usize = 4;

/// A request that may go on.
pub(super) struct Admitted {
    pub(super) grant: Grant,
    /// A token for those that follow, if this one had none.
    pub(super) cookie: Option<HeaderValue>,
    /// An entry for the log, if a decision was made.
    pub(super) visit: Option<AppVisit>,
    /// How the app is doing, if a decision was made.
    pub(super) condition: Option<AppCondition>,
}

/// A request as the decision sees it.
pub(super) struct Ask<'a> {
    pub(super) state: &'a AppState,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) origin: Origin,
    pub(super) request: AppRequest,
    /// The URL that the browser asked for, to come back to after signing in.
    pub(super) url: String,
}

impl Ask<'_> {
    /// Decides. A refusal is the whole answer.
    pub(super) async fn admit(self) -> Result<Admitted, Response> {
        if let Some(grant) = self.by_token().await? {
            return Ok(Admitted {
                grant,
                cookie: None,
                visit: None,
                condition: None,
            });
        }
        self.by_rules().await
    }

    async fn by_token(&self) -> Result<Option<Grant>, Response> {
        let cookies = self
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == SIGNED_COOKIE)
            .map(|(_, value)| value)
            .take(MAX_TOKENS);
        for text in cookies {
            let keys = self.state.apps.token_keys();
            let opened = token::open(keys, text, &self.request, Utc::now()).await;
            match opened {
                Ok(Some(grant)) => return Ok(Some(grant)),
                Ok(None) => {}
                Err(error) => return Err(ApiError::from(error).into_response()),
            }
        }
        Ok(None)
    }

    /// Asks the rules, whatever tokens say.
    pub(super) async fn by_rules(self) -> Result<Admitted, Response> {
        let Ask { state, headers, .. } = self;
        let method = self.request.access_method;
        let viewer = viewer(state, method, self.uri, headers, self.origin.clone())
            .await
            .map_err(|error| ApiError::from(error).into_response())?;
        let who = viewer.as_ref().map(|viewer| &viewer.who);
        let target = match state.control.app_resolve(who, &self.request).await {
            Ok(target) => target,
            Err(refusal) => return Err(self.refused(refusal)),
        };
        let user = viewer.as_ref().map(|viewer| viewer.session.user.id);
        let grant = Grant::new(self.request.clone(), &target, user, Utc::now());
        let cookie = self
            .cookie(&grant)
            .await
            .map_err(axum::response::IntoResponse::into_response)?;
        let visit = Some(self.visit(&target, user));
        Ok(Admitted {
            grant,
            cookie,
            visit,
            condition: Some(target.condition),
        })
    }

    async fn cookie(&self, grant: &Grant) -> Result<Option<HeaderValue>, ApiError> {
        if self.request.access_method == AccessMethod::Terminal {
            return Ok(None);
        }
        let token = self.state.apps.sign(grant).await?;
        let expires = grant.expires().format("%a, %d %b %Y %H:%M:%S GMT");
        let secure = if self.state.http.cookies.secure {
            "; Secure"
        } else {
            ""
        };
        let path = &self.request.base_path;
        let text = format!(
            "{SIGNED_COOKIE}={token}; Path={path}; Expires={expires}; HttpOnly; SameSite=Lax{secure}"
        );
        // A path that is no header value has no token: each request is decided anew.
        Ok(HeaderValue::try_from(text).ok())
    }

    fn visit(&self, target: &AppTarget, user: Option<uuid::Uuid>) -> AppVisit {
        AppVisit {
            at: Utc::now(),
            workspace_id: target.workspace_id,
            agent_name: target.agent_name.clone(),
            kind: if target.is_port {
                "port_forwarding"
            } else {
                "workspace_app"
            },
            ip: self.origin.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: self.origin.user_agent.clone(),
            user_id: user,
            slug_or_port: self.request.label().to_owned(),
            status: 200,
        }
    }

    fn refused(&self, refusal: AppRefusal) -> Response {
        let dashboard = self.state.control.settings().access_url.as_str();
        let page = match refusal {
            AppRefusal::SignIn => return self.sign_in(),
            AppRefusal::Failed(error) => return ApiError::from(error).into_response(),
            AppRefusal::NotFound(hint) => notice::not_found(&hint),
            AppRefusal::Stopped(workspace) => {
                let start = super::start::url(self.state, workspace.id, &self.url);
                // A key for apps says nothing of other rights: the page behind the link asks with
                // the session.
                let may_be =
                    workspace.may_start || self.request.access_method == AccessMethod::Subdomain;
                notice::not_running(&workspace, may_be.then_some(start.as_str()))
            }
            AppRefusal::AgentOffline(status) => notice::agent_offline(&status, &self.url),
            AppRefusal::Invalid(text) => {
                Page::new(StatusCode::BAD_REQUEST, "This cannot be opened", text)
            }
        };
        page.aside(dashboard, "Dashboard").response(self.headers)
    }

    /// Sends a browser to sign in, and tells a program.
    fn sign_in(&self) -> Response {
        let access_url = self.state.control.settings().access_url.as_str();
        let access_url = access_url.trim_end_matches('/');
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        match self.request.access_method {
            AccessMethod::Terminal => ApiError::from(control::Error::not_found()).into_response(),
            _ if !wants_html(self.headers) => crate::auth::signed_out(
                self.state,
                "This app is not open to everyone, and no session token was sent.",
            )
            .into_response(),
            AccessMethod::Path => {
                let back = self.uri.path_and_query().map_or("/", |path| path.as_str());
                Redirect::to(&format!("{access_url}/login?redirect={}", encoded(back)))
                    .into_response()
            }
            AccessMethod::Subdomain => Redirect::to(&format!(
                "{access_url}/api/v2/applications/auth-redirect?redirect_uri={}",
                encoded(&self.url)
            ))
            .into_response(),
        }
    }
}
