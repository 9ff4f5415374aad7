//! Parts of the system that act by themselves, each with narrow rights.

use crate::action::Action::*;
use crate::grants::Grants;
use crate::resource::{CRUD, ResourceType as R};

/// A part of the system as a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// Authentication, start-up and housekeeping of identities: reads all,
    /// writes what belongs to sign-in and set-up.
    Core,
    /// In-process provisioner daemons: acquiring and completing jobs.
    Provisioner,
    /// Automatic start and stop of workspaces.
    Autostart,
    /// Ending jobs whose daemon died.
    JobReaper,
    /// Rotation of signing keys.
    KeyRotator,
    /// What agents report and ask by their connection.
    Agent,
    /// The coordinator of the tunnel.
    Tailnet,
    /// Deleting what is past its retention.
    Purge,
    /// Sending notifications.
    Notifier,
    /// Finding the apps of workspaces for those who ask for them, and noting their use.
    AppProxy,
    /// The worker of chats with AI agents; what tools do, they do as the chat's owner.
    Chats,
    /// The layer through which models are called: keys, prices, budgets, records.
    Gateway,
}

impl System {
    /// Name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            System::Core => "system",
            System::Provisioner => "provisioner",
            System::Autostart => "autostart",
            System::JobReaper => "job-reaper",
            System::KeyRotator => "key-rotator",
            System::Agent => "agent-api",
            System::Tailnet => "tailnet",
            System::Purge => "purge",
            System::Notifier => "notifier",
            System::AppProxy => "app-proxy",
            System::Chats => "chats",
            System::Gateway => "ai-gateway",
        }
    }

    pub(crate) const fn grants(self) -> Grants {
        match self {
            System::Core => CORE,
            System::Provisioner => PROVISIONER,
            System::Autostart => AUTOSTART,
            System::JobReaper => JOB_REAPER,
            System::KeyRotator => Grants::NONE.and(R::CryptoKey, CRUD),
            System::Agent => AGENT,
            System::Tailnet => TAILNET,
            System::Purge => PURGE,
            System::Notifier => NOTIFIER,
            System::AppProxy => APP_PROXY,
            System::Chats => CHATS,
            System::Gateway => GATEWAY,
        }
    }
}

const CORE: Grants = Grants::NONE
    .and_each(Read, R::ALL)
    .and_all(R::ApiKey)
    .and_all(R::AssignRole)
    .and_all(R::AssignOrgRole)
    .and_all(R::User)
    .and_all(R::System)
    .and(R::AuditLog, &[Create])
    .and(R::Group, &[Create, Update])
    .and(R::Organization, &[Create])
    .and(R::OrganizationMember, &[Create, Delete])
    .and(R::DeploymentConfig, &[Update])
    .and(R::CryptoKey, CRUD)
    .and(R::File, &[Create])
    .and(R::ProvisionerDaemon, &[Create, Update])
    .and(R::ProvisionerJobs, &[Create, Update])
    .and(
        R::Workspace,
        &[
            Update,
            Delete,
            Start,
            Stop,
            Ssh,
            CreateAgent,
            DeleteAgent,
            UpdateAgent,
        ],
    )
    .and(R::WorkspaceDormant, &[Update, Delete, Stop]);

const PROVISIONER: Grants = Grants::NONE
    .and_all(R::System)
    .and_all(R::ApiKey)
    .and(R::ProvisionerDaemon, CRUD)
    .and(R::ProvisionerJobs, &[Create, Read, Update])
    .and(R::File, &[Create, Read])
    .and(R::Template, &[Read, Update])
    .and(R::User, &[Read, ReadPersonal, UpdatePersonal])
    .and(
        R::Workspace,
        &[Read, Update, Delete, Start, Stop, CreateAgent, DeleteAgent],
    )
    .and(
        R::WorkspaceDormant,
        &[Read, Update, Delete, Stop, CreateAgent, DeleteAgent],
    )
    .and(R::WorkspaceBuildOrchestration, CRUD)
    .and(R::NotificationMessage, &[Create, Read])
    .and(R::WorkspaceAgentResourceMonitor, &[Create])
    .and(R::WorkspaceAgentDevcontainers, &[Create])
    .and(R::AuditLog, &[Create])
    .and_each(
        Read,
        &[
            R::Organization,
            R::OrganizationMember,
            R::Group,
            R::GroupMember,
        ],
    );

const AUTOSTART: Grants = Grants::NONE
    .and_all(R::System)
    .and(R::NotificationMessage, &[Create, Read])
    .and(R::Template, &[Read, Update, Use])
    .and(R::Workspace, &[Read, Update, Delete, Start, Stop])
    .and(R::WorkspaceDormant, &[Read, Update, Delete, Stop])
    .and(R::ProvisionerJobs, &[Create, Read])
    .and(R::AuditLog, &[Create])
    .and_each(
        Read,
        &[R::Organization, R::OrganizationMember, R::File, R::User],
    );

const JOB_REAPER: Grants = Grants::NONE
    .and_all(R::System)
    .and(R::Template, &[Read, Update])
    .and(R::Workspace, &[Read, Update])
    .and(R::WorkspaceDormant, &[Read, Update])
    .and(R::ProvisionerJobs, &[Read, Update])
    .and(R::AuditLog, &[Create]);

const AGENT: Grants = Grants::NONE
    .and_all(R::System)
    .and(
        R::Workspace,
        &[Read, Update, CreateAgent, DeleteAgent, UpdateAgent],
    )
    .and(R::WorkspaceDormant, &[Read, Update])
    .and(R::WorkspaceAgentResourceMonitor, &[Read, Update])
    .and(R::ConnectionLog, &[Update])
    .and_each(
        Read,
        &[R::User, R::Template, R::Organization, R::OrganizationMember],
    );

const TAILNET: Grants = Grants::NONE
    .and_all(R::TailnetCoordinator)
    .and(R::Workspace, &[Read])
    .and(R::System, &[Read]);

const PURGE: Grants = Grants::NONE
    .and(R::System, &[Delete])
    .and(R::NotificationMessage, &[Delete])
    .and(R::ApiKey, &[Delete]);

const APP_PROXY: Grants = Grants::NONE
    .and(R::System, &[Read])
    .and(R::Workspace, &[Read, Update])
    .and(R::WorkspaceDormant, &[Read])
    .and(R::ConnectionLog, &[Update]);

const NOTIFIER: Grants = Grants::NONE
    .and(R::NotificationMessage, CRUD)
    .and(R::InboxNotification, &[Create])
    .and(R::WebpushSubscription, &[Create, Read, Delete])
    .and(R::DeploymentConfig, &[Read, Update]);

const CHATS: Grants = Grants::NONE
    .and(R::Chat, CRUD)
    .and(R::AuditLog, &[Create])
    .and(R::User, &[Read, ReadPersonal])
    .and_each(
        Read,
        &[
            R::System,
            R::DeploymentConfig,
            R::ChatModelConfig,
            R::Organization,
            R::OrganizationMember,
        ],
    );

const GATEWAY: Grants = Grants::NONE
    .and(R::AibridgeInterception, &[Create, Read, Update])
    .and(R::AiModelPrice, &[Read, Update])
    .and(R::InboxNotification, &[Create])
    .and(R::User, &[Read, ReadPersonal])
    .and_each(
        Read,
        &[
            R::AiProvider,
            R::ChatModelConfig,
            R::Organization,
            R::OrganizationMember,
            R::Group,
        ],
    );
