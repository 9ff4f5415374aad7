//! A database, workers, and a model whose every word the test says.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessageRole, ChatStatus};
use authz::{Policy, Subject, System};
use chat::live::Hub;
use chat::machine::{FirstMessage, Machine, Op, UserMessage};
use chat::models::{Call, ModelChoice, ModelInfo, Models, Purpose};
use chat::tools::agent::{AgentFacts, AgentStatus, Binding, Connector, SelectError};
use chat::tools::workspaces::Workspaces;
use chat::tools::{Tool, ToolAnswer, ToolContext, Toolbox};
use chat::worker::{Neighbours, Parts};
use client::agent_api::AgentApi;
use futures::future::BoxFuture;
use llm::{Answer, Error, ErrorKind, Event, EventStream, FinishReason, Request, ToolCall, Usage};
use serde_json::{Map, Value, json};
use store::chats::{ChatMessageRow, ChatRow, MessageRange, NewChat};
use testkit::{TestDb, TestUser};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::TestAgent;
use crate::no_house::NoHouse;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The model of helpers that only look.
pub const EXPLORER: Uuid = Uuid::from_u128(7);

/// A call of the model that the test answers.
pub struct Asked {
    pub request: Request,
    pub call: Call,
    pub reply: mpsc::UnboundedSender<Result<Event, Error>>,
}

impl Asked {
    pub fn event(&self, event: Event) {
        let _ = self.reply.send(Ok(event));
    }

    pub fn text(&self, text: &str) {
        self.event(Event::TextDelta { text: text.into() });
    }

    pub fn finish(self) {
        self.event(Event::Usage(Usage {
            input_tokens: 10,
            output_tokens: 5,
            ..Usage::default()
        }));
        self.event(Event::Finish {
            reason: FinishReason::Stop,
            provider_response_id: String::new(),
        });
    }

    pub fn say(self, text: &str) {
        self.text(text);
        self.finish();
    }

    pub fn tools(self, calls: &[(&str, &str, Value)]) {
        for (id, name, args) in calls {
            self.event(Event::ToolCallEnd(ToolCall {
                id: (*id).into(),
                name: (*name).into(),
                args: args.to_string(),
                provider_executed: false,
                metadata: llm::Metadata::default(),
            }));
        }
        self.finish();
    }

    pub fn fail(self, error: Error) {
        let _ = self.reply.send(Err(error));
    }

    /// The tools that the model may call.
    pub fn tool_names(&self) -> Vec<String> {
        self.request
            .tools
            .iter()
            .map(|tool| tool.name.clone())
            .collect()
    }

    /// All that the model was told, as text.
    pub fn told(&self) -> String {
        let messages = self.request.messages.iter();
        messages.flat_map(llm::Message::texts).collect()
    }

    /// The last thing the model was told, as text.
    pub fn last_text(&self) -> String {
        let last = self.request.messages.last().expect("a message");
        last.texts().collect::<Vec<_>>().join("\n")
    }
}

/// A summary that is waited for in vain.
const NEVER: &str = "never";

struct Script {
    asked: mpsc::UnboundedSender<Asked>,
    summary: parking_lot::Mutex<Option<String>>,
    /// What was to be summarized.
    summarized: parking_lot::Mutex<Vec<Request>>,
    context_limit: i64,
}

impl Models for Script {
    fn model<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
        id: Uuid,
    ) -> BoxFuture<'a, Result<ModelInfo, Error>> {
        Box::pin(async move {
            if id.is_nil() {
                return Err(Error::new(ErrorKind::Config, "no such model"));
            }
            Ok(ModelInfo {
                id,
                organization_id: Uuid::nil(),
                provider_id: Uuid::nil(),
                provider: "openai".into(),
                model: "scripted".into(),
                display_name: "Scripted".into(),
                context_limit: self.context_limit,
                compression_threshold: 70,
                options: llm::CallOptions::default(),
            })
        })
    }

    fn list<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
    ) -> BoxFuture<'a, Result<Vec<ModelChoice>, Error>> {
        Box::pin(async {
            Ok(vec![ModelChoice {
                model_config_id: EXPLORER,
                display_name: "Explorer".into(),
                model: "scripted".into(),
                provider: "openai".into(),
                context_limit: self.context_limit,
                is_default: false,
                reasoning_efforts: vec!["low".into(), "high".into()],
            }])
        })
    }

    fn default_model<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
    ) -> BoxFuture<'a, Result<Option<ModelInfo>, Error>> {
        Box::pin(async { Ok(None) })
    }

    fn helper_model<'a>(
        &'a self,
        owner: &'a Subject,
        _: Uuid,
        explores: bool,
    ) -> BoxFuture<'a, Result<Option<(ModelInfo, Option<String>)>, Error>> {
        Box::pin(async move {
            if !explores {
                return Ok(None);
            }
            let model = self.model(owner, Uuid::nil(), EXPLORER);
            Ok(Some((model.await?, Some("low".to_owned()))))
        })
    }

    fn stream(&self, call: Call, request: Request, _: CancellationToken) -> EventStream {
        let (reply, events) = mpsc::unbounded_channel();
        let _ = self.asked.send(Asked {
            request,
            call,
            reply,
        });
        Box::pin(futures::stream::unfold(events, |mut events| async {
            Some((events.recv().await?, events))
        }))
    }

    fn complete(
        &self,
        call: Call,
        request: Request,
        _: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        let text = match call.purpose {
            Purpose::Compaction => {
                self.summarized.lock().push(request);
                self.summary.lock().clone()
            }
            _ => None,
        };
        Box::pin(async move {
            if text.as_deref() == Some(NEVER) {
                return std::future::pending().await;
            }
            let text = text.ok_or_else(|| Error::new(ErrorKind::Generic, "not scripted"))?;
            Ok(Answer {
                parts: vec![llm::Part::text(text)],
                usage: Usage::default(),
                reason: FinishReason::Stop,
                provider_response_id: String::new(),
            })
        })
    }

    fn price(&self, _: &ModelInfo, usage: &Usage) -> Option<i64> {
        Some((usage.total() * 2) as i64)
    }
}

