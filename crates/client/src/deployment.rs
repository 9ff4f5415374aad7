//! What the deployment says of itself.

use api_types::{AppearanceConfig, BuildInfoResponse, SshConfigResponse};

use crate::{Client, Error};

impl Client {
    /// Version and addresses; needs no sign-in.
    pub async fn build_info(&self) -> Result<BuildInfoResponse, Error> {
        self.get("/api/v2/buildinfo").decode().await
    }

    /// Names, banners and links.
    pub async fn appearance(&self) -> Result<AppearanceConfig, Error> {
        self.get("/api/v2/appearance").decode().await
    }

    /// What to write into an OpenSSH configuration.
    pub async fn ssh_config(&self) -> Result<SshConfigResponse, Error> {
        self.get("/api/v2/deployment/ssh").decode().await
    }
}
