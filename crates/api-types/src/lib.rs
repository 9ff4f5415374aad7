//! Bodies of the HTTP API, exactly as they stand in JSON.
//!
//! One file per noun; names are those of the API's own definitions. The crate
//! knows serde and, for two kinds of text that both ends take apart, their form; nothing else:
//! no rules, no HTTP, no SQL. Lists that a peer
//! sends as `null` read as empty, unknown enum values are kept verbatim, so an
//! older or newer peer never breaks decoding. Absent fields read as their default;
//! required ones are checked where the rules are.

#![allow(
    missing_docs,
    reason = "fields carry the names of the published API definitions"
)]

use serde::{Deserialize, Deserializer};

/// Defines an open string enum: every known value is a variant, any other text
/// is kept in `Other` and written back unchanged; the empty text is `Unset`.
macro_rules! string_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            /// A value that this version does not know.
            Other(String),
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Not given: the empty text.
            #[default]
            Unset,
        }

        impl $name {
            /// The value as it stands in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                    Self::Unset => "",
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    "" => Self::Unset,
                    $($text => Self::$variant,)*
                    _ => Self::Other(text.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub mod access_lists;
pub mod agent_api_context;
pub mod agent_api_desktop;
pub mod agent_api_files;
pub mod agent_api_git;
pub mod agent_api_processes;
pub mod ai;
pub mod api_keys;
pub mod audit;
pub mod authorization;
pub mod chats;
pub mod deployment;
pub mod external_auth;
pub mod files;
pub mod git_ssh_keys;
pub mod groups;
pub mod mcp;
pub mod network;
pub mod notifications;
pub mod organizations;
pub mod parameters;
pub mod port_shares;
pub mod prompt_text;
pub mod provisioners;
pub mod responses;
mod secret;
pub mod skill_file;
pub mod template_versions;
pub mod templates;
pub mod user_secrets;
pub mod user_skills;
pub mod users;
mod version;
mod webpush;
pub mod workspace_agents;
pub mod workspace_builds;
pub mod workspaces;

pub use {
    access_lists::*,
    agent_api_context::*,
    agent_api_desktop::*,
    agent_api_files::*,
    agent_api_git::*,
    agent_api_processes::*,
    ai::*,
    api_keys::*,
    audit::*,
    authorization::*,
    chats::*,
    deployment::*,
    external_auth::*,
    files::*,
    git_ssh_keys::*,
    groups::*,
    mcp::*,
    network::*,
    notifications::*,
    organizations::*,
    parameters::*,
    port_shares::*,
    prompt_text::*,
    provisioners::*,
    responses::*,
    secret::Secret,
    skill_file::*,
    template_versions::*,
    templates::*,
    user_secrets::*,
    user_skills::*,
    users::*,
    version::{VERSION, same_api_level},
    webpush::*,
    workspace_agents::*,
    workspace_builds::*,
    workspaces::*,
};

/// Reads `null` as the type's default: Go peers send `null` for empty lists.
fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// True for a value that `omitempty` leaves out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
