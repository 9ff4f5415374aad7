//! The pages that a browser needs for signing in and for handing a token to
//! the command line: plain HTML forms, no scripts.

pub(crate) mod csrf;
mod html;

use std::collections::HashMap;
use std::sync::Arc;

use api_types::{CreateFirstUserRequest, LoginWithPasswordRequest};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use store::UserRef;

use crate::auth::RequestOrigin;
use crate::extract::{QueryParams, read_body};
use crate::{ApiError, AppState, MaybeActor};
pub(crate) use html::escape;
use html::{Page, field, paragraph};

/// Largest form: a few short fields.
const MAX_FORM: usize = 16 << 10;

/// The routes; at the root, not below `/api/v2`.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login_page).post(login))
        .route("/setup", get(setup_page).post(setup))
        .route("/cli-auth", get(cli_auth_page).post(cli_auth))
}

async fn home(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
) -> Result<Response, ApiError> {
    let Some(actor) = actor else {
        let first = state.control.first_user_exists().await?;
        return Ok(redirect(if first { "/login" } else { "/setup" }));
    };
    let url = state
        .control
        .settings()
        .access_url
        .as_str()
        .trim_end_matches('/')
        .to_owned();
    let text = format!("You are signed in as {}.", actor.session.user.username);
    Ok(Page::new("Coder")
        .add(&paragraph(&text))
        .add(&paragraph("Work with it from a terminal:"))
        .add(&html::code(&format!("coder login {url}")))
        .add(&html::link("/cli-auth", "Get a session token"))
        .response(&state, StatusCode::OK))
}

async fn login_page(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: QueryParams,
) -> Result<Response, ApiError> {
    if !state.control.first_user_exists().await? {
        return Ok(redirect("/setup"));
    }
    let message = params.text("message").chars().take(300).collect::<String>();
    Ok(login_form(
        &state,
        &headers,
        local(params.text("redirect")),
        &message,
        StatusCode::OK,
    ))
}

fn login_form(
    state: &AppState,
    headers: &HeaderMap,
    to: &str,
    problem: &str,
    status: StatusCode,
) -> Response {
    let token = csrf::Token::of(headers);
    Page::new("Sign in")
        .problem(problem)
        .form(
            "/login",
            "Sign in",
            &[
                token.field(),
                html::hidden("redirect", to),
                field("email", "E-mail", "email", "username"),
                field("password", "Password", "password", "current-password"),
            ],
        )
        .cookie(token.cookie(state.http.cookies.secure))
        .response(state, status)
}

async fn login(
    State(state): State<AppState>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = form(body).await?;
    let to = local(form.get("redirect").map_or("", String::as_str)).to_owned();
    csrf::check(&headers, &form)?;
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let request = LoginWithPasswordRequest {
        email: text("email"),
        password: text("password"),
    };
    match state.control.sign_in(request, Arc::new(origin)).await {
        Ok(token) => Ok(signed_in(&state, token.expose(), &to)),
        Err(error) if error.status() < 500 => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(login_form(&state, &headers, &to, &error.message, status))
        }
        Err(error) => Err(error.into()),
    }
}

async fn setup_page(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if state.control.first_user_exists().await? {
        return Ok(redirect("/login"));
    }
    Ok(setup_form(&state, &headers, "", StatusCode::OK))
}

fn setup_form(
    state: &AppState,
    headers: &HeaderMap,
    problem: &str,
    status: StatusCode,
) -> Response {
    let token = csrf::Token::of(headers);
    Page::new("Welcome")
        .add(&paragraph(
            "Make the first user. It will own this deployment.",
        ))
        .problem(problem)
        .form(
            "/setup",
            "Create",
            &[
                token.field(),
                field("username", "Username", "text", "username"),
                field("email", "E-mail", "email", "email"),
                field("password", "Password", "password", "new-password"),
            ],
        )
        .cookie(token.cookie(state.http.cookies.secure))
        .response(state, status)
}

async fn setup(
    State(state): State<AppState>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = form(body).await?;
    csrf::check(&headers, &form)?;
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let request = CreateFirstUserRequest {
        email: text("email"),
        username: text("username"),
        password: text("password"),
        ..CreateFirstUserRequest::default()
    };
    let origin = Arc::new(origin);
    if let Err(error) = state
        .control
        .first_user_create(request, origin.clone())
        .await
    {
        if error.status() >= 500 {
            return Err(error.into());
        }
        let mut problem = error.message;
        for validation in error.validations {
            problem = format!("{problem} {}: {}.", validation.field, validation.detail);
        }
        return Ok(setup_form(
            &state,
            &headers,
            &problem,
            StatusCode::BAD_REQUEST,
        ));
    }
    let request = LoginWithPasswordRequest {
        email: text("email"),
        password: text("password"),
    };
    let token = state.control.sign_in(request, origin).await?;
    Ok(signed_in(&state, token.expose(), "/"))
}

async fn cli_auth_page(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    headers: HeaderMap,
) -> Response {
    if actor.is_none() {
        return redirect("/login?redirect=%2Fcli-auth");
    }
    let token = csrf::Token::of(&headers);
    Page::new("Command line")
        .add(&paragraph(
            "Make a session token for `coder login`. Whoever has it acts as you.",
        ))
        .form("/cli-auth", "Show the token", &[token.field()])
        .cookie(token.cookie(state.http.cookies.secure))
        .response(&state, StatusCode::OK)
}

async fn cli_auth(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Some(actor) = actor else {
        return Ok(redirect("/login?redirect=%2Fcli-auth"));
    };
    csrf::check(&headers, &form(body).await?)?;
    let made = state.control.key_create(&actor.who, &UserRef::Me).await?;
    Ok(Page::new("Command line")
        .add(&paragraph(
            "Copy this token and paste it into the terminal. It is shown only once.",
        ))
        .add(&html::code(&made.key))
        .response(&state, StatusCode::OK))
}

fn signed_in(state: &AppState, token: &str, to: &str) -> Response {
    let mut response = redirect(if to.is_empty() { "/" } else { to });
    response.headers_mut().extend(
        state
            .http
            .cookies
            .set(token)
            .map(|cookie| (SET_COOKIE, cookie)),
    );
    response
}

fn redirect(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// A path of ours; anything else would be a way to lure people elsewhere.
fn local(to: &str) -> &str {
    let plain = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains('\\')
        && to.bytes().all(|b| b.is_ascii_graphic());
    if plain { to } else { "" }
}

pub(crate) async fn form(body: Body) -> Result<HashMap<String, String>, ApiError> {
    let bytes = read_body(body, MAX_FORM).await?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_paths_of_ours_are_redirected_to() {
        assert_eq!(local("/cli-auth?x=1"), "/cli-auth?x=1");
        for bad in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "x",
            "/a\r\nb",
            "",
        ] {
            assert_eq!(local(bad), "", "{bad}");
        }
    }
}
