//! Skills that users write for their AI agents.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `UserSkillMetadata`: a skill without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSkillMetadata {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `UserSkill`: a skill with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSkill {
    #[serde(flatten)]
    pub metadata: UserSkillMetadata,
    pub content: String,
}

/// `CreateUserSkillRequest` and `UpdateUserSkillRequest`: Markdown with a head that holds a name
/// and may hold a description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSkillRequest {
    pub content: String,
}
