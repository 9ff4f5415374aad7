//! A world with the tools of every server and a workspace.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::model::Asked;
use super::tools::Tools;
use super::{World, without_worker};
use crate::agent::TestAgent;

/// A world with the tools of every server and a workspace.
pub struct House {
    pub world: World,
    pub agent: TestAgent,
    others: VecDeque<Asked>,
}

/// A database, a running worker, and a workspace.
pub async fn house() -> House {
    let mut world = without_worker(1_000_000).await;
    let agent = TestAgent::start().await;
    world.tools = Arc::new(Tools {
        own: Vec::new(),
        standard: Some(agent.address),
    });
    world.start_worker().await;
    House {
        world,
        agent,
        others: VecDeque::new(),
    }
}

impl House {
    /// What the model is asked next for a chat; what it is asked for others is kept.
    pub async fn asked(&mut self, chat: Uuid) -> Asked {
        if let Some(at) = self.others.iter().position(|asked| asked.call.chat == chat) {
            return self.others.remove(at).unwrap();
        }
        loop {
            let asked = self.world.asked().await;
            if asked.call.chat == chat {
                return asked;
            }
            self.others.push_back(asked);
        }
    }

    /// A chat and a workspace of its owner's.
    pub async fn create_in_workspace(&self, text: &str) -> Uuid {
        let world = &self.world;
        let made = testkit::workspace(&world.db, world.owner.id, "dev").await;
        world
            .create_with(text, |new| new.workspace_id = Some(made.id))
            .await
    }

    /// Files of a chat that belong to the owner, by their ids.
    pub async fn files(&self, chat: Uuid) -> HashMap<Uuid, Vec<u8>> {
        let sql = "SELECT f.id, f.data FROM chat_files f JOIN chat_file_links l ON l.file_id = f.id \
                   WHERE l.chat_id = $1 AND f.owner_id = $2";
        let (db, owner) = (&self.world.db, self.world.owner.id);
        let rows = db.query(sql, &[&chat, &owner]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The committed result of a call.
    pub async fn result(&self, chat: Uuid, call: &str) -> Value {
        let messages = self.world.messages(chat).await;
        let part = messages.iter().flat_map(|m| &m.content).find(|part| {
            part.kind == api_types::ChatMessagePartType::ToolResult && part.tool_call_id == call
        });
        part.unwrap_or_else(|| panic!("no result of {call}"))
            .result
            .clone()
            .unwrap()
    }
}
