//! May I? Questions that a dashboard asks to know what to offer.

use std::collections::BTreeMap;

use api_types::{AuthorizationCheck, AuthorizationRequest};
use authz::{Action, Object, ResourceType, Subject};
use store::UserRef;
use uuid::Uuid;

use crate::{Control, Error, Result};

/// Questions about particular things in one request: each costs a query.
const MAX_WITH_ID: usize = 10;
/// Questions in one request.
const MAX_CHECKS: usize = 500;

impl Control {
    /// Answers each question by its name.
    pub async fn auth_check(
        &self,
        who: &Subject,
        request: AuthorizationRequest,
    ) -> Result<BTreeMap<String, bool>> {
        let with_id = request
            .checks
            .values()
            .filter(|c| !c.object.resource_id.is_empty())
            .count();
        if with_id > MAX_WITH_ID || request.checks.len() > MAX_CHECKS {
            return Err(Error::invalid(format!(
                "Too many checks: at most {MAX_WITH_ID} may name a resource_id, {MAX_CHECKS} in all."
            )));
        }
        let mut answers = BTreeMap::new();
        for (name, check) in request.checks {
            let answer = self.auth_check_one(who, &name, &check).await?;
            answers.insert(name, answer);
        }
        Ok(answers)
    }

    async fn auth_check_one(
        &self,
        who: &Subject,
        name: &str,
        check: &AuthorizationCheck,
    ) -> Result<bool> {
        let invalid =
            |field: &str, why: String| Error::field(&format!("checks.{name}.{field}"), why);
        let asked = &check.object;
        let kind: ResourceType = asked
            .resource_type
            .parse()
            .map_err(|e: authz::UnknownName| invalid("object.resource_type", e.to_string()))?;
        let action: Action = check
            .action
            .parse()
            .map_err(|e: authz::UnknownName| invalid("action", e.to_string()))?;
        let id = |field: &str, text: &str| -> Result<Option<Uuid>> {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse()
                .map(Some)
                .map_err(|_| invalid(field, format!("{text:?} is no UUID")))
        };
        if let Some(thing) = id("object.resource_id", &asked.resource_id)? {
            return Ok(match self.auth_check_object(who, kind, thing).await? {
                Some(object) => who.may(action, &object).is_ok(),
                None => false,
            });
        }
        let mut object = Object::new(kind);
        object.owner = match asked.owner_id.as_str() {
            "me" => who.user_id(),
            other => id("object.owner_id", other)?,
        };
        object.organization = id("object.organization_id", &asked.organization_id)?;
        object.any_organization = asked.any_org;
        Ok(who.may(action, &object).is_ok())
    }

    /// The thing in question, if it is there.
    async fn auth_check_object(
        &self,
        who: &Subject,
        kind: ResourceType,
        id: Uuid,
    ) -> Result<Option<Object>> {
        let conn = self.store().conn().await?;
        let found = match kind {
            ResourceType::User => conn
                .user_read(who, &UserRef::Id(id))
                .await
                .map(|u| u.object()),
            ResourceType::Group => {
                let groups = conn.group_list(who, None, None).await?;
                return Ok(groups
                    .into_iter()
                    .find(|group| group.id == id)
                    .map(|g| g.object()));
            }
            ResourceType::Workspace => conn.workspace_read(who, id).await.map(|w| w.object()),
            ResourceType::Template => conn.template_read(who, id).await.map(|t| t.object()),
            other => {
                return Err(Error::invalid(format!(
                    "resource_id is not supported for {other}."
                )));
            }
        };
        match found {
            Ok(object) => Ok(Some(object)),
            Err(store::StoreError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
