//! What is acted upon: a thing, or a set of things, as the decision sees it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::action::Action;
use crate::resource::ResourceType;

/// An access list: per user or group, the names of the actions it may take;
/// `*` stands for all. In the database it is the JSON of exactly this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessList(pub HashMap<Uuid, Vec<String>>);

impl AccessList {
    /// Whether `who` has the action.
    pub fn allows(&self, who: Uuid, action: Action) -> bool {
        self.0
            .get(&who)
            .is_some_and(|actions| actions.iter().any(|a| a == "*" || a == action.name()))
    }
}

/// A thing, or a set of things, that an action is asked for. Each known fact
/// narrows the set: leave out what is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ResourceType,
    /// Which one; needed only for keys with an allow list of ids.
    pub id: Option<Uuid>,
    /// The user who owns it.
    pub owner: Option<Uuid>,
    /// The organization it belongs to.
    pub organization: Option<Uuid>,
    /// "In some organization of the subject", for questions before one is
    /// known. Has no effect beside `organization`.
    pub any_organization: bool,
    /// Access by user.
    pub user_acl: AccessList,
    /// Access by group.
    pub group_acl: AccessList,
}

impl Object {
    /// All things of a kind.
    pub fn new(kind: ResourceType) -> Self {
        Object {
            kind,
            id: None,
            owner: None,
            organization: None,
            any_organization: false,
            user_acl: AccessList::default(),
            group_acl: AccessList::default(),
        }
    }

    /// The one with this id.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Owned by this user.
    #[must_use]
    pub fn owner(mut self, user: Uuid) -> Self {
        self.owner = Some(user);
        self
    }

    /// Of this organization.
    #[must_use]
    pub fn org(mut self, organization: Uuid) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Of any of the subject's organizations.
    #[must_use]
    pub fn any_org(mut self) -> Self {
        self.any_organization = true;
        self
    }

    /// With these access lists.
    #[must_use]
    pub fn acl(mut self, users: AccessList, groups: AccessList) -> Self {
        self.user_acl = users;
        self.group_acl = groups;
        self
    }

    /// Readable by the members of a group, as groups themselves are.
    #[must_use]
    pub fn readable_by_group(mut self, group: Uuid) -> Self {
        self.group_acl
            .0
            .insert(group, vec![Action::Read.name().to_owned()]);
        self
    }
}
