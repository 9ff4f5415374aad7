//! Tunnels of the tools into workspaces.

use std::sync::Arc;

use anyhow::Result;
use client::{AgentApi, Client};
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use toolbox::Agents;
use uuid::Uuid;

use crate::connect::link::{self, Link};

/// Workspaces that are kept connected; the one that was used first gives way.
const MAX_LINKS: usize = 8;

/// Tunnels that are kept between calls.
pub struct Links {
    client: Client,
    relays_only: bool,
    kept: Mutex<Vec<(Uuid, Arc<Link>)>>,
}

impl Links {
    /// Nothing is connected yet.
    pub fn new(client: Client, relays_only: bool) -> Self {
        Links {
            client,
            relays_only,
            kept: Mutex::default(),
        }
    }
}

impl Agents for Links {
    fn api(&self, agent: Uuid) -> BoxFuture<'_, Result<AgentApi>> {
        Box::pin(async move {
            let mut kept = self.kept.lock().await;
            if let Some((_, link)) = kept.iter().find(|(id, _)| *id == agent) {
                return Ok(link.api());
            }
            let connection = self.client.agent_connection(agent).await?;
            let prepared = link::prepare(&self.client, self.relays_only, connection)?;
            let link = Arc::new(prepared.connect(&self.client, agent));
            let api = link.api();
            if kept.len() >= MAX_LINKS {
                kept.remove(0);
            }
            kept.push((agent, link));
            Ok(api)
        })
    }
}
