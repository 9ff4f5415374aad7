//! `coder_external_auth`: the owner's access to an external service.

use super::{DataSource, set};
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block};
use crate::value::text;

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_external_auth",
    version: 1,
    block: &BLOCK,
    read: |state, _, context| {
        let id = text(state, "id").to_owned();
        if id.is_empty() {
            return Err(vec![Diagnostic::error("id is required")]);
        }
        let token = context
            .environment
            .get(&format!("CODER_EXTERNAL_AUTH_ACCESS_TOKEN_{id}"));
        set(state, "access_token", token);
        Ok(())
    },
};

const BLOCK: Block = Block::new(
    "Asks the owner to sign in to an external service, such as a Git host, before the workspace is made.",
    &[
        Attribute::string("access_token")
            .computed()
            .sensitive()
            .about("The owner's access token of the service."),
        Attribute::string("id")
            .required()
            .about("Identifier of the service in the deployment's configuration."),
        Attribute::bool("optional").about("Whether the owner may go on without signing in."),
    ],
    &[],
);
