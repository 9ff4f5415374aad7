//! API keys and tokens.

use api_types::{ApiKey, ApiKeyWithOwner, CreateTokenRequest, GenerateApiKeyResponse, TokenConfig};

use crate::call::segment;
use crate::{Client, Error};

impl Client {
    /// Makes a key of the kind that a sign-in gives.
    pub async fn api_key_create(&self, user: &str) -> Result<GenerateApiKeyResponse, Error> {
        self.post(&format!("/api/v2/users/{}/keys", segment(user)))
            .decode()
            .await
    }

    /// Makes a token of one's own lifetime and scope.
    pub async fn token_create(
        &self,
        user: &str,
        body: &CreateTokenRequest,
    ) -> Result<GenerateApiKeyResponse, Error> {
        self.post(&format!("/api/v2/users/{}/keys/tokens", segment(user)))
            .json(body)
            .decode()
            .await
    }

    /// Limits of tokens.
    pub async fn token_config(&self, user: &str) -> Result<TokenConfig, Error> {
        self.get(&format!(
            "/api/v2/users/{}/keys/tokens/tokenconfig",
            segment(user)
        ))
        .decode()
        .await
    }

    /// Tokens of a person, or of everybody with `all`.
    pub async fn tokens(
        &self,
        user: &str,
        all: bool,
        expired: bool,
    ) -> Result<Vec<ApiKeyWithOwner>, Error> {
        let tokens: Option<Vec<ApiKeyWithOwner>> = self
            .get(&format!("/api/v2/users/{}/keys/tokens", segment(user)))
            .query_if("include_all", all.then_some(true))
            .query_if("include_expired", expired.then_some(true))
            .decode()
            .await?;
        Ok(tokens.unwrap_or_default())
    }

    /// A token by its name.
    pub async fn token_by_name(&self, user: &str, name: &str) -> Result<ApiKey, Error> {
        self.get(&format!(
            "/api/v2/users/{}/keys/tokens/{}",
            segment(user),
            segment(name)
        ))
        .decode()
        .await
    }

    /// A key by its id.
    pub async fn api_key(&self, user: &str, id: &str) -> Result<ApiKey, Error> {
        self.get(&format!(
            "/api/v2/users/{}/keys/{}",
            segment(user),
            segment(id)
        ))
        .decode()
        .await
    }

    /// Deletes a key; nothing of it is kept.
    pub async fn api_key_delete(&self, user: &str, id: &str) -> Result<(), Error> {
        self.delete(&format!(
            "/api/v2/users/{}/keys/{}",
            segment(user),
            segment(id)
        ))
        .done()
        .await
    }

    /// Ends a key's life at once and keeps its record.
    pub async fn api_key_expire(&self, user: &str, id: &str) -> Result<(), Error> {
        self.put(&format!(
            "/api/v2/users/{}/keys/{}/expire",
            segment(user),
            segment(id)
        ))
        .done()
        .await
    }
}
