//! `/users/first`, `/users/login`, `/users/logout` and what stands beside them.

use std::sync::Arc;

use api_types::{
    AuthMethods, ChangePasswordWithOneTimePasscodeRequest, ConvertLoginRequest,
    CreateFirstUserRequest, CreateFirstUserResponse, LoginWithPasswordRequest,
    LoginWithPasswordResponse, RequestOneTimePasscodeRequest, Response as Message,
    ValidateUserPasswordRequest, ValidateUserPasswordResponse,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use store::UserRef;

use crate::auth::RequestOrigin;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/users/first", get(first_read).post(first_create))
        .route("/users/login", post(login))
        .route("/users/logout", post(logout))
        .route("/users/authmethods", get(auth_methods))
        .route("/users/validate-password", post(validate_password))
        .route("/users/otp/request", post(passcode_request))
        .route("/users/otp/change-password", post(passcode_use))
        .route("/users/{user}/convert-login", post(login_convert))
}

async fn first_read(State(state): State<AppState>) -> Result<Json<Message>, ApiError> {
    if state.control.first_user_exists().await? {
        Ok(message("The initial user has already been created!"))
    } else {
        Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "The initial user has not been created!",
        ))
    }
}

async fn first_create(
    State(state): State<AppState>,
    RequestOrigin(origin): RequestOrigin,
    Json(request): Json<CreateFirstUserRequest>,
) -> Result<(StatusCode, Json<CreateFirstUserResponse>), ApiError> {
    let created = state
        .control
        .first_user_create(request, Arc::new(origin))
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn login(
    State(state): State<AppState>,
    RequestOrigin(origin): RequestOrigin,
    Json(request): Json<LoginWithPasswordRequest>,
) -> Result<Response, ApiError> {
    let token = state.control.sign_in(request, Arc::new(origin)).await?;
    let cookie = state.http.cookies.set(token.expose());
    let body = LoginWithPasswordResponse {
        session_token: token.into_inner(),
    };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

async fn logout(State(state): State<AppState>, actor: Actor) -> Result<Response, ApiError> {
    state.control.sign_out(&actor.who, &actor.session).await?;
    let mut response = message("Logged out!").into_response();
    response.headers_mut().extend(
        state
            .http
            .cookies
            .clear()
            .map(|cookie| (SET_COOKIE, cookie)),
    );
    Ok(response)
}

async fn auth_methods(State(state): State<AppState>) -> Json<AuthMethods> {
    Json(state.control.auth_methods(&state.http.terms_of_service_url))
}

async fn validate_password(
    State(state): State<AppState>,
    Json(request): Json<ValidateUserPasswordRequest>,
) -> Json<ValidateUserPasswordResponse> {
    Json(state.control.password_validate(&request.password))
}

async fn passcode_request(
    State(state): State<AppState>,
    Json(_): Json<RequestOneTimePasscodeRequest>,
) -> Result<StatusCode, ApiError> {
    state.control.passcode_request()?;
    Ok(StatusCode::NO_CONTENT)
}

async fn passcode_use(
    State(state): State<AppState>,
    RequestOrigin(origin): RequestOrigin,
    Json(request): Json<ChangePasswordWithOneTimePasscodeRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .passcode_use(request, Arc::new(origin))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn login_convert(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<ConvertLoginRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .login_convert(&actor.who, &user, request)
        .await?;
    Ok(StatusCode::CREATED)
}

/// A plain acknowledgement.
pub(super) fn message(text: &str) -> Json<Message> {
    Json(Message {
        message: text.to_owned(),
        ..Message::default()
    })
}
