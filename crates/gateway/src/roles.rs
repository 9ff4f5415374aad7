//! Roles of AWS that providers are called in: taken on when first needed, and anew before they end.

use std::collections::HashMap;

use api_types::Secret;
use chrono::{DateTime, Duration, Utc};
use llm::{AwsKeys, AwsRole, AwsRoleKeys, Credential, Error, Http};
use parking_lot::Mutex;
use url::Url;

use crate::settings::BedrockSettings;

/// A role is taken on anew when it ends within so many minutes: an answer may take as long.
const SPARE_MINUTES: i64 = 15;
/// Most roles whose keys are kept; beyond that all are asked for anew.
const MAX_ROLES: usize = 256;

/// Roles that were taken on, with whose keys.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    held: Mutex<HashMap<(AwsRole, String), AwsRoleKeys>>,
}

impl Roles {
    /// Keys of the role that `settings` name, if they name one; else the keys as they are.
    pub(crate) async fn taken(
        &self,
        http: &Http,
        own: Credential,
        settings: Option<&BedrockSettings>,
        service: Option<&Url>,
    ) -> Result<Credential, Error> {
        let (Credential::Aws(own), Some(settings)) = (&own, settings) else {
            return Ok(own);
        };
        if settings.role_arn.is_empty() {
            return Ok(Credential::Aws(own.clone()));
        }
        let role = AwsRole {
            arn: settings.role_arn.clone(),
            external_id: settings.external_id.clone(),
            region: settings.region.clone(),
            service: service.cloned(),
        };
        let held = (role, own.access_key.expose().clone());
        if let Some(keys) = self.held(&held, Utc::now()) {
            return Ok(Credential::Aws(keys));
        }
        let taken = llm::assume_role(http, own, &held.0).await?;
        let keys = taken.keys.clone();
        let mut all = self.held.lock();
        if all.len() >= MAX_ROLES {
            all.clear();
        }
        all.insert(held, taken);
        Ok(Credential::Aws(keys))
    }

    fn held(&self, role: &(AwsRole, String), now: DateTime<Utc>) -> Option<AwsKeys> {
        let all = self.held.lock();
        let held = all.get(role)?;
        (held.until - now > Duration::minutes(SPARE_MINUTES)).then(|| held.keys.clone())
    }
}

/// The access key that `settings` name, else what the server's environment says.
pub(crate) fn own_keys(settings: Option<&BedrockSettings>) -> Option<Credential> {
    let configured = settings.and_then(|s| {
        Some(AwsKeys {
            access_key: s.access_key.clone()?,
            secret_key: s.access_key_secret.clone()?,
            session_token: None,
        })
    });
    if let Some(keys) = configured {
        return Some(Credential::Aws(keys));
    }
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .map(Secret::new)
    };
    if let Some(token) = variable("AWS_BEARER_TOKEN_BEDROCK") {
        return Some(Credential::Key(token));
    }
    Some(Credential::Aws(AwsKeys {
        access_key: variable("AWS_ACCESS_KEY_ID")?,
        secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN"),
    }))
}
