//! Roles within an organization.

use super::site::DORMANT;
use super::{Sharing, names};
use crate::action::Action::*;
use crate::grants::{Grants, Votes};
use crate::resource::{CRUD, ResourceType as R};
use crate::subject::OrgRights;

const ADMIN: Grants = Grants::NONE
    .and_all_except(&[
        R::WorkspaceDormant,
        R::WorkspaceBuildOrchestration,
        R::AssignRole,
        R::UserSecret,
        R::BoundaryUsage,
        R::BoundaryLog,
        R::AiSeat,
    ])
    .without(R::Workspace, &[Ssh, ApplicationConnect])
    .and(R::WorkspaceDormant, DORMANT);

const AUDITOR: Grants = Grants::NONE
    .and_each(
        Read,
        &[
            R::AuditLog,
            R::ConnectionLog,
            R::Group,
            R::GroupMember,
            R::Organization,
            R::OrganizationMember,
            R::ChatModelConfig,
        ],
    )
    .and(R::Template, &[Read, ViewInsights]);

const USER_ADMIN: Grants = Grants::NONE
    .and(R::OrganizationMember, CRUD)
    .and_all(R::Group)
    .and(R::AssignOrgRole, &[Assign, Unassign, Read])
    .and(R::IdpsyncSettings, &[Read, Update])
    .and_each(Read, &[R::GroupMember, R::Organization]);

const TEMPLATE_ADMIN: Grants = Grants::NONE
    .and_all(R::Template)
    .and(R::File, &[Create, Read])
    .and(R::PrebuiltWorkspace, &[Update, Delete])
    .and(R::ProvisionerDaemon, CRUD)
    .and(R::ProvisionerJobs, &[Create, Read, Update])
    .and_each(
        Read,
        &[
            R::Workspace,
            R::WorkspaceDormant,
            R::Organization,
            R::OrganizationMember,
            R::Group,
            R::GroupMember,
        ],
    );

const WORKSPACE_BAN: Grants =
    Grants::NONE.and(R::Workspace, &[Create, Delete, CreateAgent, DeleteAgent]);

/// Own workspaces: the set that members have by default, and can be denied by
/// changing the organization's default roles.
const WORKSPACE_ACCESS: Grants = Grants::NONE
    .and_all(R::Workspace)
    .and(R::WorkspaceDormant, DORMANT)
    .and(R::File, &[Create, Read])
    .and(R::ProvisionerDaemon, &[Create, Read]);

/// What every member has in the whole organization.
const MEMBER: Grants = Grants::NONE.and_each(
    Read,
    &[R::ProvisionerDaemon, R::Organization, R::AssignOrgRole],
);

/// What every member has on things of their own in the organization.
const MEMBER_OWN: Grants = Grants::NONE
    .and_each(Read, &[R::OrganizationMember, R::GroupMember])
    .and(R::AibridgeInterception, &[Create, Update])
    .and_all(R::ApiKey)
    .and(R::NotificationMessage, &[Read, Update])
    .and_all(R::NotificationPreference)
    .and_all(R::InboxNotification);

const OWN_CHATS: Grants = Grants::NONE.and(R::Chat, &[Create, Read, Update, Share]);

const SHARE: Grants = Grants::NONE.and(R::Workspace, &[Share]);

/// Adds what a role of an organization grants: in that organization to
/// `rights`, everywhere to `site`. Unknown names add nothing.
pub(crate) fn add(name: &str, sharing: Sharing, site: &mut Votes, rights: &mut OrgRights) {
    // Who admits people must see that they exist.
    const SEE_USERS: Grants = Grants::NONE.and(R::User, &[Read]);
    match name {
        names::ORG_ADMIN => {
            site.allow.add(&SEE_USERS);
            rights.org.allow.add(&ADMIN);
        }
        names::ORG_AUDITOR => rights.org.allow.add(&AUDITOR),
        names::ORG_USER_ADMIN => {
            site.allow.add(&SEE_USERS);
            rights.org.allow.add(&USER_ADMIN);
        }
        names::ORG_TEMPLATE_ADMIN => rights.org.allow.add(&TEMPLATE_ADMIN),
        names::ORG_WORKSPACE_BAN => rights.org.deny.add(&WORKSPACE_BAN),
        names::ORG_WORKSPACE_ACCESS => rights.member.allow.add(&WORKSPACE_ACCESS),
        names::ORG_MEMBER | names::ORG_SERVICE_ACCOUNT => implied(name, sharing, rights),
        _ => {}
    }
}

fn implied(name: &str, sharing: Sharing, rights: &mut OrgRights) {
    rights.org.allow.add(&MEMBER);
    rights.member.allow.add(&MEMBER_OWN);
    let service = name == names::ORG_SERVICE_ACCOUNT;
    if sharing == Sharing::None {
        rights.org.deny.add(&SHARE);
    } else {
        rights
            .org
            .allow
            .add(&Grants::NONE.and(R::OrganizationMember, &[Read]));
    }
    if sharing == Sharing::Everyone || service && sharing != Sharing::None {
        rights.org.allow.add(&Grants::NONE.and(R::Group, &[Read]));
    }
    if !service {
        rights.member.allow.add(&OWN_CHATS);
        if sharing != Sharing::Everyone {
            rights.member.deny.add(&SHARE);
        }
    }
}
