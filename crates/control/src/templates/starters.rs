//! Starter templates: listed, and made versions of.

use api_types::TemplateExample;
use authz::{Action, Object, ResourceType, Subject};
use provisioner::starters::{self, Starter};
use sha2::{Digest as _, Sha256};
use store::files::NewFile;
use store::{OrganizationRef, Tx};
use uuid::Uuid;

use crate::{Control, Error, Result, TAR};

impl Control {
    /// The starters, for whoever may make templates of them.
    pub async fn template_example_list(
        &self,
        who: &Subject,
        organization: Option<&OrganizationRef>,
    ) -> Result<Vec<TemplateExample>> {
        let templates = match organization {
            Some(organization) => {
                let conn = self.store().conn().await?;
                let organization = conn.organization_read(who, organization).await?;
                Object::new(ResourceType::Template).org(organization.id)
            }
            None => Object::new(ResourceType::Template).any_org(),
        };
        who.may(Action::Read, &templates)
            .map_err(|_| Error::not_found())?;
        Ok(starters::ALL.iter().map(example).collect())
    }

    /// Stores a starter as a file of its user; answers the file.
    pub(super) async fn starter_file(
        &self,
        tx: &Tx,
        who: &Subject,
        owner: Uuid,
        id: &str,
    ) -> Result<Uuid> {
        let starter = starters::find(id).ok_or_else(|| {
            Error::invalid("Example not found.")
                .with_detail("GET /api/v2/templates/examples lists those there are.")
        })?;
        let data = starter.tar();
        let hash = hex::encode(Sha256::digest(&data));
        let file = NewFile {
            hash: &hash,
            created_by: owner,
            mimetype: TAR,
            data: &data,
        };
        Ok(tx.file_insert(who, &file).await?.0)
    }
}

fn example(starter: &Starter) -> TemplateExample {
    TemplateExample {
        id: starter.id.to_owned(),
        url: String::new(),
        name: starter.name.to_owned(),
        description: starter.description.to_owned(),
        icon: starter.icon.to_owned(),
        tags: starter.tags.iter().map(|tag| (*tag).to_owned()).collect(),
        markdown: starter.readme().to_owned(),
    }
}
