//! `coder_devcontainer`: a Dev Container that the agent starts.

use super::{AGENT_ID, Resource};
use crate::schema::{Attribute, Block, Check};
use crate::text::uuid;
use crate::value::Value;

/// The resource.
pub const RESOURCE: Resource = Resource {
    create: |state, _| {
        state.insert("subagent_id".to_owned(), Value::String(uuid::random()));
        Vec::new()
    },
    ..Resource::new("coder_devcontainer", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "A Dev Container that the agent starts by itself.",
    &[
        AGENT_ID,
        Attribute::string("config_path")
            .about("Path of its `devcontainer.json`, if it is not at a usual place."),
        Attribute::implied_id(),
        Attribute::string("subagent_id")
            .computed()
            .about("Identifier of the agent within the Dev Container."),
        Attribute::string("workspace_folder")
            .required()
            .about("The folder that the Dev Container is made for.")
            .checked(&[Check::NotEmpty]),
    ],
    &[],
);
