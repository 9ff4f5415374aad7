//! Settings of chats, of the deployment and of users.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    };
}

body! {
    /// `ChatSystemPromptResponse` of the API.
    ChatSystemPromptResponse {
        system_prompt: String,
        include_default_system_prompt: bool,
        default_system_prompt: String,
    }
}
body! {
    /// `UpdateChatSystemPromptRequest` of the API.
    UpdateChatSystemPromptRequest {
        system_prompt: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        include_default_system_prompt: Option<bool>,
    }
}
body! {
    /// `ChatPlanModeInstructionsResponse` of the API, and the request.
    ChatPlanModeInstructions { plan_mode_instructions: String }
}
body! {
    /// `ChatPersonalModelOverridesAdminSettings` of the API, and the request.
    ChatPersonalModelOverridesAdminSettings { allow_users: bool }
}
body! {
    /// `UserChatCustomPrompt` of the API.
    UserChatCustomPrompt { custom_prompt: String }
}
body! {
    /// `UserChatCompactionThreshold` of the API.
    UserChatCompactionThreshold { model_config_id: Uuid, threshold_percent: i32 }
}
body! {
    /// `UserChatCompactionThresholds` of the API.
    UserChatCompactionThresholds { thresholds: Vec<UserChatCompactionThreshold> }
}
body! {
    /// `UpdateUserChatCompactionThresholdRequest` of the API.
    UpdateUserChatCompactionThresholdRequest { threshold_percent: i32 }
}
body! {
    /// `ChatDebugLoggingAdminSettings` of the API; `allow_users` alone is the request.
    ChatDebugLoggingAdminSettings { allow_users: bool, forced_by_deployment: bool }
}
body! {
    /// `UserChatDebugLoggingSettings` of the API.
    UserChatDebugLoggingSettings {
        debug_logging_enabled: bool,
        user_toggle_allowed: bool,
        forced_by_deployment: bool,
    }
}
body! {
    /// `ChatWorkspaceTTLResponse` of the API, and the request.
    ChatWorkspaceTtl { workspace_ttl_ms: i64 }
}
body! {
    /// `ChatRetentionDaysResponse` of the API, and the request.
    ChatRetentionDays { retention_days: i32 }
}
body! {
    /// `ChatDebugRetentionDaysResponse` of the API, and the request.
    ChatDebugRetentionDays { debug_retention_days: i32 }
}
body! {
    /// `ChatAutoArchiveDaysResponse` of the API, and the request.
    ChatAutoArchiveDays { auto_archive_days: i32 }
}
