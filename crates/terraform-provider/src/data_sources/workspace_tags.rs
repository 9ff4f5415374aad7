//! `coder_workspace_tags`: which provisioners may build the template.

use super::{DataSource, set_random_id};
use crate::schema::{Attribute, Block};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_workspace_tags",
    version: 1,
    block: &BLOCK,
    read: |state, _, _| {
        set_random_id(state);
        Ok(())
    },
};

const BLOCK: Block = Block::new(
    "Tags that a provisioner must have in order to build workspaces of the template.",
    &[
        Attribute::implied_id(),
        Attribute::string_map("tags").about("The tags and their values."),
    ],
    &[],
);
