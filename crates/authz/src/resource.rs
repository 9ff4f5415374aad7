//! The kinds of things that rights speak of, and the actions each knows.

use std::fmt;

use crate::action::{Action, Action::*, ActionSet, UnknownName};

/// Create, read, update, delete: what most resources know.
pub(crate) const CRUD: &[Action] = &[Create, Read, Update, Delete];

/// What a workspace knows; a dormant one the same.
pub(crate) const WORKSPACE: &[Action] = &[
    Create,
    Read,
    Update,
    Delete,
    Start,
    Stop,
    Ssh,
    ApplicationConnect,
    CreateAgent,
    DeleteAgent,
    UpdateAgent,
    Share,
];

macro_rules! resources {
    ($($variant:ident = $name:literal $actions:expr,)+) => {
        /// A kind of object that rights are given on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is its wire name")]
        pub enum ResourceType { $($variant,)+ }

        impl ResourceType {
            /// Every resource type, in declaration order.
            pub const ALL: &'static [ResourceType] = &[$(ResourceType::$variant,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name on the wire and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(ResourceType::$variant => $name,)+ }
            }

            /// The actions that make sense on it.
            pub const fn actions(self) -> ActionSet {
                match self { $(ResourceType::$variant => const { ActionSet::of($actions) },)+ }
            }
        }

        impl std::str::FromStr for ResourceType {
            type Err = UnknownName;
            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok(ResourceType::$variant),)+
                    _ => Err(UnknownName { what: "resource type", name: name.to_owned() }),
                }
            }
        }
    };
}

resources! {
    User = "user" &[Create, Read, Update, Delete, ReadPersonal, UpdatePersonal],
    Workspace = "workspace" WORKSPACE,
    WorkspaceDormant = "workspace_dormant" WORKSPACE,
    PrebuiltWorkspace = "prebuilt_workspace" &[Update, Delete],
    WorkspaceBuildOrchestration = "workspace_build_orchestration" CRUD,
    Template = "template" &[Create, Use, Read, Update, Delete, ViewInsights],
    File = "file" &[Create, Read],
    Organization = "organization" CRUD,
    OrganizationMember = "organization_member" CRUD,
    Group = "group" CRUD,
    GroupMember = "group_member" &[Read],
    ApiKey = "api_key" CRUD,
    AssignRole = "assign_role" &[Assign, Unassign, Read],
    AssignOrgRole = "assign_org_role" &[Assign, Unassign, Create, Read, Update, Delete],
    AuditLog = "audit_log" &[Create, Read],
    ConnectionLog = "connection_log" &[Read, Update],
    ProvisionerDaemon = "provisioner_daemon" CRUD,
    ProvisionerJobs = "provisioner_jobs" &[Create, Read, Update],
    WorkspaceProxy = "workspace_proxy" CRUD,
    TailnetCoordinator = "tailnet_coordinator" CRUD,
    WorkspaceAgentResourceMonitor = "workspace_agent_resource_monitor" &[Create, Read, Update],
    WorkspaceAgentDevcontainers = "workspace_agent_devcontainers" &[Create],
    DeploymentConfig = "deployment_config" &[Read, Update],
    DeploymentStats = "deployment_stats" &[Read],
    DebugInfo = "debug_info" &[Read],
    Replicas = "replicas" &[Read],
    License = "license" &[Create, Read, Delete],
    System = "system" CRUD,
    CryptoKey = "crypto_key" CRUD,
    IdpsyncSettings = "idpsync_settings" &[Read, Update],
    NotificationMessage = "notification_message" CRUD,
    NotificationTemplate = "notification_template" &[Read, Update],
    NotificationPreference = "notification_preference" &[Read, Update],
    InboxNotification = "inbox_notification" &[Create, Read, Update],
    WebpushSubscription = "webpush_subscription" &[Create, Read, Delete],
    Oauth2App = "oauth2_app" CRUD,
    Oauth2AppSecret = "oauth2_app_secret" CRUD,
    Oauth2AppCodeToken = "oauth2_app_code_token" &[Create, Read, Delete],
    UserSecret = "user_secret" CRUD,
    UserSkill = "user_skill" CRUD,
    UsageEvent = "usage_event" &[Create, Read, Update],
    Chat = "chat" &[Create, Read, Update, Delete, Share],
    ChatModelConfig = "chat_model_config" &[Create, Read, Update, Delete, Share],
    McpServerConfig = "mcp_server_config" &[Create, Read, Update, Delete, Share],
    AibridgeInterception = "aibridge_interception" &[Create, Read, Update],
    AiModelPrice = "ai_model_price" &[Read, Update],
    AiProvider = "ai_provider" CRUD,
    AiGatewayKey = "ai_gateway_key" CRUD,
    AiSeat = "ai_seat" &[Create, Read],
    BoundaryLog = "boundary_log" &[Create, Read, Delete],
    BoundaryUsage = "boundary_usage" &[Read, Update, Delete],
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for &kind in ResourceType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(!kind.actions().is_empty(), "{kind} knows no action");
        }
        assert!("workspaces".parse::<ResourceType>().is_err());
    }
}
