//! `coder_agent_instance`: ties a cloud instance to an agent that signs in by its instance's identity.

use super::{AGENT_ID, Resource};
use crate::schema::{Attribute, Block};

/// The resource.
pub const RESOURCE: Resource = Resource::new("coder_agent_instance", 0, &BLOCK);

const BLOCK: Block = Block::new(
    "Names the cloud instance that an agent runs on, for agents that sign in by their instance's identity. Instances of the large clouds are found without it.",
    &[
        AGENT_ID,
        Attribute::implied_id(),
        Attribute::string("instance_id")
            .required()
            .about("The identifier that the cloud gave to the instance."),
    ],
    &[],
);
