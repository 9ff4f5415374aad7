//! Settings of chats: of the deployment, and of users.

use api_types::{
    ChatDebugLoggingAdminSettings, ChatSystemPromptResponse, UpdateChatSystemPromptRequest,
    UserChatCompactionThreshold, UserChatCompactionThresholds, UserChatDebugLoggingSettings,
};
use authz::{Action, Object, ResourceType, Subject, System};
use chat::debug::{ALLOW_USERS as DEBUG_ALLOW_USERS, ENABLED as USER_DEBUG};
use chat::generate::{USER_PROMPT, USER_THRESHOLD};
use store::UserRef;
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

/// Longest prompt, in bytes.
const MAX_PROMPT: usize = 128 << 10;
/// Longest time that data may be kept, in days.
const MAX_DAYS: i32 = 3650;
/// Limits of the time after which workspaces of chats stop.
const MIN_TTL_MS: i64 = 60_000;
const MAX_TTL_MS: i64 = 30 * 24 * 3_600_000;

const SYSTEM_PROMPT: &str = "agents_chat_system_prompt";
const INCLUDE_DEFAULT: &str = "agents_chat_include_default_system_prompt";

/// A setting of the deployment that is a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatSetting {
    /// Instructions of plan mode.
    PlanModeInstructions,
    /// Users may choose models for themselves.
    PersonalModelOverrides,
    /// After how many milliseconds workspaces of chats stop; 0 leaves it to the template.
    WorkspaceTtl,
    /// For how many days archived chats are kept; 0 means for ever.
    RetentionDays,
    /// The same for debug runs.
    DebugRetentionDays,
    /// After how many days of rest chats are archived; 0 means never.
    AutoArchiveDays,
}

impl ChatSetting {
    const fn key(self) -> &'static str {
        match self {
            ChatSetting::PlanModeInstructions => chat::generate::PLAN_INSTRUCTIONS,
            ChatSetting::PersonalModelOverrides => "agents_chat_personal_model_overrides_enabled",
            ChatSetting::WorkspaceTtl => "agents_workspace_ttl",
            ChatSetting::RetentionDays => "agents_chat_retention_days",
            ChatSetting::DebugRetentionDays => "agents_chat_debug_retention_days",
            ChatSetting::AutoArchiveDays => "agents_chat_auto_archive_days",
        }
    }

    const fn default(self) -> &'static str {
        match self {
            ChatSetting::PlanModeInstructions => "",
            ChatSetting::PersonalModelOverrides => "false",
            ChatSetting::WorkspaceTtl | ChatSetting::AutoArchiveDays => "0",
            ChatSetting::RetentionDays | ChatSetting::DebugRetentionDays => "30",
        }
    }

    /// Whether only administrators may read it.
    const fn is_private(self) -> bool {
        matches!(
            self,
            ChatSetting::PlanModeInstructions | ChatSetting::PersonalModelOverrides
        )
    }

    fn check(self, value: &str) -> Result<()> {
        match self {
            ChatSetting::PlanModeInstructions if value.len() > MAX_PROMPT => Err(Error::invalid(
                "Plan mode instructions exceed maximum length.",
            )
            .with_detail(format!("They have {MAX_PROMPT} bytes at most."))),
            ChatSetting::PlanModeInstructions | ChatSetting::PersonalModelOverrides => Ok(()),
            ChatSetting::WorkspaceTtl => match value.parse::<i64>() {
                Ok(0) => Ok(()),
                Ok(n) if n < 0 => Err(Error::invalid("Workspace TTL must be non-negative.")),
                Ok(n) if n < MIN_TTL_MS => Err(Error::invalid(
                    "Workspace TTL must not be less than 1 minute.",
                )),
                Ok(n) if n > MAX_TTL_MS => {
                    Err(Error::invalid("Workspace TTL must not exceed 30 days."))
                }
                Ok(_) => Ok(()),
                Err(_) => Err(Error::invalid("Workspace TTL must be a number.")),
            },
            ChatSetting::RetentionDays
            | ChatSetting::DebugRetentionDays
            | ChatSetting::AutoArchiveDays => match value.parse::<i32>() {
                Ok(days) if (0..=MAX_DAYS).contains(&days) => Ok(()),
                _ => Err(Error::invalid(format!(
                    "The number of days must be between 0 and {MAX_DAYS}."
                ))),
            },
        }
    }
}

fn deployment() -> Object {
    Object::new(ResourceType::DeploymentConfig)
}

