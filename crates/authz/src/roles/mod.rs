//! The roles: what each grants at which level.
//!
//! Site roles stand in `site`, organization roles in `organization`. A stored
//! role that is not known grants nothing.

mod organization;
mod site;

pub(crate) use organization::add as add_organization_role;
pub(crate) use site::add as add_site_role;

/// Names of roles, as stored and on the wire.
pub mod names {
    #![expect(missing_docs, reason = "each constant is its own value")]
    pub const OWNER: &str = "owner";
    pub const MEMBER: &str = "member";
    pub const AUDITOR: &str = "auditor";
    pub const TEMPLATE_ADMIN: &str = "template-admin";
    pub const USER_ADMIN: &str = "user-admin";
    pub const ORG_ADMIN: &str = "organization-admin";
    pub const ORG_AUDITOR: &str = "organization-auditor";
    pub const ORG_USER_ADMIN: &str = "organization-user-admin";
    pub const ORG_TEMPLATE_ADMIN: &str = "organization-template-admin";
    pub const ORG_WORKSPACE_BAN: &str = "organization-workspace-creation-ban";
    pub const ORG_WORKSPACE_ACCESS: &str = "organization-workspace-access";
    pub const ORG_MEMBER: &str = "organization-member";
    pub const ORG_SERVICE_ACCOUNT: &str = "organization-service-account";
    /// Granted rights until 2.37; the name stays taken.
    pub const AGENTS_ACCESS: &str = "agents-access";
}

/// A role that can be listed and assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleInfo {
    /// Stored name.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
}

/// Whether a name is that of a role of ours, which no other role may have.
pub fn is_built_in(name: &str) -> bool {
    let implied = [
        names::MEMBER,
        names::ORG_MEMBER,
        names::ORG_SERVICE_ACCOUNT,
        names::AGENTS_ACCESS,
    ];
    let known = site_roles().iter().chain(org_roles());
    implied.contains(&name) || known.into_iter().any(|role| role.name == name)
}

/// Assignable site roles; `member`, which everyone has, is not among them.
pub const fn site_roles() -> &'static [RoleInfo] {
    &[
        RoleInfo {
            name: names::OWNER,
            display_name: "Owner",
        },
        RoleInfo {
            name: names::AUDITOR,
            display_name: "Auditor",
        },
        RoleInfo {
            name: names::TEMPLATE_ADMIN,
            display_name: "Template Admin",
        },
        RoleInfo {
            name: names::USER_ADMIN,
            display_name: "User Admin",
        },
    ]
}

/// Assignable roles of an organization; the implied ones are not among them.
pub const fn org_roles() -> &'static [RoleInfo] {
    &[
        RoleInfo {
            name: names::ORG_ADMIN,
            display_name: "Organization Admin",
        },
        RoleInfo {
            name: names::ORG_AUDITOR,
            display_name: "Organization Auditor",
        },
        RoleInfo {
            name: names::ORG_USER_ADMIN,
            display_name: "Organization User Admin",
        },
        RoleInfo {
            name: names::ORG_TEMPLATE_ADMIN,
            display_name: "Organization Template Admin",
        },
        RoleInfo {
            name: names::ORG_WORKSPACE_BAN,
            display_name: "Organization Workspace Creation Ban",
        },
        RoleInfo {
            name: names::ORG_WORKSPACE_ACCESS,
            display_name: "Organization Workspace Access",
        },
    ]
}

/// Switches of the deployment that change what roles grant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Owners may not open a shell or apps of other people's workspaces
    /// (`--disable-owner-workspace-access`).
    pub no_owner_workspace_access: bool,
    /// Nobody may share workspaces (`--disable-workspace-sharing`).
    pub no_workspace_sharing: bool,
    /// Nobody may share chats (`--disable-chat-sharing`).
    pub no_chat_sharing: bool,
}

/// Whose workspaces may be shared in an organization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Everyone's.
    #[default]
    Everyone,
    /// Those of service accounts.
    ServiceAccounts,
    /// Nobody's.
    None,
}

impl Sharing {
    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Sharing::Everyone => "everyone",
            Sharing::ServiceAccounts => "service_accounts",
            Sharing::None => "none",
        }
    }

    /// From the stored name; what is not known shares nothing.
    pub fn from_name(name: &str) -> Self {
        match name {
            "everyone" => Sharing::Everyone,
            "service_accounts" => Sharing::ServiceAccounts,
            _ => Sharing::None,
        }
    }
}
