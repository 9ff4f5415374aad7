//! Switches of a whole deployment.

use api_types::Secret;
use serde_json::{Value, json};

use crate::{Client, Error};

impl Client {
    /// Holds notifications back, or lets them go.
    pub async fn notifications_pause(&self, paused: bool) -> Result<(), Error> {
        self.put("/api/v2/notifications/settings")
            .json(&json!({ "notifier_paused": paused }))
            .done()
            .await
    }

    /// Sends a notification by which administrators see that it works.
    pub async fn notification_test(&self) -> Result<(), Error> {
        self.post("/api/v2/notifications/test").done().await
    }

    /// Sends a notification to oneself.
    pub async fn notification_custom(&self, title: &str, message: &str) -> Result<(), Error> {
        self.post("/api/v2/notifications/custom")
            .json(&json!({ "content": { "title": title, "message": message } }))
            .done()
            .await
    }

    /// Stops making prebuilt workspaces, or goes on.
    pub async fn prebuilds_pause(&self, paused: bool) -> Result<(), Error> {
        self.put("/api/v2/prebuilds/settings")
            .json(&json!({ "reconciliation_paused": paused }))
            .done()
            .await
    }

    /// Lets programs register themselves as OAuth2 clients, or not.
    pub async fn oauth2_registration_set(&self, enabled: bool) -> Result<(), Error> {
        self.put("/api/v2/oauth2-provider/settings")
            .json(&json!({ "dynamic_client_registration_enabled": enabled }))
            .done()
            .await
    }

    /// Licenses, of deployments that have them.
    pub async fn licenses(&self) -> Result<Vec<Value>, Error> {
        let found: Option<Vec<Value>> = self.get("/api/v2/licenses").decode().await?;
        Ok(found.unwrap_or_default())
    }

    /// Adds a license.
    pub async fn license_add(&self, license: &Secret<String>) -> Result<Value, Error> {
        self.post("/api/v2/licenses")
            .json(&json!({ "license": license.expose() }))
            .decode()
            .await
    }

    /// Deletes a license.
    pub async fn license_delete(&self, id: i64) -> Result<(), Error> {
        self.delete(&format!("/api/v2/licenses/{id}")).done().await
    }
}
