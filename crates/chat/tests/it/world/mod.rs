//! A database, workers, and a model whose every word the test says.

mod house;
mod model;
mod replica;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessageRole, ChatStatus};
use authz::{Policy, Subject, System};
use chat::live::Hub;
use chat::machine::{FirstMessage, Machine, Op, UserMessage};
use chat::tools::Tool;
use chat::worker::{Neighbours, Parts};
use store::chats::{ChatMessageRow, ChatRow, MessageRange, NewChat};
use testkit::{TestDb, TestUser};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use house::{House, house};
pub use model::{Asked, EXPLORER};
pub use replica::Replica;
pub use tools::Called;

use model::{NEVER, Script};
use tools::{TestTool, Tools};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test works with.
pub struct World {
    pub db: TestDb,
    pub owner: TestUser,
    pub organization: Uuid,
    pub machine: Machine,
    pub model: Uuid,
    pub asked: mpsc::UnboundedReceiver<Asked>,
    pub called: mpsc::UnboundedReceiver<Called>,
    script: Arc<Script>,
    tools: Arc<Tools>,
    stop: Vec<CancellationToken>,
}

impl Drop for World {
    fn drop(&mut self) {
        for stop in &self.stop {
            stop.cancel();
        }
    }
}

/// A database and a running worker.
pub async fn world() -> World {
    let mut world = without_worker(1000).await;
    world.start_worker().await;
    world
}

/// A database without a worker; the model reads so many tokens.
pub async fn without_worker(context_limit: i64) -> World {
    let db = testkit::db().await;
    let owner = testkit::user(&db, "ann", &[]).await;
    let organization = testkit::default_organization(&db).await;
    let hub = Hub::new(db.store.clone());
    let machine = Machine::new(db.store.clone(), hub.clone());
    let (asked_by, asked) = mpsc::unbounded_channel();
    let (calls, called) = mpsc::unbounded_channel();
    let tools = [
        ("execute", false),
        ("read_file", true),
        ("propose_plan", false),
        ("panics", false),
    ];
    let tools = tools.map(|(name, repeatable)| -> Arc<dyn Tool> {
        Arc::new(TestTool {
            name,
            repeatable,
            calls: calls.clone(),
        })
    });
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move { hub.run(stop).await }
    });
    World {
        db,
        owner,
        organization,
        machine,
        model: Uuid::new_v4(),
        asked,
        called,
        script: Arc::new(Script {
            asked: asked_by,
            summary: parking_lot::Mutex::default(),
            summarized: parking_lot::Mutex::default(),
            context_limit,
        }),
        tools: Arc::new(Tools {
            own: tools.to_vec(),
            standard: None,
        }),
        stop: vec![stop],
    }
}

impl World {
    fn parts(&self, machine: Machine) -> Parts {
        Parts {
            machine,
            models: self.script.clone(),
            toolbox: self.tools.clone(),
            policy: Policy::default(),
            url: String::new(),
        }
    }

    /// Starts a worker in this process.
    pub async fn start_worker(&mut self) -> CancellationToken {
        let stop = CancellationToken::new();
        let parts = self.parts(self.machine.clone());
        tokio::spawn(chat::worker::run(parts, Neighbours::Possible, stop.clone()));
        self.stop.push(stop.clone());
        stop
    }

    /// Gives chats one more tool; before a worker starts.
    pub fn add_tool(&mut self, tool: Arc<dyn Tool>) {
        let mut own = self.tools.own.clone();
        own.push(tool);
        self.tools = Arc::new(Tools {
            own,
            standard: None,
        });
    }

    /// Summaries are asked for and never come.
    pub fn no_summary(&self) {
        self.summary(NEVER);
    }

    /// All that the model of summaries was given so far, each as text.
    pub fn summarized(&self) -> Vec<String> {
        let all = self.script.summarized.lock();
        all.iter()
            .map(|asked| format!("{:?}", asked.messages))
            .collect()
    }

