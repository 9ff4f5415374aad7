//! Groups: request and response bodies.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `GroupSource`.
    pub enum GroupSource {
        User = "user",
        Oidc = "oidc",
    }
}

/// `CreateGroupRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateGroupRequest {
    pub name: String,
    pub display_name: String,
    pub avatar_url: String,
    pub quota_allowance: i64,
}

/// `Group` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub organization_id: Uuid,
    #[serde(deserialize_with = "crate::null_default")]
    pub members: Vec<crate::users::ReducedUser>,
    pub total_member_count: i64,
    pub avatar_url: String,
    pub quota_allowance: i64,
    pub source: GroupSource,
    pub organization_name: String,
    pub organization_display_name: String,
}

/// `PatchGroupRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PatchGroupRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub add_users: Vec<String>,
    #[serde(deserialize_with = "crate::null_default")]
    pub remove_users: Vec<String>,
    pub name: String,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    pub quota_allowance: Option<i64>,
}

/// `PaginatedGroupsResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaginatedGroupsResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub groups: Vec<PaginatedGroup>,
    pub count: i64,
}

/// `PaginatedGroup` of the API: a group without its members, whose number alone is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaginatedGroup {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub organization_id: Uuid,
    pub total_member_count: i64,
    pub avatar_url: String,
    pub quota_allowance: i64,
    pub source: GroupSource,
    pub organization_name: String,
    pub organization_display_name: String,
}

/// `GroupMembersResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupMembersResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<crate::users::ReducedUser>,
    pub count: i64,
}
