//! What the deployment says of itself.

use api_types::{AppearanceConfig, BuildInfoResponse, Entitlements, Region, SshConfigResponse};
use serde::Deserialize;

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

    /// Regions through which workspaces and apps are reached.
    pub async fn regions(&self) -> Result<Vec<Region>, Error> {
        #[derive(Deserialize)]
        struct Regions {
            regions: Vec<Region>,
        }
        let all: Regions = self.get("/api/v2/regions").decode().await?;
        Ok(all.regions)
    }

    /// Features and whether they may be used.
    pub async fn entitlements(&self) -> Result<Entitlements, Error> {
        self.get("/api/v2/entitlements").decode().await
    }
}