    pub fn summary(&self, text: &str) {
        *self.script.summary.lock() = Some(text.to_owned());
    }

    pub fn message(&self, text: &str) -> UserMessage {
        UserMessage {
            content: vec![ChatMessagePart::text(text)],
            model_config_id: self.model,
            reasoning_effort: None,
            created_by: self.owner.id,
        }
    }

    pub async fn create(&self, text: &str) -> Uuid {
        self.create_with(text, |_| {}).await
    }

    pub async fn create_with(&self, text: &str, change: impl FnOnce(&mut NewChat)) -> Uuid {
        let mut new = NewChat {
            id: Uuid::new_v4(),
            owner_id: self.owner.id,
            organization_id: self.organization,
            workspace_id: None,
            family: None,
            title: "a title of its own".into(),
            model_config_id: self.model,
            reasoning_effort: None,
            mode: None,
            plan_mode: String::new(),
            client_type: "api".into(),
            mcp_server_ids: Vec::new(),
            labels: Default::default(),
            dynamic_tools: Vec::new(),
            inline_mcp_servers: Vec::new(),
        };
        change(&mut new);
        let first = FirstMessage {
            system: vec![chat::prompt::Instruction::new("deployment", "be good")],
            message: self.message(text),
        };
        let made = self
            .machine
            .create(&self.owner.who, &new, &first)
            .await
            .unwrap();
        assert_eq!(
            (made.chat.snapshot_version, made.chat.history_version),
            (1, 1)
        );
        new.id
    }

    pub async fn send(&self, chat: Uuid, text: &str, interrupt: bool) {
        let op = Op::Send(self.message(text), interrupt);
        self.machine
            .apply(&self.owner.who, chat, vec![op])
            .await
            .unwrap();
    }

    pub async fn apply(
        &self,
        chat: Uuid,
        op: Op,
    ) -> Result<chat::machine::Outcome, chat::machine::MachineError> {
        self.machine.apply(&self.owner.who, chat, vec![op]).await
    }

    pub async fn asked(&mut self) -> Asked {
        let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        asked.expect("the model to be asked").unwrap()
    }

    pub async fn called(&mut self) -> Called {
        let called = tokio::time::timeout(PATIENCE, self.called.recv()).await;
        called.expect("a tool to be called").unwrap()
    }

    pub async fn row(&self, chat: Uuid) -> ChatRow {
        let who = Subject::system(System::Chats);
        self.db
            .conn()
            .await
            .unwrap()
            .chat_read(&who, chat)
            .await
            .unwrap()
    }

    /// Waits until the chat has a status and nobody works on it any more, if it rests.
    pub async fn until(&self, chat: Uuid, status: ChatStatus) -> ChatRow {
        let wait = async {
            loop {
                let row = self.row(chat).await;
                if row.status == status {
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let row = tokio::time::timeout(PATIENCE, wait).await;
        match row {
            Ok(row) => row,
            Err(elapsed) => panic!("{elapsed}: not {status}: {:?}", self.row(chat).await),
        }
    }

    pub async fn messages(&self, chat: Uuid) -> Vec<ChatMessageRow> {
        let range = MessageRange {
            ascending: true,
            limit: 1000,
            ..Default::default()
        };
        self.db
            .conn()
            .await
            .unwrap()
            .chat_messages(chat, range)
            .await
            .unwrap()
    }

    /// What people see, in short: `user: hi`, `assistant: hello`.
    pub async fn said(&self, chat: Uuid) -> Vec<String> {
        let rows = self.messages(chat).await;
        rows.iter()
            .flat_map(|m| m.content.iter().map(|part| (m.role.clone(), part)))
            .map(|(role, part)| match (&role, &part.text) {
                (_, Some(text)) => format!("{role}: {text}"),
                (ChatMessageRole::Tool, _) => format!(
                    "tool {}{}",
                    part.tool_call_id,
                    if part.is_error { " failed" } else { "" }
                ),
                _ => format!("{role} calls {}", part.tool_name),
            })
            .collect()
    }
}
