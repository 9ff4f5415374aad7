//! With what AWS is called: a provider's own keys, else what the place of the server gives, in a role
//! if the provider names one. What ends is kept until shortly before.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use llm::{AwsKeys, AwsRole, AwsRoleKeys, Credential, Error, Http};
use parking_lot::Mutex;
use url::Url;

use crate::Options;
use crate::settings::BedrockSettings;

/// A role is taken on anew when it ends within so many minutes: an answer may take as long.
const SPARE_MINUTES: i64 = 15;
/// Most roles whose keys are kept; beyond that all are asked for anew.
const MAX_ROLES: usize = 256;

/// Credentials of the place end at the earliest in so many minutes when they are used: a machine gives
/// new ones five minutes before the old end.
const PLACE_SPARE_MINUTES: i64 = 5;
/// A place is not asked more often than this, whatever it said: neither one that gave nothing nor one
/// whose credentials are about to end. That many seconds is a call at most held up by what was mended.
const PLACE_PAUSE_SECONDS: i64 = 15;

/// Roles that were taken on, with whose keys; and what the place gave.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    held: Mutex<HashMap<(AwsRole, String), AwsRoleKeys>>,
    /// One asks, the others wait for what it hears. By region, as tokens are shown to its service.
    given: tokio::sync::Mutex<HashMap<String, Given>>,
}

/// What the place of the server gave, or why it did not.
#[derive(Debug, Clone)]
struct Given {
    credential: Result<Option<Credential>, Error>,
    until: Option<DateTime<Utc>>,
    asked: DateTime<Utc>,
}

impl Given {
    /// Whether it need not be asked for anew.
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let just = now - self.asked < Duration::seconds(PLACE_PAUSE_SECONDS);
        let long = match (&self.credential, self.until) {
            (Ok(Some(_)), Some(until)) => until - now > Duration::minutes(PLACE_SPARE_MINUTES),
            (Ok(Some(_)), None) => true,
            _ => false,
        };
        long || just && self.until.is_none_or(|until| until > now)
    }
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

    /// With what AWS is called for `settings`, before any role; `None` if there is nothing.
    pub(crate) async fn own(
        &self,
        http: &Http,
        options: &Options,
        settings: Option<&BedrockSettings>,
    ) -> Result<Option<Credential>, Error> {
        if let Some(keys) = configured(settings) {
            return Ok(Some(keys));
        }
        let region = settings.map_or("", |settings| settings.region.as_str());
        let mut given = self.given.lock().await;
        let now = Utc::now();
        let old = given.get(region).cloned();
        if let Some(old) = old.as_ref().filter(|old| old.holds(now)) {
            return old.credential.clone();
        }
        let mut new = Given {
            credential: Ok(None),
            until: None,
            asked: now,
        };
        for source in &options.aws {
            match source.keys(http, region).await {
                Ok(None) => continue,
                Ok(Some((credential, until))) => {
                    new.credential = Ok(Some(credential));
                    new.until = until;
                }
                Err(error) => new.credential = Err(error),
            }
            break;
        }
        // A place that is away for a moment takes nothing back that still holds.
        if let (Err(error), Some(old)) = (&new.credential, old)
            && old.until.is_some_and(|until| until > now)
        {
            tracing::warn!(%error, "credentials of AWS could not be renewed yet");
            new = Given { asked: now, ..old };
        }
        if given.len() >= MAX_ROLES {
            given.clear();
        }
        given.insert(region.to_owned(), new.clone());
        new.credential
    }

    fn held(&self, role: &(AwsRole, String), now: DateTime<Utc>) -> Option<AwsKeys> {
        let all = self.held.lock();
        let held = all.get(role)?;
        (held.until - now > Duration::minutes(SPARE_MINUTES)).then(|| held.keys.clone())
    }
}

/// The access key that `settings` name.
fn configured(settings: Option<&BedrockSettings>) -> Option<Credential> {
    let settings = settings?;
    Some(Credential::Aws(AwsKeys {
        access_key: settings.access_key.clone()?,
        secret_key: settings.access_key_secret.clone()?,
        session_token: None,
    }))
}