/// A call of a tool that the test answers.
pub struct Called {
    pub name: String,
    pub args: Map<String, Value>,
    pub who: Subject,
    pub reply: tokio::sync::oneshot::Sender<ToolAnswer>,
}

struct TestTool {
    name: &'static str,
    repeatable: bool,
    calls: mpsc::UnboundedSender<Called>,
}

impl Tool for TestTool {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(self.name, "a tool", json!({ "type": "object" }))
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn ends_turn(&self) -> bool {
        self.name == "propose_plan"
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let called = Called {
            name: self.name.into(),
            args,
            who: context.who.clone(),
            reply,
        };
        Box::pin(async move {
            assert!(self.name != "panics", "as it is called");
            let _ = self.calls.send(called);
            answer
                .await
                .unwrap_or_else(|_| ToolAnswer::error("no answer"))
        })
    }
}

struct Tools {
    own: Vec<Arc<dyn Tool>>,
    /// Those of every server, in a workspace with this agent.
    standard: Option<SocketAddr>,
}

impl Toolbox for Tools {
    fn tools(&self, chat: &ChatRow) -> Vec<Arc<dyn Tool>> {
        match self.standard {
            Some(_) => chat::tools::standard(chat, true),
            None => self.own.clone(),
        }
    }

    fn connector(&self, _: &ChatRow, _: &Subject) -> Arc<dyn Connector<AgentApi>> {
        Arc::new(Place(self.standard))
    }

    fn workspaces(&self, _: &ChatRow) -> Arc<dyn Workspaces> {
        Arc::new(NoHouse)
    }
}

/// Where every chat works: nowhere, or at an agent.
struct Place(Option<SocketAddr>);

impl Place {
    fn facts(&self) -> Option<AgentFacts> {
        self.0.map(|_| AgentFacts {
            id: Uuid::from_u128(1),
            build: Uuid::from_u128(2),
            name: "main".into(),
            is_child: false,
            display_order: 0,
            status: AgentStatus::Connected,
            was_connected: true,
            disconnected_at: None,
        })
    }
}

impl Connector<AgentApi> for Place {
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>> {
        let binding = self.0.map(|_| Binding {
            workspace: Uuid::from_u128(3),
            agent: None,
        });
        Box::pin(async move { Ok(binding) })
    }

    fn agent(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>> {
        Box::pin(async { self.facts().ok_or_else(|| "none".to_owned()) })
    }

    fn latest(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>> {
        Box::pin(async { self.facts().ok_or(SelectError::NoAgent) })
    }

    fn is_external(&self, _: Uuid) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async { Ok(false) })
    }

    fn bind<'a>(&'a self, _: Uuid, _: &'a AgentFacts) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async { Ok(self.0.is_some()) })
    }

    fn dial(&self, _: Uuid) -> BoxFuture<'static, Result<AgentApi, String>> {
        let address = self.0;
        Box::pin(async move {
            let address = address.ok_or_else(|| "none".to_owned())?;
            Ok(AgentApi::new(move || {
                tokio::net::TcpStream::connect(address)
            }))
        })
    }

    fn lifecycle(&self, _: Uuid) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok("ready".to_owned()) })
    }

    fn used(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

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

    /// Starts a worker as another replica has it; the task can be aborted, as a crash does.
    /// Everything that the replica does ends with it.
    pub fn start_replica(&self, neighbours: Neighbours) -> Replica {
        let url = self.db.url.clone();
        let (script, tools) = (self.script.clone(), self.tools.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let killed = Arc::new(tokio::sync::Notify::new());
            let _ = ready.send(killed.clone());
            runtime.block_on(async move {
                let store = store::Store::connect(&url, 4).unwrap();
                let hub = Hub::new(store.clone());
                tokio::spawn({
                    let hub = hub.clone();
                    async move { hub.run(CancellationToken::new()).await }
                });
                let parts = Parts {
                    machine: Machine::new(store, hub),
                    models: script,
                    toolbox: tools,
                    policy: Policy::default(),
                    url: String::new(),
                };
                let work = chat::worker::run(parts, neighbours, CancellationToken::new());
                tokio::select! {
                    () = work => {}
                    () = killed.notified() => {}
                }
            });
            // Nothing says goodbye: tasks and connections end where they stand.
            runtime.shutdown_background();
        });
        Replica {
            killed: is_ready.recv().unwrap(),
            thread: Some(thread),
        }
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

/// A worker in a thread of its own.
pub struct Replica {
    killed: Arc<tokio::sync::Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Replica {
    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.killed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
