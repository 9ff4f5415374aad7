//! Organizations: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `MinimalOrganization` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MinimalOrganization {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub icon: String,
}

/// `Organization` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Organization {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub icon: String,
    pub description: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub is_default: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub default_org_member_roles: Vec<String>,
}

/// `OrganizationMember` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganizationMember {
    pub user_id: Uuid,
    pub organization_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<SlimRole>,
}

/// `OrganizationMemberWithUserData` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganizationMemberWithUserData {
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    pub email: String,
    pub status: crate::users::UserStatus,
    pub login_type: crate::api_keys::LoginType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
    pub user_created_at: DateTime<Utc>,
    pub user_updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub is_service_account: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub global_roles: Vec<SlimRole>,
    pub has_ai_seat: bool,
    pub user_id: Uuid,
    pub organization_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<SlimRole>,
}

/// `PaginatedMembersResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaginatedMembersResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub members: Vec<OrganizationMemberWithUserData>,
    pub count: i64,
}

/// `CreateOrganizationRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateOrganizationRequest {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
}

/// `UpdateOrganizationRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateOrganizationRequest {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_org_member_roles: Option<Vec<String>>,
}

/// `SlimRole` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlimRole {
    pub name: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organization_id: String,
}

/// `AssignableRoles` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssignableRoles {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organization_id: String,
    pub display_name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub site_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub user_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_member_permissions: Vec<Permission>,
    pub assignable: bool,
    pub built_in: bool,
}

/// `Permission` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Permission {
    pub negate: bool,
    pub resource_type: String,
    pub action: String,
}

/// `Role` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organization_id: String,
    pub display_name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub site_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub user_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_member_permissions: Vec<Permission>,
}

/// `CustomRoleRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomRoleRequest {
    pub name: String,
    pub display_name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub site_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub user_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_permissions: Vec<Permission>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_member_permissions: Vec<Permission>,
}

string_enum! {
    /// Values of `ShareableWorkspaceOwners`.
    pub enum ShareableWorkspaceOwners {
        None = "none",
        Everyone = "everyone",
        ServiceAccounts = "service_accounts",
    }
}

/// `WorkspaceSharingSettings` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceSharingSettings {
    pub sharing_globally_disabled: bool,
    pub sharing_disabled: bool,
    pub shareable_workspace_owners: ShareableWorkspaceOwners,
}

/// `UpdateWorkspaceSharingSettingsRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceSharingSettingsRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing_disabled: Option<bool>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub shareable_workspace_owners: ShareableWorkspaceOwners,
}
