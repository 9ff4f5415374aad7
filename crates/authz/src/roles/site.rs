//! Site roles.

use super::{Policy, names};
use crate::action::Action::*;
use crate::grants::{Grants, Votes};
use crate::resource::{CRUD, ResourceType as R};

/// On dormant workspaces nobody starts, connects or shares.
pub(super) const DORMANT: &[crate::Action] = &[
    Read,
    Delete,
    Create,
    Update,
    Stop,
    CreateAgent,
    DeleteAgent,
    UpdateAgent,
];

const OWNER: Grants = Grants::NONE
    .and_all_except(&[R::UserSecret, R::UsageEvent, R::BoundaryUsage, R::AiSeat])
    .without(
        R::WorkspaceDormant,
        &[Start, Ssh, ApplicationConnect, Share],
    )
    .without(R::UserSkill, &[Create, Update])
    .without(R::AiGatewayKey, &[Update])
    .without(R::BoundaryLog, &[Create, Delete]);

/// What everyone has everywhere.
const MEMBER: Grants =
    Grants::NONE.and_each(Read, &[R::AssignRole, R::Oauth2App, R::WorkspaceProxy]);

/// What everyone has on things of their own that belong to no organization.
const MEMBER_OWN: Grants = Grants::NONE
    .and_all_except(&[
        R::Workspace,
        R::WorkspaceDormant,
        R::PrebuiltWorkspace,
        R::OrganizationMember,
        R::Chat,
        R::AiSeat,
        R::BoundaryUsage,
    ])
    .without(R::User, &[Create, Update, Delete])
    .without(R::ProvisionerDaemon, &[Delete])
    .without(R::AibridgeInterception, &[Read])
    .without(R::BoundaryLog, &[Read, Delete]);

const AUDITOR: Grants = Grants::NONE
    .and_each(
        Read,
        &[
            R::AssignOrgRole,
            R::AuditLog,
            R::ConnectionLog,
            R::User,
            R::Group,
            R::GroupMember,
            R::Organization,
            R::OrganizationMember,
            R::DeploymentStats,
            R::DeploymentConfig,
            R::AibridgeInterception,
            R::BoundaryLog,
            R::ChatModelConfig,
        ],
    )
    .and(R::Template, &[Read, ViewInsights]);

const TEMPLATE_ADMIN: Grants = Grants::NONE
    .and_all(R::Template)
    .and(R::File, &[Create, Read])
    .and(R::PrebuiltWorkspace, &[Update, Delete])
    .and(R::ProvisionerDaemon, CRUD)
    .and_each(
        Read,
        &[
            R::Workspace,
            R::WorkspaceDormant,
            R::User,
            R::Group,
            R::GroupMember,
            R::Organization,
            R::OrganizationMember,
            R::AssignOrgRole,
        ],
    );

const USER_ADMIN: Grants = Grants::NONE
    .and_all(R::User)
    .and(R::Group, CRUD)
    .and(R::OrganizationMember, CRUD)
    .and(R::AssignRole, &[Assign, Unassign, Read])
    .and(R::AssignOrgRole, &[Assign, Unassign, Read])
    .and(R::IdpsyncSettings, &[Read, Update])
    .and_each(Read, &[R::GroupMember, R::Organization]);

/// Adds what a site role grants. Unknown names add nothing.
pub(crate) fn add(name: &str, policy: Policy, site: &mut Votes, own: &mut Votes) {
    match name {
        names::OWNER if policy.no_owner_workspace_access => {
            site.allow
                .add(&OWNER.without(R::Workspace, &[Ssh, ApplicationConnect]));
        }
        names::OWNER => site.allow.add(&OWNER),
        names::AUDITOR => site.allow.add(&AUDITOR),
        names::TEMPLATE_ADMIN => site.allow.add(&TEMPLATE_ADMIN),
        names::USER_ADMIN => site.allow.add(&USER_ADMIN),
        names::MEMBER => {
            site.allow.add(&MEMBER);
            own.allow.add(&MEMBER_OWN);
            if policy.no_workspace_sharing {
                site.deny.add(&Grants::NONE.and(R::Workspace, &[Share]));
            }
            if policy.no_chat_sharing {
                site.deny.add(&Grants::NONE.and(R::Chat, &[Share]));
            }
        }
        _ => {}
    }
}
