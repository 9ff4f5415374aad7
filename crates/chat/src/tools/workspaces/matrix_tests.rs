//! Workspaces of chats, case by case. The numbers are those of the table of cases that people were
//! promised; 1 to 29 are beside `agent::connect`, 30 to 32 and 41 where the rules are.

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

#[tokio::test(start_paused = true)]
async fn row_33_an_agent_that_is_reached_and_ready_adds_nothing() {
    let house = house();
    assert_eq!(house.ready(true).await, json!({}));
    assert_eq!(house.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn row_34_an_agent_that_is_never_reached_gives_its_last_error() {
    let house = house().unreachable(false);
    let began = Instant::now();
    assert_eq!(
        house.ready(true).await,
        json!({ "agent_status": "not_ready", "agent_error": "dial 59" }),
        "two minutes, an attempt every two seconds"
    );
    assert_eq!(began.elapsed(), Duration::from_mins(2));
}

#[tokio::test(start_paused = true)]
async fn row_35_an_external_agent_that_is_never_reached_gives_the_way_out() {
    let house = house().unreachable(true);
    assert_eq!(
        house.ready(true).await,
        json!({ "agent_status": "not_ready", "agent_error": EXTERNAL_NEVER })
    );
}

#[tokio::test(start_paused = true)]
async fn row_36_an_external_agent_reached_at_the_second_attempt() {
    let mut house = house().lifecycle(&["starting", "starting", "ready"]);
    house.external = true;
    house.failures = AtomicUsize::new(1);
    assert_eq!(house.ready(true).await, json!({}));
    assert_eq!(house.dials(), 2);
    assert_eq!(
        house.lifecycle.lock().len(),
        1,
        "start scripts were waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn row_37_start_scripts_that_failed_are_told() {
    let house = house().lifecycle(&["starting", "start_error"]);
    assert_eq!(
        house.ready(true).await,
        json!({ "startup_scripts": "startup_scripts_failed", "lifecycle_state": "start_error" })
    );
    let house = super::tests::house().lifecycle(&["starting"]);
    assert_eq!(
        house.ready(true).await,
        json!({ "startup_scripts": "startup_scripts_timeout" })
    );
}

#[tokio::test(start_paused = true)]
async fn row_38_an_agent_known_to_be_there_is_not_dialled() {
    let house = house();
    assert_eq!(house.ready(false).await, json!({}));
    assert_eq!(house.dials(), 0);
}

#[tokio::test(start_paused = true)]
async fn row_39_a_build_under_way_is_waited_for() {
    let house = house().has(Transition::Start, Status::Running);
    *house.builds.lock() = [job(Status::Running), job(Status::Succeeded)].into();
    let answer = house.create_any().await;
    assert_eq!(answer["status"], "already_exists");
    assert_eq!(
        (&answer["created"], &answer["build_id"]),
        (&json!(false), &json!(BUILD))
    );
    assert_eq!(*house.shown.lock(), [BUILD]);
    assert!(house.created.lock().is_empty());
    // It failed: an answer that names the build.
    let house = super::tests::house().has(Transition::Start, Status::Running);
    *house.builds.lock() = [job(Status::Failed)].into();
    let answer = house.create_any().await;
    assert!(
        answer["error"].is_string() && answer["build_id"] == json!(BUILD),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn row_40_what_becomes_of_the_workspace_that_is_there() {
    let running = |status| {
        house()
            .has(Transition::Start, Status::Succeeded)
            .agent_is(status)
    };
    // Connected: not even dialled, but its start scripts are waited for.
    let house = running(AgentStatus::Connected).lifecycle(&["starting", "ready"]);
    assert_eq!(house.create_any().await["status"], "already_exists");
    assert_eq!((house.dials(), house.lifecycle.lock().len()), (0, 1));
    // Connecting: waited for.
    let house = running(AgentStatus::Connecting);
    assert_eq!(house.create_any().await["status"], "already_exists");
    assert_eq!(house.dials(), 1);
    // Offline: another one, and said so.
    for status in [AgentStatus::Disconnected, AgentStatus::Timeout] {
        let house = running(status);
        let answer = house.create_any().await;
        assert_eq!(
            (&answer["created"], &answer["replaced_workspace"]),
            (&json!(true), &json!("dev"))
        );
    }
    // Stopped: the way is told.
    let house = super::tests::house().has(Transition::Stop, Status::Succeeded);
    let answer = house.create_any().await;
    assert_eq!(answer["status"], "stopped");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("start_workspace")
    );
    assert!(house.created.lock().is_empty());
    // Deleted, or its last build failed: another one.
    let house = super::tests::house().has(Transition::Start, Status::Succeeded);
    house.bound.lock().as_mut().unwrap().deleted = true;
    assert_eq!(house.create_any().await["created"], true);
    let house = super::tests::house().has(Transition::Start, Status::Failed);
    assert_eq!(house.create_any().await["created"], true);
    // No agent, or it is not clear which.
    let house = super::tests::house().has(Transition::Start, Status::Succeeded);
    *house.agent.lock() = Err(SelectError::Other("two".into()));
    let answer = house.create_any().await;
    assert_eq!(answer["agent_status"], "selection_error");
}

#[tokio::test(start_paused = true)]
async fn a_workspace_is_made_and_named() {
    let house = house();
    let args = json!({
        "template_id": Uuid::nil(), "name": "My Work", "preset_id": Uuid::from_u128(9),
        "parameters": { "region": "eu", "cpus": 4 },
    });
    let answer = house.create(args).await;
    assert_eq!(answer["created"], true);
    assert!(
        answer["workspace_name"]
            .as_str()
            .unwrap()
            .starts_with("ann/my-work-")
    );
    assert!(answer.get("agent_status").is_none() && answer["build_id"] == json!(BUILD));
    let new = house.created.lock()[0].clone();
    assert_eq!(new.template_version_preset_id, Some(Uuid::from_u128(9)));
    let values: Vec<_> = new
        .rich_parameter_values
        .iter()
        .map(|v| (&*v.name, &*v.value))
        .collect();
    assert_eq!(values, [("cpus", "4"), ("region", "eu")]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_tried_once_more_with_another() {
    let house = house();
    let taken = Refusal {
        message: "Workspace \"dev\" already exists.".into(),
        name_taken: true,
        ..Refusal::default()
    };
    house.refusals.lock().push_back(taken.clone());
    let args = json!({ "template_id": Uuid::nil(), "name": "dev" });
    assert_eq!(house.create(args.clone()).await["created"], true);
    let names: Vec<String> = house
        .created
        .lock()
        .iter()
        .map(|n| n.name.clone())
        .collect();
    assert!(
        names[0] == "dev" && names[1].starts_with("dev-"),
        "{names:?}"
    );
    // Not for ever.
    house.refusals.lock().extend([taken.clone(), taken]);
    assert!(house.create(args).await["error"].is_string());
    assert_eq!(house.created.lock().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_and_nothing_is_made() {
    let house = house();
    for args in [
        json!({}),
        json!({ "template_id": "docker" }),
        json!({ "template_id": 7 }),
        json!({ "template_id": Uuid::nil(), "preset_id": "x" }),
        json!({ "template_id": Uuid::nil(), "parameters": [] }),
        json!({ "template_id": Uuid::nil(), "parameters": { "a": null } }),
        json!({ "template_id": Uuid::from_u128(1) }),
    ] {
        let answer = house.create(args.clone()).await;
        assert!(answer["failed"].is_string(), "{args} {answer}");
    }
    assert!(house.created.lock().is_empty());
    let refusal = Refusal {
        message: "no".into(),
        detail: "why".into(),
        validations: vec![ValidationError {
            field: "region".into(),
            detail: "required".into(),
        }],
        name_taken: false,
    };
    house.refusals.lock().push_back(refusal);
    let answer = house.create_any().await;
    assert_eq!(
        answer,
        json!({ "error": "no", "detail": "why",
                "validations": [{ "field": "region", "detail": "required" }] })
    );
}

#[tokio::test(start_paused = true)]
async fn builds_that_fail_are_answers_with_their_build() {
    let house = house();
    let full = ProvisionerJob {
        error: "insufficient quota".into(),
        error_code: JobErrorCode::INSUFFICIENTQUOTA,
        ..job(Status::Failed)
    };
    *house.builds.lock() = [full].into();
    let answer = house.create_any().await;
    assert_eq!(answer["error_code"], "INSUFFICIENT_QUOTA");
    assert_eq!(
        answer["quota"],
        json!({ "credits_consumed": 9, "budget": 10 })
    );
    assert!(answer["title"].is_string() && answer["message"].as_str().unwrap().contains("create"));
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("insufficient quota")
    );
    assert_eq!(answer["build_id"], json!(BUILD));
    // Canceled, and one that never ends.
    *house.builds.lock() = [job(Status::Canceled)].into();
    assert!(
        house.create_any().await["error"]
            .as_str()
            .unwrap()
            .contains("canceled")
    );
    *house.builds.lock() = [job(Status::Pending)].into();
    let began = Instant::now();
    let answer = house.create_any().await;
    assert!(
        answer["error"].as_str().unwrap().contains("10 minutes"),
        "{answer}"
    );
    assert_eq!(began.elapsed(), Duration::from_mins(10));
}

#[tokio::test(start_paused = true)]
async fn starting() {
    let said = |answer: &Value, word: &str| answer["failed"].as_str().unwrap().contains(word);
    let answer = house().start().await;
    assert!(said(&answer, "create_workspace"), "{answer}");
    let house = house().has(Transition::Delete, Status::Succeeded);
    house.bound.lock().as_mut().unwrap().deleted = true;
    assert!(said(&house.start().await, "deleted"));
    assert!(said(&house.stop().await, "deleted"));
    // It runs.
    let house = super::tests::house().has(Transition::Start, Status::Succeeded);
    let answer = house.start().await;
    assert_eq!(
        answer,
        json!({ "started": true, "workspace_name": "dev", "no_build": true })
    );
    // It is stopped; the template had a newer version that it demands.
    let house = super::tests::house().has(Transition::Stop, Status::Succeeded);
    let answer = house.start().await;
    assert_eq!(
        (&answer["started"], &answer["build_id"]),
        (&json!(true), &json!(BUILD))
    );
    assert_eq!(answer["updated_to_active_version"], true);
    // Its last build failed: another try.
    let house = super::tests::house().has(Transition::Start, Status::Failed);
    assert_eq!(house.start().await["started"], true);
    assert_eq!(house.started.load(Ordering::SeqCst), 1);
    // It is being stopped: it is started after that.
    let house = super::tests::house().has(Transition::Stop, Status::Running);
    assert_eq!(house.start().await["started"], true);
    assert_eq!(house.started.load(Ordering::SeqCst), 1);
    // It is being started already.
    let house = super::tests::house().has(Transition::Start, Status::Running);
    assert_eq!(house.start().await["build_id"], json!(BUILD));
    assert_eq!(house.started.load(Ordering::SeqCst), 0);
    // It needs values: where they are read is told.
    let house = super::tests::house().has(Transition::Stop, Status::Succeeded);
    house.refusals.lock().push_back(Refusal {
        validations: vec![ValidationError::default()],
        ..Refusal::default()
    });
    assert!(house.start().await["template_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn stopping() {
    assert!(house().stop().await["failed"].is_string());
    let house = house().has(Transition::Start, Status::Succeeded);
    assert_eq!(
        house.stop().await,
        json!({ "stopped": true, "workspace_name": "dev", "build_id": BUILD })
    );
    let house = super::tests::house().has(Transition::Stop, Status::Succeeded);
    assert_eq!(
        house.stop().await,
        json!({ "stopped": true, "workspace_name": "dev", "no_build": true })
    );
    assert_eq!(house.stopped.load(Ordering::SeqCst), 0);
    // A start under way is waited for first.
    let house = super::tests::house().has(Transition::Start, Status::Running);
    assert_eq!(house.stop().await["stopped"], true);
    assert_eq!(house.stopped.load(Ordering::SeqCst), 1);
    let house = super::tests::house().has(Transition::Start, Status::Succeeded);
    *house.builds.lock() = [job(Status::Failed)].into();
    let answer = house.stop().await;
    assert!(answer["error"].is_string() && answer["build_id"] == json!(BUILD));
}

#[tokio::test]
async fn templates_come_in_pages_with_what_to_do_next() {
    let house = house();
    let list = async |args: Value| {
        let args = Args(args.as_object().unwrap().clone());
        list::list(&house, &args).await.unwrap()
    };
    let first = list(json!({})).await;
    assert_eq!(first["templates"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&first["page"], &first["next_page"]),
        (&json!(1), &json!(2))
    );
    assert!(first.get("recommended_template_id").is_none());
    assert!(first["next_step"].as_str().unwrap().contains("Ask"));
    let item = &first["templates"][0];
    assert_eq!(item["readme_excerpt"], "# Hi");
    assert_eq!(item["description"].as_str().unwrap().len(), 200);
    let second = list(json!({ "page": 2 })).await;
    assert_eq!(second["templates"].as_array().unwrap().len(), 2);
    assert!(second.get("next_page").is_none());
    let beyond = list(json!({ "page": u64::MAX })).await;
    assert!(beyond["templates"].as_array().unwrap().is_empty());
    assert!(beyond.get("next_page").is_none());
    let one = list(json!({ "query": "t12" })).await;
    assert_eq!(one["recommended_template_id"], json!(Uuid::from_u128(12)));
    let none = list(json!({ "query": "windows" })).await;
    assert!(none["templates"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_template_is_read() {
    let args = json!({ "template_id": Uuid::nil() });
    let answer = read::read(&house(), &Args(args.as_object().unwrap().clone())).await;
    let answer = answer.unwrap();
    assert_eq!(
        answer["template"]["readme"]
            .as_str()
            .unwrap()
            .chars()
            .count(),
        8001
    );
    assert_eq!(
        answer["parameters"][0],
        json!({ "name": "region", "type": "", "required": false, "mutable": true })
    );
    assert_eq!(answer["presets"][0]["parameters"], json!([]));
    assert!(answer["template"].get("display_name").is_none());
}
