//! Who else may see a chat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `ChatRole`; the empty text takes the access away.
    pub enum ChatRole {
        Read = "read",
    }
}

/// `ChatACL` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatAcl {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<ChatUser>,
    #[serde(deserialize_with = "crate::null_default")]
    pub groups: Vec<ChatGroup>,
}

/// `ChatUser` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatUser {
    pub id: Uuid,
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    pub role: ChatRole,
}

/// `ChatGroup` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatGroup {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub organization_id: Uuid,
    #[serde(deserialize_with = "crate::null_default")]
    pub members: Vec<crate::users::ReducedUser>,
    pub total_member_count: i64,
    pub avatar_url: String,
    pub quota_allowance: i64,
    pub source: crate::groups::GroupSource,
    pub organization_name: String,
    pub organization_display_name: String,
    pub role: ChatRole,
}

/// `UpdateChatACL` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateChatAcl {
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub user_roles: BTreeMap<String, ChatRole>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub group_roles: BTreeMap<String, ChatRole>,
}
