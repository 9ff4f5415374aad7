//! With which credentials a provider may be called, in the order in which they are tried.

use api_types::Secret;
use llm::{Credential, Endpoint, Error, ErrorKind, ProviderType};
use store::Conn;
use store::ai::ProviderRow;
use store::seal::masked;
use url::Url;
use uuid::Uuid;

use crate::settings::BedrockSettings;
use crate::{Inner, database};

/// One way to sign in.
pub(crate) struct Candidate {
    /// The central key; none for a user's own, and for credentials that are no key.
    pub(crate) key: Option<Uuid>,
    /// Whether it is the user's own.
    pub(crate) own: bool,
    /// The key, masked.
    pub(crate) hint: String,
    /// What to send.
    pub(crate) credential: Credential,
}

/// A provider with all ways to sign in there.
pub(crate) struct Access {
    pub(crate) provider_type: ProviderType,
    pub(crate) provider_name: String,
    pub(crate) candidates: Vec<Candidate>,
    base_url: Option<Url>,
    region: Option<String>,
}

impl Access {
    /// The endpoint with one of the credentials.
    pub(crate) fn endpoint(&self, credential: Credential) -> Endpoint {
        Endpoint {
            kind: self.provider_type,
            base_url: self.base_url.clone(),
            region: self.region.clone(),
            credential,
        }
    }
}

impl Inner {
    /// The provider `id` for calls of `user`.
    pub(crate) async fn access(
        &self,
        conn: &Conn,
        id: Uuid,
        user: Option<Uuid>,
    ) -> Result<Access, Error> {
        let row = conn
            .ai_provider_read(&self.who, &id.to_string())
            .await
            .ok()
            .filter(|row| row.enabled)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::ProviderDisabled,
                    "The model's provider was disabled or deleted by an administrator. Choose another model.",
                )
            })?;
        let kind = ProviderType::parse(&row.kind)
            .filter(|kind| kind.serves_chats())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "The type of the model's provider cannot be used in chats. Choose another model.",
                )
            })?;
        let bedrock = self.bedrock(&row)?;
        // A provider of type anthropic may have Bedrock behind it.
        let kind = if bedrock.is_some() {
            ProviderType::Bedrock
        } else {
            kind
        };
        let mut access = Access {
            provider_type: kind,
            provider_name: row.name.clone(),
            candidates: Vec::new(),
            base_url: Url::parse(&row.base_url).ok(),
            region: bedrock.as_ref().map(|settings| settings.region.clone()),
        };
        if let Some(user) = user.filter(|_| self.options.allow_byok) {
            let keys = conn.ai_user_keys(&self.who, user).await.map_err(database)?;
            if let Some(key) = keys.into_iter().find(|key| key.ai_provider_id == row.id) {
                let key = self
                    .seal
                    .open(&key.api_key, key.api_key_key_id.as_deref())
                    .map_err(database)?;
                // The user's own key is meant, whatever becomes of it.
                access.candidates.push(candidate(None, true, key));
                return Ok(access);
            }
        }
        for key in conn
            .ai_provider_keys(&self.who, Some(row.id))
            .await
            .map_err(database)?
        {
            let text = self
                .seal
                .open(&key.api_key, key.api_key_key_id.as_deref())
                .map_err(database)?;
            if !text.expose().is_empty() {
                access.candidates.push(candidate(Some(key.id), false, text));
            }
        }
        if access.candidates.is_empty() {
            access
                .candidates
                .extend(self.keyless(kind, bedrock.as_ref()).await?);
        }
        if access.candidates.is_empty() {
            return Err(Error::new(
                ErrorKind::MissingKey,
                format!(
                    "No API key is configured for {}. Add one of your own, or ask an administrator.",
                    if row.display_name.is_empty() { &row.name } else { &row.display_name }
                ),
            )
            .provider(kind.as_str()));
        }
        Ok(access)
    }

    /// Credentials that are no key of the provider: of AWS, or none where servers need none.
    async fn keyless(
        &self,
        kind: ProviderType,
        bedrock: Option<&BedrockSettings>,
    ) -> Result<Option<Candidate>, Error> {
        let own = match kind {
            ProviderType::Bedrock => self.roles.own(&self.http, &self.options, bedrock).await?,
            ProviderType::OpenAiCompat => Some(Credential::None),
            _ => None,
        };
        let Some(own) = own else {
            return Ok(None);
        };
        let service = self.options.role_service.as_ref().map(Option::as_ref);
        let taken = self.roles.taken(&self.http, own, bedrock, service).await?;
        Ok(Some(Candidate {
            key: None,
            own: false,
            hint: String::new(),
            credential: taken,
        }))
    }

    fn bedrock(&self, row: &ProviderRow) -> Result<Option<BedrockSettings>, Error> {
        let Some(settings) = &row.settings else {
            return Ok(None);
        };
        let json = self
            .seal
            .open(settings, row.settings_key_id.as_deref())
            .map_err(database)?;
        Ok(BedrockSettings::parse(json.expose()))
    }
}

fn candidate(key: Option<Uuid>, own: bool, text: Secret<String>) -> Candidate {
    Candidate {
        key,
        own,
        hint: masked(text.expose()),
        credential: Credential::Key(text),
    }
}
