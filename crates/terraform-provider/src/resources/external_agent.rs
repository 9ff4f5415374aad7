//! `coder_external_agent`: marks an agent that somebody starts by hand.

use super::{AGENT_ID, Resource};
use crate::schema::{Attribute, Block};

/// The resource.
pub const RESOURCE: Resource = Resource::new("coder_external_agent", 1, &BLOCK);

const BLOCK: Block = Block::new(
    "Declares that an agent runs on a machine that the template does not manage. Its owner starts it by hand.",
    &[AGENT_ID, Attribute::implied_id()],
    &[],
);
