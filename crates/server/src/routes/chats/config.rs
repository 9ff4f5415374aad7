//! `/chats/config`: settings of chats.

use api_types::{
    ChatAutoArchiveDays, ChatDebugLoggingAdminSettings, ChatDebugRetentionDays,
    ChatPersonalModelOverridesAdminSettings, ChatPlanModeInstructions, ChatRetentionDays,
    ChatSystemPromptResponse, ChatWorkspaceTtl, UpdateChatSystemPromptRequest,
    UpdateUserChatCompactionThresholdRequest, UserChatCompactionThreshold,
    UserChatCompactionThresholds, UserChatCustomPrompt, UserChatDebugLoggingSettings,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use control::ChatSetting;
use uuid::Uuid;

use super::Answer;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

type Done = Result<StatusCode, ApiError>;

pub(super) fn router() -> Router<AppState> {
    let at = |name: &str| format!("/chats/config/{name}");
    Router::new()
        .route(&at("system-prompt"), get(prompt).put(prompt_set))
        .route(&at("plan-mode-instructions"), get(plan).put(plan_set))
        .route(
            &at("personal-model-overrides"),
            get(personal).put(personal_set),
        )
        .route(&at("debug-logging"), get(debug).put(debug_set))
        .route(&at("user-debug-logging"), get(own_debug).put(own_debug_set))
        .route(&at("user-prompt"), get(own_prompt).put(own_prompt_set))
        .route(&at("user-compaction-thresholds"), get(thresholds))
        .route(
            &at("user-compaction-thresholds/{model}"),
            put(threshold_set).delete(threshold_delete),
        )
        .route(&at("workspace-ttl"), get(ttl).put(ttl_set))
        .route(&at("retention-days"), get(retention).put(retention_set))
        .route(
            &at("debug-retention-days"),
            get(debug_retention).put(debug_retention_set),
        )
        .route(&at("auto-archive-days"), get(archive).put(archive_set))
}

async fn number<T: std::str::FromStr + Default>(
    state: &AppState,
    actor: &Actor,
    setting: ChatSetting,
) -> Result<T, ApiError> {
    let text = state.control.chat_setting_read(&actor.who, setting).await?;
    Ok(text.parse().unwrap_or_default())
}

async fn set(state: &AppState, actor: &Actor, setting: ChatSetting, value: &str) -> Done {
    state
        .control
        .chat_setting_set(&actor.who, setting, value)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prompt(State(state): State<AppState>, actor: Actor) -> Answer<ChatSystemPromptResponse> {
    Ok(Json(
        state.control.chat_system_prompt_read(&actor.who).await?,
    ))
}

async fn prompt_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<UpdateChatSystemPromptRequest>,
) -> Done {
    state
        .control
        .chat_system_prompt_set(&actor.who, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn plan(State(state): State<AppState>, actor: Actor) -> Answer<ChatPlanModeInstructions> {
    let plan_mode_instructions = state
        .control
        .chat_setting_read(&actor.who, ChatSetting::PlanModeInstructions)
        .await?;
    Ok(Json(ChatPlanModeInstructions {
        plan_mode_instructions,
    }))
}

async fn plan_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatPlanModeInstructions>,
) -> Done {
    let text = request.plan_mode_instructions.trim();
    set(&state, &actor, ChatSetting::PlanModeInstructions, text).await
}

async fn personal(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<ChatPersonalModelOverridesAdminSettings> {
    let setting = ChatSetting::PersonalModelOverrides;
    Ok(Json(ChatPersonalModelOverridesAdminSettings {
        allow_users: number(&state, &actor, setting).await?,
    }))
}

async fn personal_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatPersonalModelOverridesAdminSettings>,
) -> Done {
    let setting = ChatSetting::PersonalModelOverrides;
    set(&state, &actor, setting, &request.allow_users.to_string()).await
}

async fn debug(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<ChatDebugLoggingAdminSettings> {
    Ok(Json(
        state.control.chat_debug_logging_read(&actor.who).await?,
    ))
}

async fn debug_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatDebugLoggingAdminSettings>,
) -> Done {
    state
        .control
        .chat_debug_logging_set(&actor.who, request.allow_users)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own_debug(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<UserChatDebugLoggingSettings> {
    Ok(Json(state.control.chat_user_debug_read(&actor.who).await?))
}

async fn own_debug_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<UserChatDebugLoggingSettings>,
) -> Done {
    state
        .control
        .chat_user_debug_set(&actor.who, request.debug_logging_enabled)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own_prompt(State(state): State<AppState>, actor: Actor) -> Answer<UserChatCustomPrompt> {
    let custom_prompt = state.control.chat_user_prompt_read(&actor.who).await?;
    Ok(Json(UserChatCustomPrompt { custom_prompt }))
}

async fn own_prompt_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<UserChatCustomPrompt>,
) -> Answer<UserChatCustomPrompt> {
    let custom_prompt = state
        .control
        .chat_user_prompt_set(&actor.who, &request.custom_prompt)
        .await?;
    Ok(Json(UserChatCustomPrompt { custom_prompt }))
}

async fn thresholds(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<UserChatCompactionThresholds> {
    Ok(Json(state.control.chat_user_thresholds(&actor.who).await?))
}

async fn threshold_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
    Json(request): Json<UpdateUserChatCompactionThresholdRequest>,
) -> Answer<UserChatCompactionThreshold> {
    let set = state
        .control
        .chat_user_threshold_set(&actor.who, model, request.threshold_percent)
        .await?;
    Ok(Json(set))
}

async fn threshold_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
) -> Done {
    state
        .control
        .chat_user_threshold_delete(&actor.who, model)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ttl(State(state): State<AppState>, actor: Actor) -> Answer<ChatWorkspaceTtl> {
    let workspace_ttl_ms = number(&state, &actor, ChatSetting::WorkspaceTtl).await?;
    Ok(Json(ChatWorkspaceTtl { workspace_ttl_ms }))
}

async fn ttl_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatWorkspaceTtl>,
) -> Done {
    let value = request.workspace_ttl_ms.to_string();
    set(&state, &actor, ChatSetting::WorkspaceTtl, &value).await
}

async fn retention(State(state): State<AppState>, actor: Actor) -> Answer<ChatRetentionDays> {
    let retention_days = number(&state, &actor, ChatSetting::RetentionDays).await?;
    Ok(Json(ChatRetentionDays { retention_days }))
}

async fn retention_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatRetentionDays>,
) -> Done {
    let value = request.retention_days.to_string();
    set(&state, &actor, ChatSetting::RetentionDays, &value).await
}

async fn debug_retention(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<ChatDebugRetentionDays> {
    let debug_retention_days = number(&state, &actor, ChatSetting::DebugRetentionDays).await?;
    Ok(Json(ChatDebugRetentionDays {
        debug_retention_days,
    }))
}

async fn debug_retention_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatDebugRetentionDays>,
) -> Done {
    let value = request.debug_retention_days.to_string();
    set(&state, &actor, ChatSetting::DebugRetentionDays, &value).await
}

async fn archive(State(state): State<AppState>, actor: Actor) -> Answer<ChatAutoArchiveDays> {
    let auto_archive_days = number(&state, &actor, ChatSetting::AutoArchiveDays).await?;
    Ok(Json(ChatAutoArchiveDays { auto_archive_days }))
}

async fn archive_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatAutoArchiveDays>,
) -> Done {
    let value = request.auto_archive_days.to_string();
    set(&state, &actor, ChatSetting::AutoArchiveDays, &value).await
}
