//! Starter templates, as they may be listed and made versions of.

use api_types::TemplateExample;
use authz::Subject;
use store::Tx;
use uuid::Uuid;

use crate::{Control, Error, Result};

impl Control {
    /// The starters.
    pub fn template_example_list(&self) -> Vec<TemplateExample> {
        Vec::new()
    }

    /// Stores a starter as a file of its user; answers the file.
    pub(super) async fn starter_file(
        &self,
        _tx: &Tx,
        _who: &Subject,
        _owner: Uuid,
        _id: &str,
    ) -> Result<Uuid> {
        Err(Error::invalid("Example not found."))
    }
}
