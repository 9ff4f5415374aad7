//! Secrets of people for their workspaces.

use api_types::{
    CreateUserSecretRequest, ImportUserSecretsRequest, UpdateUserSecretRequest, UserSecret,
};

use crate::call::segment;
use crate::{Client, Error};

impl Client {
    /// Secrets of a person, without their values.
    pub async fn user_secrets(&self, user: &str) -> Result<Vec<UserSecret>, Error> {
        let found: Option<Vec<UserSecret>> = self.get(&path(user, "")).decode().await?;
        Ok(found.unwrap_or_default())
    }

    /// One secret, without its value.
    pub async fn user_secret(&self, user: &str, name: &str) -> Result<UserSecret, Error> {
        self.get(&path(user, name)).decode().await
    }

    /// Stores a new secret.
    pub async fn user_secret_create(
        &self,
        user: &str,
        body: &CreateUserSecretRequest,
    ) -> Result<UserSecret, Error> {
        self.post(&path(user, "")).json(body).decode().await
    }

    /// Stores every secret of a file, or none.
    pub async fn user_secrets_import(
        &self,
        user: &str,
        body: &ImportUserSecretsRequest,
    ) -> Result<Vec<UserSecret>, Error> {
        self.post(&path(user, "batch")).json(body).decode().await
    }

    /// Changes what is given.
    pub async fn user_secret_update(
        &self,
        user: &str,
        name: &str,
        body: &UpdateUserSecretRequest,
    ) -> Result<UserSecret, Error> {
        self.patch(&path(user, name)).json(body).decode().await
    }

    /// Deletes a secret.
    pub async fn user_secret_delete(&self, user: &str, name: &str) -> Result<(), Error> {
        self.delete(&path(user, name)).done().await
    }
}

fn path(user: &str, name: &str) -> String {
    let all = format!("/api/v2/users/{}/secrets", segment(user));
    if name.is_empty() {
        all
    } else {
        format!("{all}/{}", segment(name))
    }
}
