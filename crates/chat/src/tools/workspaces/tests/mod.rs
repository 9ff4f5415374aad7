//! Workspaces of chats, case by case. The numbers are those of the table of cases that people were
//! promised; 1 to 29 are beside `agent::connect`, 30 to 32 and 41 where the rules are.

mod making;
mod rows;
mod running;
mod templates;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api_types::{
    JobErrorCode, ProvisionerJob, ProvisionerJobStatus as Status, WorkspaceTransition as Transition,
};
use parking_lot::Mutex as Lock;
use tokio::time::Instant;

use super::*;
use crate::tools::agent::{
    AgentFacts, AgentStatus, Binding, Connector, EXTERNAL_NEVER, SelectError,
};

/// A house in which everything goes as the test says.
struct House {
    bound: Lock<Option<Bound>>,
    /// How builds stand at each look; the last stays.
    builds: Lock<VecDeque<ProvisionerJob>>,
    refusals: Lock<VecDeque<Refusal>>,
    created: Lock<Vec<CreateWorkspaceRequest>>,
    started: AtomicUsize,
    stopped: AtomicUsize,
    shown: Lock<Vec<Uuid>>,
    agent: Lock<Result<AgentFacts, SelectError>>,
    external: bool,
    /// Attempts to reach the agent that fail before one works; each takes no time.
    failures: AtomicUsize,
    dials: AtomicUsize,
    /// The agent's lifecycle at each look; the last stays.
    lifecycle: Lock<VecDeque<&'static str>>,
}

const BUILD: Uuid = Uuid::from_u128(77);
const NEVER: usize = usize::MAX;

fn job(status: Status) -> ProvisionerJob {
    ProvisionerJob {
        status,
        ..ProvisionerJob::default()
    }
}

fn agent(status: AgentStatus) -> AgentFacts {
    AgentFacts {
        id: Uuid::from_u128(5),
        build: BUILD,
        name: "main".into(),
        is_child: false,
        display_order: 0,
        status,
        was_connected: matches!(status, AgentStatus::Connected | AgentStatus::Disconnected),
        disconnected_at: None,
    }
}

fn workspace(transition: Transition, status: Status) -> Workspace {
    Workspace {
        id: Uuid::from_u128(3),
        name: "dev".into(),
        owner_name: "ann".into(),
        latest_build: WorkspaceBuild {
            id: BUILD,
            transition,
            job: job(status),
            ..WorkspaceBuild::default()
        },
        ..Workspace::default()
    }
}

/// Builds succeed at once, and agents are ready.
fn house() -> House {
    House {
        bound: Lock::default(),
        builds: Lock::new([job(Status::Succeeded)].into()),
        refusals: Lock::default(),
        created: Lock::default(),
        started: AtomicUsize::new(0),
        stopped: AtomicUsize::new(0),
        shown: Lock::default(),
        agent: Lock::new(Ok(agent(AgentStatus::Connecting))),
        external: false,
        failures: AtomicUsize::new(0),
        dials: AtomicUsize::new(0),
        lifecycle: Lock::new(["ready"].into()),
    }
}

fn front<T: Clone>(queue: &Lock<VecDeque<T>>) -> T {
    let mut queue = queue.lock();
    match queue.len() {
        1 => queue[0].clone(),
        _ => queue.pop_front().unwrap(),
    }
}

impl House {
    fn has(self, transition: Transition, status: Status) -> Self {
        *self.bound.lock() = Some(Bound {
            workspace: workspace(transition, status),
            deleted: false,
        });
        self
    }

    fn agent_is(self, status: AgentStatus) -> Self {
        *self.agent.lock() = Ok(agent(status));
        self
    }

    fn unreachable(mut self, external: bool) -> Self {
        self.external = external;
        self.failures = AtomicUsize::new(NEVER);
        self
    }

    fn lifecycle(self, states: &[&'static str]) -> Self {
        *self.lifecycle.lock() = states.iter().copied().collect();
        self
    }

    async fn create(&self, args: Value) -> Value {
        let done = create::create(self, self, &Args(args.as_object().unwrap().clone())).await;
        done.unwrap_or_else(|failed| json!({ "failed": failed.0 }))
    }

    async fn create_any(&self) -> Value {
        self.create(json!({ "template_id": Uuid::nil() })).await
    }

    async fn start(&self) -> Value {
        let done = start::start(self, self, &Args(Map::new())).await;
        done.unwrap_or_else(|failed| json!({ "failed": failed.0 }))
    }

    async fn stop(&self) -> Value {
        let done = stop::stop(self).await;
        done.unwrap_or_else(|failed| json!({ "failed": failed.0 }))
    }

    async fn ready(&self, reach: bool) -> Value {
        let agent = self.agent.lock().clone().unwrap();
        Value::from(super::agent::ready(self, Uuid::nil(), &agent, reach).await)
    }

    fn dials(&self) -> usize {
        self.dials.load(Ordering::SeqCst)
    }

    fn refused(&self) -> Result<(), Refusal> {
        self.refusals.lock().pop_front().map_or(Ok(()), Err)
    }
}

impl Workspaces for House {
    fn templates(&self) -> BoxFuture<'_, Result<Vec<(Template, TemplateUsage)>, String>> {
        let template = |n: u128| Template {
            id: Uuid::from_u128(n),
            name: format!("t{n}"),
            description: "x".repeat(300),
            ..Template::default()
        };
        let all = (1..=12).map(|n| (template(n), TemplateUsage::default()));
        Box::pin(std::future::ready(Ok(all.collect())))
    }

