//! Settings of the whole deployment, by key.

use authz::{Action, Object, ResourceType, Subject};

use crate::conn::Conn;
use crate::{Result, StoreError};

impl Conn {
    /// A setting, if it was ever made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for subjects that may not read the system's own.
    pub async fn site_config_read(&self, who: &Subject, key: &str) -> Result<Option<String>> {
        who.may(Action::Read, &Object::new(ResourceType::System))
            .map_err(|_| StoreError::NotFound)?;
        let row = self
            .query_opt("SELECT value FROM site_configs WHERE key = $1", &[&key])
            .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Makes a setting unless it is there; what holds then. Replicas that
    /// start together agree on one value.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn site_config_ensure(
        &self,
        who: &Subject,
        key: &str,
        value: &str,
    ) -> Result<String> {
        who.may(Action::Create, &Object::new(ResourceType::System))?;
        let sql = "INSERT INTO site_configs (key, value) VALUES ($1, $2) \
                   ON CONFLICT (key) DO UPDATE SET value = site_configs.value RETURNING value";
        Ok(self.query_one(sql, &[&key, &value]).await?.try_get(0)?)
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn site_config_set(&self, who: &Subject, key: &str, value: &str) -> Result<()> {
        who.may(Action::Update, &Object::new(ResourceType::DeploymentConfig))?;
        let sql = "INSERT INTO site_configs (key, value) VALUES ($1, $2) \
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.execute(sql, &[&key, &value]).await?;
        Ok(())
    }
}
