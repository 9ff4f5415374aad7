//! Which roles an actor may give and take.

use uuid::Uuid;

use crate::action::Action;
use crate::object::Object;
use crate::resource::ResourceType;
use crate::roles::{is_built_in, names::*};
use crate::subject::Subject;
use crate::system::System;

/// Whether `who` may give or take (`action`) the role: a site role, or that of
/// an organization. Needs the right on role assignment and, for this role, an
/// actor's role that reaches it.
pub fn may_assign(who: &Subject, action: Action, role: &str, organization: Option<Uuid>) -> bool {
    let object = match organization {
        Some(id) => Object::new(ResourceType::AssignOrgRole).org(id),
        None => Object::new(ResourceType::AssignRole),
    };
    if who.may(action, &object).is_err() {
        return false;
    }
    if who.as_system() == Some(System::Core) || who.is_owner() {
        return true;
    }
    let plain = matches!(role, MEMBER | ORG_MEMBER | ORG_WORKSPACE_ACCESS);
    if who.roles().iter().any(|r| r == USER_ADMIN) && plain {
        return true;
    }
    let Some(organization) = organization else {
        return false;
    };
    who.organization_roles(organization)
        .iter()
        .any(|mine| match mine.as_str() {
            // Also the roles that the organization has made itself.
            ORG_ADMIN => role.starts_with("organization-") || !is_built_in(role),
            ORG_USER_ADMIN => plain && role != MEMBER,
            _ => false,
        })
}
