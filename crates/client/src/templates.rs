//! Templates.

use api_types::{
    ArchiveTemplateVersionsRequest, ArchiveTemplateVersionsResponse, CreateTemplateRequest,
    Template, TemplateExample, UpdateTemplateMeta,
};
use serde_json::json;
use uuid::Uuid;

use crate::call::segment;
use crate::{Client, Error};

/// Which templates to list.
#[derive(Debug, Clone, Default)]
pub struct TemplateQuery {
    /// Search expression of the API.
    pub q: String,
}

impl Client {
    /// Templates of every organization that match.
    pub async fn templates(&self, query: &TemplateQuery) -> Result<Vec<Template>, Error> {
        self.get("/api/v2/templates")
            .query_if("q", Some(&query.q).filter(|q| !q.is_empty()))
            .decode()
            .await
    }

    /// One template.
    pub async fn template(&self, id: Uuid) -> Result<Template, Error> {
        self.get(&format!("/api/v2/templates/{id}")).decode().await
    }

    /// One template by its name.
    pub async fn template_by_name(
        &self,
        organization: Uuid,
        name: &str,
    ) -> Result<Template, Error> {
        self.get(&format!(
            "/api/v2/organizations/{organization}/templates/{}",
            segment(name)
        ))
        .decode()
        .await
    }

    /// Makes a template out of an imported version.
    pub async fn template_create(
        &self,
        organization: Uuid,
        body: &CreateTemplateRequest,
    ) -> Result<Template, Error> {
        self.post(&format!("/api/v2/organizations/{organization}/templates"))
            .json(body)
            .decode()
            .await
    }

    /// Changes settings of a template. `None` means that nothing changed (304).
    pub async fn template_update(
        &self,
        id: Uuid,
        body: &UpdateTemplateMeta,
    ) -> Result<Option<Template>, Error> {
        match self
            .patch(&format!("/api/v2/templates/{id}"))
            .json(body)
            .decode()
            .await
        {
            Ok(template) => Ok(Some(template)),
            Err(e) if e.status() == Some(http::StatusCode::NOT_MODIFIED) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Deletes a template that no workspace uses.
    pub async fn template_delete(&self, id: Uuid) -> Result<(), Error> {
        self.delete(&format!("/api/v2/templates/{id}")).done().await
    }

    /// Makes a version the one that new workspaces get.
    pub async fn template_promote(&self, template: Uuid, version: Uuid) -> Result<(), Error> {
        self.patch(&format!("/api/v2/templates/{template}/versions"))
            .json(&json!({ "id": version }))
            .done()
            .await
    }

    /// Archives versions that nothing uses; failed imports alone unless `all`.
    pub async fn template_archive_unused(
        &self,
        template: Uuid,
        all: bool,
    ) -> Result<ArchiveTemplateVersionsResponse, Error> {
        self.post(&format!("/api/v2/templates/{template}/versions/archive"))
            .json(&ArchiveTemplateVersionsRequest { all })
            .decode()
            .await
    }

    /// Starter templates that the server carries.
    pub async fn template_examples(&self) -> Result<Vec<TemplateExample>, Error> {
        self.get("/api/v2/templates/examples").decode().await
    }
}
