//! Settings of the advisor of chats, an experiment.

use api_types::AdvisorConfig;
use authz::{Action, Object, ResourceType, Subject, System};
use chat::tools::advisor::CONFIG;

use crate::{Control, Error, Kind, Result};

impl Control {
    /// The settings as they are; who uses chats may know them.
    pub async fn chat_advisor_read(&self, _: &Subject) -> Result<AdvisorConfig> {
        self.chat_advisor_needed()?;
        let core = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let text = conn.site_config_read(&core, CONFIG).await?;
        let stored = text.and_then(|text| serde_json::from_str::<AdvisorConfig>(&text).ok());
        Ok(AdvisorConfig {
            enabled: true,
            ..stored.unwrap_or_default()
        })
    }

    /// Changes them.
    pub async fn chat_advisor_set(&self, who: &Subject, request: AdvisorConfig) -> Result<()> {
        who.may(Action::Update, &Object::new(ResourceType::DeploymentConfig))?;
        self.chat_advisor_needed()?;
        for (name, value) in [
            ("max_uses_per_run", i64::from(request.max_uses_per_run)),
            ("max_output_tokens", request.max_output_tokens),
        ] {
            if value < 0 {
                return Err(Error::invalid(format!(
                    "{name} {value} must be non-negative."
                )));
            }
        }
        if let Some(effort) = &request.reasoning_effort {
            if request.model_config_id.is_nil() {
                return Err(Error::invalid("reasoning_effort requires model_config_id."));
            }
            if !chat::models::is_effort(effort) {
                return Err(Error::invalid(format!(
                    "There is no reasoning effort {effort:?}."
                )));
            }
        }
        let conn = self.store().conn().await?;
        if !request.model_config_id.is_nil() {
            let id = request.model_config_id;
            let model = conn.chat_model_read(who, id).await;
            if !model.is_ok_and(|model| model.enabled) {
                return Err(Error::invalid(format!(
                    "model_config_id \"{id}\" does not match any enabled model config."
                )));
            }
        }
        let stored = AdvisorConfig {
            enabled: false,
            ..request
        };
        let text = serde_json::to_string(&stored).map_err(Error::internal)?;
        conn.site_config_set(who, CONFIG, &text).await?;
        Ok(())
    }

    fn chat_advisor_needed(&self) -> Result<()> {
        if self.settings().chat_advisor {
            return Ok(());
        }
        let text = "Chat Advisor functionality requires enabling the 'chat-advisor' experiment.";
        Err(Error::new(Kind::Forbidden, text))
    }
}
