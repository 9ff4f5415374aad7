//! Access lists: the people and groups to whom a thing is given, each with a role on it. Things
//! differ in their roles, and templates tell more of their people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Group, ReducedUser, User};

string_enum! {
    /// Values of `TemplateRole`.
    pub enum TemplateRole {
        Admin = "admin",
        Use = "use",
    }
}

string_enum! {
    /// Values of `WorkspaceRole`.
    pub enum WorkspaceRole {
        Admin = "admin",
        Use = "use",
    }
}

string_enum! {
    /// Values of `ChatRole`, `ChatModelRole` and `MCPServerConfigRole`; the empty text takes the
    /// access away.
    pub enum ReaderRole {
        Read = "read",
    }
}

/// `ChatUser`, `WorkspaceUser` and their like of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedUser<R: Default> {
    pub id: Uuid,
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    pub role: R,
}

/// `ChatGroup`, `TemplateGroup`, `WorkspaceGroup` and their like of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedGroup<R: Default> {
    #[serde(flatten)]
    pub group: Group,
    pub role: R,
}

/// `TemplateUser` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateUser {
    #[serde(flatten)]
    pub user: User,
    pub role: TemplateRole,
}

/// `TemplateACL` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateAcl {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<TemplateUser>,
    #[serde(deserialize_with = "crate::null_default")]
    pub group: Vec<SharedGroup<TemplateRole>>,
}

/// `WorkspaceACL` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAcl {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<SharedUser<WorkspaceRole>>,
    #[serde(deserialize_with = "crate::null_default")]
    pub group: Vec<SharedGroup<WorkspaceRole>>,
}

/// `ChatACL`, `ChatModelACL` and `MCPServerConfigACL` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReaderAcl {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<SharedUser<ReaderRole>>,
    #[serde(deserialize_with = "crate::null_default")]
    pub groups: Vec<SharedGroup<ReaderRole>>,
}

/// `UpdateTemplateACL` of the API: roles by id; the empty one takes the access away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateTemplateAcl {
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub user_perms: BTreeMap<String, TemplateRole>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub group_perms: BTreeMap<String, TemplateRole>,
}

/// A change of any other access list, in the same way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "R: Default + Deserialize<'de>"))]
pub struct UpdateAcl<R: Default> {
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub user_roles: BTreeMap<String, R>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub group_roles: BTreeMap<String, R>,
}

/// `UpdateWorkspaceACL` of the API.
pub type UpdateWorkspaceAcl = UpdateAcl<WorkspaceRole>;

/// `UpdateChatACL`, `UpdateChatModelACLRequest` and `UpdateMCPServerConfigACLRequest` of the API.
pub type UpdateReaderAcl = UpdateAcl<ReaderRole>;

/// `ACLAvailable` of the API: who could be given something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AclAvailable {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<ReducedUser>,
    #[serde(deserialize_with = "crate::null_default")]
    pub groups: Vec<Group>,
}
