//! Versions of templates: import, parameters, logs, archive.

use std::collections::BTreeMap;

use api_types::{
    CreateTemplateVersionRequest, DynamicParametersRequest, DynamicParametersResponse,
    PatchTemplateVersionRequest, Preset, ProvisionerJobLog, TemplateVersion,
    TemplateVersionExternalAuth, TemplateVersionParameter, TemplateVersionVariable,
    WorkspaceResource,
};
use uuid::Uuid;

use crate::call::segment;
use crate::websocket::JsonSocket;
use crate::{Client, Error};

impl Client {
    /// Starts the import of an uploaded archive.
    pub async fn template_version_create(
        &self,
        organization: Uuid,
        body: &CreateTemplateVersionRequest,
    ) -> Result<TemplateVersion, Error> {
        self.post(&format!(
            "/api/v2/organizations/{organization}/templateversions"
        ))
        .json(body)
        .decode()
        .await
    }

    /// One version.
    pub async fn template_version(&self, id: Uuid) -> Result<TemplateVersion, Error> {
        self.get(&format!("/api/v2/templateversions/{id}"))
            .decode()
            .await
    }

    /// One version of a template by its name.
    pub async fn template_version_by_name(
        &self,
        template: Uuid,
        name: &str,
    ) -> Result<TemplateVersion, Error> {
        self.get(&format!(
            "/api/v2/templates/{template}/versions/{}",
            segment(name)
        ))
        .decode()
        .await
    }

    /// Versions of a template, oldest first.
    pub async fn template_versions(
        &self,
        template: Uuid,
        archived: bool,
    ) -> Result<Vec<TemplateVersion>, Error> {
        self.get(&format!("/api/v2/templates/{template}/versions"))
            .query_if("include_archived", archived.then_some(true))
            .decode()
            .await
    }

    /// Renames a version or changes its message.
    pub async fn template_version_update(
        &self,
        id: Uuid,
        body: &PatchTemplateVersionRequest,
    ) -> Result<TemplateVersion, Error> {
        self.patch(&format!("/api/v2/templateversions/{id}"))
            .json(body)
            .decode()
            .await
    }

    /// Stops the import.
    pub async fn template_version_cancel(&self, id: Uuid) -> Result<(), Error> {
        self.patch(&format!("/api/v2/templateversions/{id}/cancel"))
            .done()
            .await
    }

    /// Hides a version.
    pub async fn template_version_archive(&self, id: Uuid) -> Result<(), Error> {
        self.post(&format!("/api/v2/templateversions/{id}/archive"))
            .done()
            .await
    }

    /// Shows a hidden version again.
    pub async fn template_version_unarchive(&self, id: Uuid) -> Result<(), Error> {
        self.post(&format!("/api/v2/templateversions/{id}/unarchive"))
            .done()
            .await
    }

    /// Parameters that a workspace of this version takes.
    pub async fn template_version_parameters(
        &self,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionParameter>, Error> {
        self.get(&format!("/api/v2/templateversions/{id}/rich-parameters"))
            .decode()
            .await
    }

    /// Parameters as they stand with these inputs: conditions and options may
    /// depend on other parameters and on the owner.
    pub async fn template_version_evaluate(
        &self,
        id: Uuid,
        owner: Option<Uuid>,
        inputs: &BTreeMap<String, String>,
    ) -> Result<DynamicParametersResponse, Error> {
        let body = DynamicParametersRequest {
            id: 0,
            inputs: inputs.clone(),
            owner_id: owner,
        };
        self.post(&format!(
            "/api/v2/templateversions/{id}/dynamic-parameters/evaluate"
        ))
        .json(&body)
        .decode()
        .await
    }

    /// Terraform variables of a version.
    pub async fn template_version_variables(
        &self,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionVariable>, Error> {
        self.get(&format!("/api/v2/templateversions/{id}/variables"))
            .decode()
            .await
    }

    /// Presets of a version.
    pub async fn template_version_presets(&self, id: Uuid) -> Result<Vec<Preset>, Error> {
        let presets: Option<Vec<Preset>> = self
            .get(&format!("/api/v2/templateversions/{id}/presets"))
            .decode()
            .await?;
        Ok(presets.unwrap_or_default())
    }

    /// Resources that a workspace of this version will have.
    pub async fn template_version_resources(
        &self,
        id: Uuid,
    ) -> Result<Vec<WorkspaceResource>, Error> {
        self.get(&format!("/api/v2/templateversions/{id}/resources"))
            .decode()
            .await
    }

    /// External sign-ins that a workspace of this version needs.
    pub async fn template_version_external_auth(
        &self,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionExternalAuth>, Error> {
        self.get(&format!("/api/v2/templateversions/{id}/external-auth"))
            .decode()
            .await
    }

    /// Log lines of the import after line `after`, as they come; the socket
    /// ends with the job.
    pub async fn template_version_logs(
        &self,
        id: Uuid,
        after: i64,
    ) -> Result<JsonSocket<ProvisionerJobLog>, Error> {
        self.websocket_json(&format!(
            "/api/v2/templateversions/{id}/logs?follow&after={after}"
        ))
        .await
    }
}