    fn readmes(&self, ids: Vec<Uuid>) -> BoxFuture<'_, Result<HashMap<Uuid, String>, String>> {
        assert!(ids.len() <= 10);
        let all = ids
            .into_iter()
            .map(|id| (id, "---\na: b\n---\n# Hi".into()));
        Box::pin(std::future::ready(Ok(all.collect())))
    }

    fn template(&self, _: Uuid) -> BoxFuture<'_, Result<TemplateDetails, String>> {
        Box::pin(std::future::ready(Ok(TemplateDetails {
            template: Template::default(),
            readme: "r".repeat(9000),
            parameters: vec![TemplateVersionParameter {
                name: "region".into(),
                mutable: true,
                ..TemplateVersionParameter::default()
            }],
            presets: vec![Preset {
                name: "small".into(),
                ..Preset::default()
            }],
        })))
    }

    fn admitted(&self, id: Uuid) -> BoxFuture<'_, Result<Template, String>> {
        let answer = if id.is_nil() {
            Ok(Template {
                name: "docker".into(),
                ..Template::default()
            })
        } else {
            Err("not this one".to_owned())
        };
        Box::pin(std::future::ready(answer))
    }

    fn workspace(&self) -> BoxFuture<'_, Result<Option<Bound>, String>> {
        let bound = self.bound.lock().clone();
        Box::pin(std::future::ready(Ok(bound)))
    }

    fn build(&self, id: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, String>> {
        assert_eq!(id, BUILD);
        let job = front(&self.builds);
        if let Some(bound) = &mut *self.bound.lock() {
            bound.workspace.latest_build.job = job.clone();
        }
        let build = WorkspaceBuild {
            id,
            job,
            ..WorkspaceBuild::default()
        };
        Box::pin(std::future::ready(Ok(build)))
    }

    fn create(&self, new: CreateWorkspaceRequest) -> BoxFuture<'_, Result<Workspace, Refusal>> {
        let answer = self.refused().map(|()| Workspace {
            name: new.name.clone(),
            ..workspace(Transition::Start, Status::Pending)
        });
        self.created.lock().push(new);
        Box::pin(std::future::ready(answer))
    }

    fn start(
        &self,
        _: Uuid,
        _: Vec<WorkspaceBuildParameter>,
    ) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let build = workspace(Transition::Start, Status::Pending).latest_build;
        let version = Uuid::from_u128(2);
        let build = WorkspaceBuild {
            template_version_id: version,
            ..build
        };
        Box::pin(std::future::ready(self.refused().map(|()| build)))
    }

    fn stop(&self, _: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        self.stopped.fetch_add(1, Ordering::SeqCst);
        let build = workspace(Transition::Stop, Status::Pending).latest_build;
        Box::pin(std::future::ready(self.refused().map(|()| build)))
    }

    fn bind(&self, _: Uuid, build: Uuid) -> BoxFuture<'_, Result<(), String>> {
        self.shown.lock().push(build);
        Box::pin(std::future::ready(Ok(())))
    }

    fn quota(&self) -> BoxFuture<'_, Option<WorkspaceQuota>> {
        Box::pin(std::future::ready(Some(WorkspaceQuota {
            credits_consumed: 9,
            budget: 10,
        })))
    }
}

impl Connector<()> for House {
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn agent(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>> {
        Box::pin(std::future::ready(Err("not asked".to_owned())))
    }

    fn latest(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>> {
        Box::pin(std::future::ready(self.agent.lock().clone()))
    }

    fn is_external(&self, _: Uuid) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(self.external)))
    }

    fn bind<'a>(&'a self, _: Uuid, _: &'a AgentFacts) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(true)))
    }

    fn dial(&self, _: Uuid) -> BoxFuture<'static, Result<(), String>> {
        let n = self.dials.fetch_add(1, Ordering::SeqCst);
        let works = n >= self.failures.load(Ordering::SeqCst);
        let answer = if works {
            Ok(())
        } else {
            Err(format!("dial {n}"))
        };
        Box::pin(std::future::ready(answer))
    }

    fn lifecycle(&self, _: Uuid) -> BoxFuture<'_, Result<String, String>> {
        let state = front(&self.lifecycle).to_owned();
        Box::pin(std::future::ready(Ok(state)))
    }

    fn used(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
