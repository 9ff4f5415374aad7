//! `/users`: reading, listing, making, changing, deleting.

use api_types::{
    AssignableRoles, CreateUserRequestWithOrgs, GetUsersResponse, GitSshKey, Organization,
    Response as Message, UpdateRoles, UpdateUserAppearanceSettingsRequest,
    UpdateUserPasswordRequest, UpdateUserPreferenceSettingsRequest, UpdateUserProfileRequest, User,
    UserAppearanceSettings, UserLoginType, UserPreferenceSettings, UserRoles,
};
use authz::Action;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use control::users::Page;
use store::{OrganizationRef, UserRef};

use super::sign_in::message;
use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/users", get(list).post(create))
        .route("/users/roles", get(role_list))
        .route("/users/{user}", get(read).delete(delete))
        .route("/users/{user}/profile", put(profile_set))
        .route("/users/{user}/status/activate", put(activate))
        .route("/users/{user}/status/suspend", put(suspend))
        .route("/users/{user}/password", put(password_set))
        .route("/users/{user}/roles", get(roles_read).put(roles_set))
        .route(
            "/users/{user}/appearance",
            get(appearance_read).put(appearance_set),
        )
        .route(
            "/users/{user}/preferences",
            get(preferences_read).put(preferences_set),
        )
        .route("/users/{user}/login-type", get(login_type_read))
        .route(
            "/users/{user}/gitsshkey",
            get(git_key_read).put(git_key_regenerate),
        )
        .route("/users/{user}/organizations", get(organization_list))
        .route(
            "/users/{user}/organizations/{organization}",
            get(organization_read),
        )
}

/// The part of a list that query parameters ask for.
pub(super) fn page(params: &mut QueryParams) -> Page {
    let pagination = params.pagination();
    Page {
        limit: pagination.limit,
        offset: pagination.offset,
        after: pagination.after_id,
    }
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Result<Json<GetUsersResponse>, ApiError> {
    let page = page(&mut params);
    let q = params.text("q").to_owned();
    params.finish()?;
    Ok(Json(state.control.user_list(&actor.who, &q, page).await?))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<CreateUserRequestWithOrgs>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    Ok((
        StatusCode::CREATED,
        Json(state.control.user_create(&actor.who, request).await?),
    ))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<User>, ApiError> {
    // Known already from the session: the most frequent request of all.
    if user == UserRef::Me
        && actor
            .who
            .may(Action::Read, &actor.session.user.object())
            .is_ok()
    {
        return Ok(Json(control::users::shown(&actor.session.user)));
    }
    Ok(Json(state.control.user_read(&actor.who, &user).await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<Message>, ApiError> {
    state.control.user_delete(&actor.who, &user).await?;
    Ok(message("User has been deleted!"))
}

async fn profile_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateUserProfileRequest>,
) -> Result<Json<User>, ApiError> {
    Ok(Json(
        state
            .control
            .user_profile_set(&actor.who, &user, request)
            .await?,
    ))
}

async fn activate(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<User>, ApiError> {
    Ok(Json(
        state
            .control
            .user_status_set(&actor.who, &user, "active")
            .await?,
    ))
}

async fn suspend(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<User>, ApiError> {
    Ok(Json(
        state
            .control
            .user_status_set(&actor.who, &user, "suspended")
            .await?,
    ))
}

async fn password_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateUserPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .user_password_set(&actor.who, &user, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn role_list(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<Vec<AssignableRoles>>, ApiError> {
    Ok(Json(state.control.site_role_list(&actor.who)?))
}

async fn roles_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<UserRoles>, ApiError> {
    Ok(Json(
        state.control.user_roles_read(&actor.who, &user).await?,
    ))
}

async fn roles_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateRoles>,
) -> Result<Json<User>, ApiError> {
    Ok(Json(
        state
            .control
            .user_roles_set(&actor.who, &user, &request.roles)
            .await?,
    ))
}

async fn appearance_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<UserAppearanceSettings>, ApiError> {
    Ok(Json(
        state
            .control
            .user_appearance_read(&actor.who, &user)
            .await?,
    ))
}

async fn appearance_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateUserAppearanceSettingsRequest>,
) -> Result<Json<UserAppearanceSettings>, ApiError> {
    Ok(Json(
        state
            .control
            .user_appearance_set(&actor.who, &user, request)
            .await?,
    ))
}

async fn preferences_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<UserPreferenceSettings>, ApiError> {
    Ok(Json(
        state
            .control
            .user_preferences_read(&actor.who, &user)
            .await?,
    ))
}

async fn preferences_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateUserPreferenceSettingsRequest>,
) -> Result<Json<UserPreferenceSettings>, ApiError> {
    Ok(Json(
        state
            .control
            .user_preferences_set(&actor.who, &user, request)
            .await?,
    ))
}

async fn login_type_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<UserLoginType>, ApiError> {
    Ok(Json(
        state
            .control
            .user_login_type_read(&actor.who, &user)
            .await?,
    ))
}

async fn git_key_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<GitSshKey>, ApiError> {
    Ok(Json(
        state.control.git_ssh_key_read(&actor.who, &user).await?,
    ))
}

async fn git_key_regenerate(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<GitSshKey>, ApiError> {
    Ok(Json(
        state
            .control
            .git_ssh_key_regenerate(&actor.who, &user)
            .await?,
    ))
}

async fn organization_list(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<Vec<Organization>>, ApiError> {
    let user = state.control.user_read(&actor.who, &user).await?;
    Ok(Json(
        state
            .control
            .organization_list(&actor.who, Some(user.id))
            .await?,
    ))
}

async fn organization_read(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, organization)): Path<(UserRef, OrganizationRef)>,
) -> Result<Json<Organization>, ApiError> {
    let user = state.control.user_read(&actor.who, &user).await?;
    let found = state
        .control
        .organization_read(&actor.who, &organization)
        .await?;
    state
        .control
        .organization_member_read(&actor.who, &organization, user.id)
        .await?;
    Ok(Json(found))
}