fn may_read(who: &Subject) -> Result<()> {
    who.may(Action::Read, &deployment())
        .map_err(|_| Error::not_found())
}

fn may_update(who: &Subject) -> Result<()> {
    Ok(who.may(Action::Update, &deployment())?)
}

pub(super) fn prompt(text: &str) -> Result<&str> {
    if text.len() > MAX_PROMPT {
        return Err(Error::invalid("System prompt exceeds maximum length.")
            .with_detail(format!("It has {MAX_PROMPT} bytes at most.")));
    }
    Ok(text.trim())
}

impl Control {
    pub(super) async fn chat_site_read(&self, key: &str) -> Result<Option<String>> {
        let core = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        Ok(conn.site_config_read(&core, key).await?)
    }

    /// A setting of the deployment.
    pub async fn chat_setting_read(&self, who: &Subject, setting: ChatSetting) -> Result<String> {
        if setting.is_private() {
            may_read(who)?;
        }
        self.chat_setting_value(setting).await
    }

    /// A setting of the deployment, for what follows it.
    pub(crate) async fn chat_setting_value(&self, setting: ChatSetting) -> Result<String> {
        let value = self.chat_site_read(setting.key()).await?;
        Ok(value.unwrap_or_else(|| setting.default().to_owned()))
    }

    /// Sets a setting of the deployment.
    pub async fn chat_setting_set(
        &self,
        who: &Subject,
        setting: ChatSetting,
        value: &str,
    ) -> Result<()> {
        may_update(who)?;
        setting.check(value)?;
        let conn = self.store().conn().await?;
        conn.site_config_set(who, setting.key(), value).await?;
        Ok(())
    }

    /// Whether users may choose models for themselves; asked by what chooses for them.
    pub async fn chat_personal_models_allowed(&self) -> Result<bool> {
        let key = ChatSetting::PersonalModelOverrides.key();
        Ok(self.chat_site_read(key).await?.as_deref() == Some("true"))
    }

    /// The deployment's prompt, and whether the built-in one stands before it: what new chats
    /// begin with.
    pub(super) async fn chat_system_prompt(&self) -> Result<(String, bool)> {
        let own = self.chat_site_read(SYSTEM_PROMPT).await?;
        let include = self.chat_site_read(INCLUDE_DEFAULT).await?;
        Ok((own.unwrap_or_default(), include.as_deref() != Some("false")))
    }

    /// The deployment's prompt.
    pub async fn chat_system_prompt_read(&self, who: &Subject) -> Result<ChatSystemPromptResponse> {
        may_read(who)?;
        let (system_prompt, include_default_system_prompt) = self.chat_system_prompt().await?;
        Ok(ChatSystemPromptResponse {
            system_prompt,
            include_default_system_prompt,
            default_system_prompt: chat::prompt::DEFAULT_PROMPT.trim().to_owned(),
        })
    }

