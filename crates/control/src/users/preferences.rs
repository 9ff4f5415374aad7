//! Looks and habits of a user.

use api_types::{
    LoginType, UpdateUserAppearanceSettingsRequest, UpdateUserPreferenceSettingsRequest,
    UserAppearanceSettings, UserLoginType, UserPreferenceSettings,
};
use authz::Subject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::UserRef;

use crate::{Control, Error, Result};

const APPEARANCE: &str = "appearance";
const PREFERENCES: &str = "preferences";
/// Longest name of a theme.
const MAX_THEME: usize = 64;

impl Control {
    /// How the dashboard looks for a user.
    pub async fn user_appearance_read(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<UserAppearanceSettings> {
        self.user_config(who, which, APPEARANCE).await
    }

    /// Sets how the dashboard looks for a user.
    pub async fn user_appearance_set(
        &self,
        who: &Subject,
        which: &UserRef,
        request: UpdateUserAppearanceSettingsRequest,
    ) -> Result<UserAppearanceSettings> {
        if request.theme_preference.is_empty() {
            return Err(Error::field("theme_preference", "must be given"));
        }
        let themes = [
            &request.theme_preference,
            &request.theme_light,
            &request.theme_dark,
        ];
        if themes.iter().any(|theme| theme.len() > MAX_THEME) {
            return Err(Error::field("theme_preference", "is no name of a theme"));
        }
        let settings = UserAppearanceSettings {
            theme_preference: request.theme_preference,
            theme_mode: request.theme_mode,
            theme_light: request.theme_light,
            theme_dark: request.theme_dark,
            terminal_font: request.terminal_font,
        };
        self.user_config_set(who, which, APPEARANCE, &settings)
            .await?;
        Ok(settings)
    }

    /// Habits of a user.
    pub async fn user_preferences_read(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<UserPreferenceSettings> {
        self.user_config(who, which, PREFERENCES).await
    }

    /// Sets habits of a user; what is absent stays.
    pub async fn user_preferences_set(
        &self,
        who: &Subject,
        which: &UserRef,
        request: UpdateUserPreferenceSettingsRequest,
    ) -> Result<UserPreferenceSettings> {
        let mut settings: UserPreferenceSettings =
            self.user_config(who, which, PREFERENCES).await?;
        if let Some(dismissed) = request.task_notification_alert_dismissed {
            settings.task_notification_alert_dismissed = dismissed;
        }
        keep(
            &mut settings.thinking_display_mode,
            request.thinking_display_mode,
        );
        keep(
            &mut settings.shell_tool_display_mode,
            request.shell_tool_display_mode,
        );
        keep(
            &mut settings.code_diff_display_mode,
            request.code_diff_display_mode,
        );
        keep(
            &mut settings.agent_chat_send_shortcut,
            request.agent_chat_send_shortcut,
        );
        self.user_config_set(who, which, PREFERENCES, &settings)
            .await?;
        Ok(settings)
    }

    /// How a user signs in; one's own business.
    pub async fn user_login_type_read(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<UserLoginType> {
        let user = self.store().conn().await?.user_read(who, which).await?;
        if who.user_id() != Some(user.id) {
            return Err(Error::forbidden(
                "You are not authorized to view another user's login type.",
            ));
        }
        Ok(UserLoginType {
            login_type: LoginType::from(user.login_type.as_str()),
        })
    }

    async fn user_config<T: DeserializeOwned + Default>(
        &self,
        who: &Subject,
        which: &UserRef,
        key: &str,
    ) -> Result<T> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let all = conn.user_config_read(who, user.id).await?;
        let stored = all.into_iter().find(|(name, _)| name == key);
        Ok(stored
            .and_then(|(_, value)| serde_json::from_str(&value).ok())
            .unwrap_or_default())
    }

    async fn user_config_set(
        &self,
        who: &Subject,
        which: &UserRef,
        key: &str,
        value: &impl Serialize,
    ) -> Result<()> {
        let json = serde_json::to_string(value).map_err(Error::internal)?;
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(conn.user_config_set(who, user.id, key, &json).await?)
    }
}

/// Takes a new value unless it is the unset one.
fn keep<T: Default + PartialEq>(old: &mut T, new: T) {
    if new != T::default() {
        *old = new;
    }
}
