//! Who acts: a user by one of its keys, a workspace's agent, or a part of the
//! system.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::grants::{Grants, Votes};
use crate::roles::{self, Policy, Sharing, names};
use crate::scope::Scope;
use crate::system::System;

/// Where an action came from, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The HTTP request.
    pub request_id: Uuid,
    /// Address of the client.
    pub ip: Option<IpAddr>,
    /// `User-Agent`, at most 256 characters.
    pub user_agent: String,
}

/// Rights in one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgRights {
    /// On everything of the organization.
    pub org: Votes,
    /// On what the subject itself owns there.
    pub member: Votes,
}

/// A user's place in an organization, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Uuid,
    /// The roles given to the member and those every member gets by default.
    pub roles: Vec<String>,
    /// What those of the roles grant in the whole organization that it has made itself.
    pub custom: Grants,
    /// Whose workspaces may be shared there.
    pub sharing: Sharing,
}

/// What is known of a user, to make a subject of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSubject {
    /// The user.
    pub id: Uuid,
    /// Its username.
    pub username: String,
    /// Its stored site roles.
    pub roles: Vec<String>,
    /// Whether it is a service account.
    pub service_account: bool,
    /// Its organizations.
    pub organizations: Vec<Membership>,
    /// Its groups; the Everyone groups need not be named.
    pub groups: Vec<Uuid>,
}

/// Who acts. Cheap to clone.
#[derive(Clone)]
pub struct Subject {
    inner: Arc<Inner>,
    origin: Option<Arc<Origin>>,
    chat: Option<Uuid>,
}

struct Inner {
    user: Option<Uuid>,
    system: Option<System>,
    name: String,
    roles: Vec<String>,
    site: Votes,
    own: Votes,
    organizations: Vec<(Uuid, Vec<String>, OrgRights)>,
    groups: Vec<Uuid>,
    scope: Scope,
}

impl Subject {
    /// A user acting with a credential of this scope.
    pub fn user(user: UserSubject, scope: Scope, policy: &Policy) -> Self {
        let mut site = Votes::NONE;
        let mut own = Votes::NONE;
        roles::add_site_role(names::MEMBER, *policy, &mut site, &mut own);
        for role in &user.roles {
            roles::add_site_role(role, *policy, &mut site, &mut own);
        }
        let implied = if user.service_account {
            names::ORG_SERVICE_ACCOUNT
        } else {
            names::ORG_MEMBER
        };
        let organizations = user
            .organizations
            .into_iter()
            .map(|membership| {
                let mut rights = OrgRights {
                    org: Votes::NONE,
                    member: Votes::NONE,
                };
                roles::add_organization_role(implied, membership.sharing, &mut site, &mut rights);
                for role in &membership.roles {
                    roles::add_organization_role(role, membership.sharing, &mut site, &mut rights);
                }
                rights.org.allow.add(&membership.custom);
                (membership.organization, membership.roles, rights)
            })
            .collect();
        Subject::from(Inner {
            user: Some(user.id),
            system: None,
            name: user.username,
            roles: user.roles,
            site,
            own,
            organizations,
            groups: user.groups,
            scope,
        })
    }

    /// A part of the system with its named, narrow rights.
    pub fn system(system: System) -> Self {
        Subject::from(Inner {
            user: None,
            system: Some(system),
            name: system.name().to_owned(),
            roles: Vec::new(),
            site: Votes {
                allow: system.grants(),
                deny: Grants::NONE,
            },
            own: Votes::NONE,
            organizations: Vec::new(),
            groups: Vec::new(),
            scope: Scope::all(),
        })
    }

    fn from(inner: Inner) -> Self {
        Subject {
            inner: Arc::new(inner),
            origin: None,
            chat: None,
        }
    }

    /// The same subject, acting in a request.
    #[must_use]
    pub fn with_origin(mut self, origin: Arc<Origin>) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The same subject, acting by the hand of the agent of this chat. Its rights stay the same;
    /// the audit log names the chat beside the user.
    #[must_use]
    pub fn in_chat(mut self, chat: Uuid) -> Self {
        self.chat = Some(chat);
        self
    }

    /// The chat by whose agent it acts.
    pub fn chat(&self) -> Option<Uuid> {
        self.chat
    }

    /// The acting user; none for a part of the system.
    pub fn user_id(&self) -> Option<Uuid> {
        self.inner.user
    }

    /// The part of the system that acts; none for a user.
    pub fn as_system(&self) -> Option<System> {
        self.inner.system
    }

    /// Username, or the name of the part of the system.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Stored site roles of the user.
    pub fn roles(&self) -> &[String] {
        &self.inner.roles
    }

    /// Whether the user holds the site role `owner`.
    pub fn is_owner(&self) -> bool {
        self.inner.roles.iter().any(|r| r == names::OWNER)
    }

    /// Ids of the organizations the user belongs to.
    pub fn organization_ids(&self) -> impl Iterator<Item = Uuid> {
        self.inner.organizations.iter().map(|(id, ..)| *id)
    }

    /// Stored and default roles of the user in an organization.
    pub fn organization_roles(&self, organization: Uuid) -> &[String] {
        self.inner
            .organizations
            .iter()
            .find(|(id, ..)| *id == organization)
            .map_or(&[], |(_, roles, _)| roles)
    }

    /// Groups of the user, without the Everyone groups.
    pub fn groups(&self) -> &[Uuid] {
        &self.inner.groups
    }

    /// Whether the user is in a group; the Everyone group of an organization
    /// has the organization's id.
    pub fn in_group(&self, group: Uuid) -> bool {
        self.inner.groups.contains(&group) || self.organization(group).is_some()
    }

    /// The scope of the credential.
    pub fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    /// The request in which it acts.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    pub(crate) fn site(&self) -> &Votes {
        &self.inner.site
    }

    pub(crate) fn own(&self) -> &Votes {
        &self.inner.own
    }

    pub(crate) fn organization(&self, id: Uuid) -> Option<&OrgRights> {
        self.inner
            .organizations
            .iter()
            .find(|(o, ..)| *o == id)
            .map(|(.., rights)| rights)
    }

    pub(crate) fn organizations(&self) -> impl Iterator<Item = &OrgRights> {
        self.inner.organizations.iter().map(|(.., rights)| rights)
    }

    pub(crate) fn organizations_by_id(&self) -> impl Iterator<Item = (Uuid, &OrgRights)> {
        self.inner
            .organizations
            .iter()
            .map(|(id, _, rights)| (*id, rights))
    }

    /// Decides; see [`crate::authorize`].
    ///
    /// # Errors
    /// [`crate::Denied`] when the subject may not.
    pub fn may(&self, action: crate::Action, object: &crate::Object) -> Result<(), crate::Denied> {
        crate::authorize(self, action, object)
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.inner.name)
            .field("user", &self.inner.user)
            .field("roles", &self.inner.roles)
            .finish_non_exhaustive()
    }
}