    /// Sets the deployment's prompt for chats that begin from now on.
    pub async fn chat_system_prompt_set(
        &self,
        who: &Subject,
        request: &UpdateChatSystemPromptRequest,
    ) -> Result<()> {
        may_update(who)?;
        let text = prompt(&request.system_prompt)?;
        let tx = self.store().begin(who).await?;
        tx.site_config_set(who, SYSTEM_PROMPT, text).await?;
        if let Some(include) = request.include_default_system_prompt {
            tx.site_config_set(who, INCLUDE_DEFAULT, &include.to_string())
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether users may keep debug logs.
    pub async fn chat_debug_logging_read(
        &self,
        who: &Subject,
    ) -> Result<ChatDebugLoggingAdminSettings> {
        may_read(who)?;
        Ok(ChatDebugLoggingAdminSettings {
            allow_users: self.chat_debug_allowed().await?,
            forced_by_deployment: self.settings().chat_debug_logging,
        })
    }

    /// Lets users keep debug logs, or not.
    pub async fn chat_debug_logging_set(&self, who: &Subject, allow: bool) -> Result<()> {
        may_update(who)?;
        let conn = self.store().conn().await?;
        conn.site_config_set(who, DEBUG_ALLOW_USERS, &allow.to_string())
            .await?;
        Ok(())
    }

    async fn chat_debug_allowed(&self) -> Result<bool> {
        let allowed = self.chat_site_read(DEBUG_ALLOW_USERS).await?;
        Ok(allowed.as_deref() == Some("true"))
    }

    pub(super) async fn chat_user_read(&self, who: &Subject, key: &str) -> Result<Option<String>> {
        let all = self.chat_user_all(who).await?;
        Ok(all
            .into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value))
    }

    async fn chat_user_all(&self, who: &Subject) -> Result<Vec<(String, String)>> {
        let conn = self.store().conn().await?;
        let me = conn.user_read(who, &UserRef::Me).await?;
        Ok(conn.user_config_read(who, me.id).await?)
    }

    async fn chat_user_set(&self, who: &Subject, key: &str, value: &str) -> Result<()> {
        let conn = self.store().conn().await?;
        let me = conn.user_read(who, &UserRef::Me).await?;
        conn.user_config_set(who, me.id, key, value).await?;
        Ok(())
    }

    /// Whether one's own chats keep debug logs.
    pub async fn chat_user_debug_read(
        &self,
        who: &Subject,
    ) -> Result<UserChatDebugLoggingSettings> {
        let forced = self.settings().chat_debug_logging;
        let allowed = self.chat_debug_allowed().await?;
        let own = self.chat_user_read(who, USER_DEBUG).await?;
        Ok(UserChatDebugLoggingSettings {
            debug_logging_enabled: forced || allowed && own.as_deref() == Some("true"),
            user_toggle_allowed: allowed && !forced,
            forced_by_deployment: forced,
        })
    }

    /// Makes one's own chats keep debug logs, or not.
    pub async fn chat_user_debug_set(&self, who: &Subject, on: bool) -> Result<()> {
        if self.settings().chat_debug_logging {
            return Err(Error::conflict(
                "Debug logs are kept of all chats of this deployment: an administrator set so by \
                 --chat-debug-logging-enabled.",
            ));
        }
        if !self.chat_debug_allowed().await? {
            return Err(Error::forbidden(
                "An administrator has not allowed users to keep debug logs of chats.",
            ));
        }
        self.chat_user_set(who, USER_DEBUG, &on.to_string()).await
    }

    /// One's own instructions for all chats.
    pub async fn chat_user_prompt_read(&self, who: &Subject) -> Result<String> {
        Ok(self
            .chat_user_read(who, USER_PROMPT)
            .await?
            .unwrap_or_default())
    }

    /// Sets one's own instructions for all chats; as they are kept.
    pub async fn chat_user_prompt_set(&self, who: &Subject, text: &str) -> Result<String> {
        let text = prompt(text)?;
        self.chat_user_set(who, USER_PROMPT, text).await?;
        Ok(text.to_owned())
    }

    /// One's own thresholds of summaries, by model.
    pub async fn chat_user_thresholds(
        &self,
        who: &Subject,
    ) -> Result<UserChatCompactionThresholds> {
        let mut thresholds: Vec<UserChatCompactionThreshold> = self
            .chat_user_all(who)
            .await?
            .iter()
            .filter_map(|(key, value)| {
                Some(UserChatCompactionThreshold {
                    model_config_id: key.strip_prefix(USER_THRESHOLD)?.parse().ok()?,
                    threshold_percent: value.parse().ok()?,
                })
            })
            .collect();
        thresholds.sort_by_key(|t| t.model_config_id);
        Ok(UserChatCompactionThresholds { thresholds })
    }

    /// Sets one's own threshold for a model.
    pub async fn chat_user_threshold_set(
        &self,
        who: &Subject,
        model: Uuid,
        percent: i32,
    ) -> Result<UserChatCompactionThreshold> {
        if !(0..=100).contains(&percent) {
            return Err(Error::invalid("threshold_percent is out of range.")
                .with_detail("It must be between 0 and 100; 100 means never."));
        }
        let conn = self.store().conn().await?;
        conn.chat_model_read(who, model)
            .await
            .map_err(|_| Error::new(Kind::NotFound, "Chat model config not found."))?;
        drop(conn);
        let key = format!("{USER_THRESHOLD}{model}");
        self.chat_user_set(who, &key, &percent.to_string()).await?;
        Ok(UserChatCompactionThreshold {
            model_config_id: model,
            threshold_percent: percent,
        })
    }

    /// Leaves the threshold for a model to the model.
    pub async fn chat_user_threshold_delete(&self, who: &Subject, model: Uuid) -> Result<()> {
        let conn = self.store().conn().await?;
        let me = conn.user_read(who, &UserRef::Me).await?;
        conn.user_config_delete(who, me.id, &format!("{USER_THRESHOLD}{model}"))
            .await?;
        Ok(())
    }
}
