//! With what AWS is called: a provider's own keys, else what the place of the server gives, in a role
//! if the provider names one. What ends is kept until shortly before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

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
/// whose credentials are about to end; nor is a role whose keys still hold asked for. That many seconds is a call at most held up by what was mended.
const PLACE_PAUSE_SECONDS: i64 = 15;

/// Roles that were taken on, with whose keys; and what the place gave.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    held: Mutex<HashMap<(AwsRole, String), Slot>>,
    /// One asks, the others wait for what it hears. By region, as tokens are shown to its service.
    given: tokio::sync::Mutex<HashMap<String, Given>>,
}

/// Where the keys of one role are kept, and its askers wait for each other.
type Slot = Arc<tokio::sync::Mutex<Held>>;

/// Keys of a role. One asks for them, the others wait for what it hears.
#[derive(Debug, Default)]
struct Held {
    keys: Option<AwsRoleKeys>,
    asked: Option<DateTime<Utc>>,
    /// When the last question ended without keys, and why.
    failed: Option<(Instant, Error)>,
}

impl Held {
    /// The keys, if they last for as long as `spare`.
    fn lasting(&self, now: DateTime<Utc>, spare: Duration) -> Option<&AwsKeys> {
        let held = self.keys.as_ref()?;
        (held.until - now > spare).then_some(&held.keys)
    }

    /// The keys, if they need not be asked for anew.
    fn holds(&self, now: DateTime<Utc>) -> Option<&AwsKeys> {
        let just = self
            .asked
            .is_some_and(|asked| (now - asked).abs() < Duration::seconds(PLACE_PAUSE_SECONDS));
        let spare = if just {
            Duration::zero()
        } else {
            Duration::minutes(SPARE_MINUTES)
        };
        self.lasting(now, spare)
    }

    /// Why there are none, for whoever waited since `came` while another asked.
    fn failed_since(&self, came: Instant) -> Option<&Error> {
        let (at, error) = self.failed.as_ref()?;
        (*at >= came).then_some(error)
    }
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
        service: Result<Option<&Url>, &Error>,
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
            service: service.map_err(Clone::clone)?.cloned(),
        };
        let came = Instant::now();
        let held = self.held(&role, own);
        let mut held = held.lock().await;
        let now = Utc::now();
        if let Some(keys) = held.holds(now) {
            return Ok(Credential::Aws(keys.clone()));
        }
        if let Some(error) = held.failed_since(came) {
            return Err(error.clone());
        }
        match llm::assume_role(http, own, &role).await {
            Ok(taken) => {
                let keys = taken.keys.clone();
                *held = Held {
                    keys: Some(taken),
                    asked: Some(now),
                    failed: None,
                };
                Ok(Credential::Aws(keys))
            }
            Err(error) => {
                held.asked = Some(Utc::now());
                // A service that is away for a moment takes nothing back that still holds.
                if let Some(keys) = held.lasting(Utc::now(), Duration::zero()) {
                    tracing::warn!(%error, role = %role.arn, "keys of a role could not be renewed yet");
                    return Ok(Credential::Aws(keys.clone()));
                }
                held.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
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

    /// Where the keys of `role` are kept that were taken on with the keys `own`.
    fn held(&self, role: &AwsRole, own: &AwsKeys) -> Slot {
        let whose = (role.clone(), own.access_key.expose().clone());
        let mut all = self.held.lock();
        if all.len() >= MAX_ROLES && !all.contains_key(&whose) {
            all.clear();
        }
        all.entry(whose).or_default().clone()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_that_still_hold_outlast_a_service_that_is_away() {
        let settings = BedrockSettings {
            region: "eu-west-1".to_owned(),
            role_arn: "arn:aws:iam::1:role/x".to_owned(),
            ..BedrockSettings::default()
        };
        // Nobody answers there.
        let service: Url = "http://127.0.0.1:1/".parse().unwrap();
        let role = AwsRole {
            arn: settings.role_arn.clone(),
            external_id: String::new(),
            region: settings.region.clone(),
            service: Some(service.clone()),
        };
        let keys = |id: &str| AwsKeys {
            access_key: id.to_owned().into(),
            secret_key: "s".to_owned().into(),
            session_token: None,
        };
        let own = keys("AKID");
        for (minutes, fine) in [(10, true), (-1, false)] {
            let roles = Roles::default();
            *roles.held(&role, &own).lock().await = Held {
                keys: Some(AwsRoleKeys {
                    keys: keys("ASIA"),
                    until: Utc::now() + Duration::minutes(minutes),
                }),
                ..Held::default()
            };
            let http = Http::new("test").unwrap();
            let own = Credential::Aws(own.clone());
            let taken = roles.taken(&http, own, Some(&settings), Ok(Some(&service)));
            match taken.await {
                Ok(Credential::Aws(taken)) => assert!(fine && taken.access_key.expose() == "ASIA"),
                other => assert!(!fine && other.is_err()),
            }
            let held = roles.held(&role, &keys("AKID"));
            // Not asked again at once, if there is something to use meanwhile.
            assert_eq!(held.lock().await.holds(Utc::now()).is_some(), fine);
        }
    }
}
