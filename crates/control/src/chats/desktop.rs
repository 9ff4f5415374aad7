//! Which provider's models use desktops of workspaces, an experiment.

use api_types::ChatComputerUseProviderConfig;
use authz::{Action, Object, ResourceType, Subject, System};
use chat::tools::computer::{DEFAULT_PROVIDER, PROVIDER};

use crate::{Control, Error, Kind, Result};

/// Types of providers whose models are taught to.
const PROVIDERS: [&str; 2] = ["anthropic", "openai"];

impl Control {
    /// The provider; who uses chats may know it.
    pub async fn chat_computer_use_read(
        &self,
        _: &Subject,
    ) -> Result<ChatComputerUseProviderConfig> {
        self.chat_desktop_needed()?;
        let core = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let chosen = conn.site_config_read(&core, PROVIDER).await?;
        let chosen = chosen.filter(|chosen| !chosen.is_empty());
        Ok(ChatComputerUseProviderConfig {
            provider: chosen.unwrap_or_else(|| DEFAULT_PROVIDER.to_owned()),
        })
    }

    /// Chooses it.
    pub async fn chat_computer_use_set(
        &self,
        who: &Subject,
        request: &ChatComputerUseProviderConfig,
    ) -> Result<()> {
        who.may(Action::Update, &Object::new(ResourceType::DeploymentConfig))?;
        self.chat_desktop_needed()?;
        let provider = request.provider.as_str();
        if !PROVIDERS.contains(&provider) {
            return Err(
                Error::invalid("Invalid computer use provider.").with_detail(format!(
                    "Expected one of: {}. Got {provider:?}.",
                    PROVIDERS.join(", ")
                )),
            );
        }
        let conn = self.store().conn().await?;
        conn.site_config_set(who, PROVIDER, provider).await?;
        Ok(())
    }

    fn chat_desktop_needed(&self) -> Result<()> {
        if self.settings().chat_virtual_desktop {
            return Ok(());
        }
        let text = "Virtual desktop functionality requires enabling the 'chat-virtual-desktop' \
                    experiment.";
        Err(Error::new(Kind::Forbidden, text))
    }
}
