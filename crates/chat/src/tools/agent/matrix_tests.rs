//! Reaching a workspace, case by case. The numbers are those of the table of cases that people
//! were promised.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex as Lock;

use super::*;

/// How a dial goes.
#[derive(Debug, Clone, Copy)]
enum Plan {
    Works(u64),
    Fails(u64, &'static str),
    Never,
}

/// A connection that counts its end.
#[derive(Clone)]
struct Conn {
    to: Uuid,
    _held: Arc<Held>,
}

struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct World {
    binding: Lock<Option<Binding>>,
    agents: Lock<HashMap<Uuid, AgentFacts>>,
    latest: Lock<Option<Result<Uuid, SelectError>>>,
    external: Lock<HashMap<Uuid, Result<bool, String>>>,
    plans: Lock<HashMap<Uuid, Vec<Plan>>>,
    dials: Lock<Vec<Uuid>>,
    looks: AtomicUsize,
    released: Arc<AtomicUsize>,
    uses: AtomicUsize,
    bound: Lock<Vec<Uuid>>,
}

impl Connector<Conn> for World {
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>> {
        Box::pin(async { Ok(*self.binding.lock()) })
    }

    fn agent(&self, id: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>> {
        Box::pin(async move {
            self.agents
                .lock()
                .get(&id)
                .cloned()
                .ok_or("gone".to_owned())
        })
    }

    fn latest(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            let latest = self.latest.lock().clone();
            let id = latest.unwrap_or(Err(SelectError::NoAgent))?;
            Ok(self.agents.lock()[&id].clone())
        })
    }

    fn is_external(&self, agent: Uuid) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async move {
            self.external
                .lock()
                .get(&agent)
                .cloned()
                .unwrap_or(Ok(false))
        })
    }

    fn bind<'a>(&'a self, _: Uuid, agent: &'a AgentFacts) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async {
            self.bound.lock().push(agent.id);
            Ok(true)
        })
    }

    fn dial(&self, agent: Uuid) -> BoxFuture<'static, Result<Conn, String>> {
        self.dials.lock().push(agent);
        let plan = {
            let mut plans = self.plans.lock();
            let plans = plans.get_mut(&agent).expect("a plan");
            if plans.len() > 1 {
                plans.remove(0)
            } else {
                plans[0]
            }
        };
        let released = self.released.clone();
        Box::pin(async move {
            let (seconds, result) = match plan {
                Plan::Works(seconds) => (seconds, Ok(())),
                Plan::Fails(seconds, why) => (seconds, Err(why.to_owned())),
                Plan::Never => std::future::pending().await,
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            result.map(|()| Conn {
                to: agent,
                _held: Arc::new(Held(released)),
            })
        })
    }

    fn lifecycle(&self, _: Uuid) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok("ready".to_owned()) })
    }

    fn used(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, ()> {
        self.uses.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }
}

/// A chat bound to agent `a`, which is connected and the latest.
fn world() -> (Arc<World>, Uuid) {
    let world = Arc::new(World::default());
    let a = add(&world, "a", AgentStatus::Connected);
    *world.binding.lock() = Some(Binding {
        workspace: Uuid::new_v4(),
        agent: Some(a),
    });
    *world.latest.lock() = Some(Ok(a));
    (world, a)
}

fn add(world: &World, name: &str, status: AgentStatus) -> Uuid {
    let id = Uuid::new_v4();
    let facts = AgentFacts {
        id,
        build: Uuid::new_v4(),
        name: name.to_owned(),
        is_child: false,
        display_order: 0,
        status,
        was_connected: !matches!(status, AgentStatus::Connecting | AgentStatus::Timeout),
        disconnected_at: None,
    };
    world.agents.lock().insert(id, facts);
    world.plans.lock().insert(id, vec![Plan::Works(0)]);
    id
}

impl World {
    fn plan(&self, agent: Uuid, plans: &[Plan]) {
        self.plans.lock().insert(agent, plans.to_vec());
    }

    fn status(&self, agent: Uuid, status: AgentStatus, away_seconds: i64) {
        let mut agents = self.agents.lock();
        let facts = agents.get_mut(&agent).unwrap();
        facts.status = status;
        facts.was_connected = !matches!(status, AgentStatus::Connecting | AgentStatus::Timeout);
        facts.disconnected_at = (status == AgentStatus::Disconnected)
            .then(|| Utc::now() - TimeDelta::seconds(away_seconds));
    }

    fn make_external(&self, agent: Uuid) {
        self.external.lock().insert(agent, Ok(true));
    }

    fn latest_is(&self, latest: Result<Uuid, SelectError>) {
        *self.latest.lock() = Some(latest);
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn released(&self) -> usize {
        self.released.load(Ordering::SeqCst)
    }
}

fn link(world: &Arc<World>) -> Link<Conn> {
    Link::new(world.clone())
}

async fn error(world: &Arc<World>) -> String {
    link(world).connect().await.map(|_| ()).unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn row_01_a_fast_dial_is_used_without_a_look() {
    let (world, a) = world();
    assert_eq!(link(&world).connect().await.unwrap().to, a);
    assert_eq!((world.looks(), world.bound.lock().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn row_02_a_slow_dial_of_the_right_agent_is_waited_for() {
    let (world, a) = world();
    world.plan(a, &[Plan::Works(20)]);
    assert_eq!(link(&world).connect().await.unwrap().to, a);
    assert_eq!((world.looks(), world.dials.lock().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn row_03_a_slow_dial_without_agents_ends() {
    let (world, a) = world();
    world.plan(a, &[Plan::Never]);
    world.latest_is(Err(SelectError::NoAgent));
    assert_eq!(error(&world).await, NO_AGENT);
}

#[tokio::test(start_paused = true)]
async fn row_04_a_slow_dial_of_an_old_agent_is_switched() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.plan(a, &[Plan::Never]);
    world.latest_is(Ok(b));
    assert_eq!(link(&world).connect().await.unwrap().to, b);
    assert_eq!(*world.bound.lock(), [b]);
}

#[tokio::test(start_paused = true)]
async fn row_05_the_late_success_of_an_abandoned_dial_is_not_kept() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.plan(a, &[Plan::Works(8)]);
    world.latest_is(Ok(b));
    let conn = link(&world).connect().await.unwrap();
    assert_eq!(conn.to, b);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(world.released() <= 1, "the old one is let go at most once");
}

#[tokio::test(start_paused = true)]
async fn row_06_an_abandoned_dial_is_not_waited_for() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.plan(a, &[Plan::Never]);
    world.latest_is(Ok(b));
    let began = tokio::time::Instant::now();
    assert_eq!(link(&world).connect().await.unwrap().to, b);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn row_07_a_fast_failure_of_an_old_agent_is_switched_at_once() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.plan(a, &[Plan::Fails(1, "refused")]);
    world.latest_is(Ok(b));
    let began = tokio::time::Instant::now();
    assert_eq!(link(&world).connect().await.unwrap().to, b);
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn row_08_a_fast_failure_of_the_right_agent_is_dialled_once_more() {
    let (world, a) = world();
    world.plan(a, &[Plan::Fails(0, "refused"), Plan::Works(0)]);
    assert_eq!(link(&world).connect().await.unwrap().to, a);
    assert_eq!((world.dials.lock().len(), world.bound.lock().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn row_09_the_second_failure_is_told() {
    let (world, a) = world();
    world.plan(a, &[Plan::Fails(0, "first"), Plan::Fails(0, "second")]);
    assert_eq!(error(&world).await, "dial with lazy validation: second");
}

#[tokio::test(start_paused = true)]
async fn row_10_a_look_that_fails_changes_nothing() {
    let (world, a) = world();
    world.plan(a, &[Plan::Works(12)]);
    world.latest_is(Err(SelectError::Other("no database".into())));
    assert_eq!(link(&world).connect().await.unwrap().to, a);
}

#[tokio::test(start_paused = true)]
async fn row_11_a_connection_that_is_there_counts_though_the_caller_is_about_to_leave() {
    let (world, _) = world();
    let ready = tokio::time::timeout(Duration::from_secs(1), async {
        link(&world).connect().await
    });
    assert!(ready.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn row_12_a_new_build_binds_its_agent_and_replaces_the_cached_one() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.plan(a, &[Plan::Fails(0, "gone")]);
    world.latest_is(Ok(b));
    let link = link(&world);
    assert_eq!(link.connect().await.unwrap().to, b);
    assert_eq!(link.connect().await.unwrap().to, b);
    assert_eq!(*world.bound.lock(), [b]);
    assert_eq!(world.dials.lock().len(), 2, "the second time it is cached");
}

#[tokio::test(start_paused = true)]
async fn row_13_an_external_agent_of_an_old_build_without_a_new_one() {
    let (world, a) = world();
    world.make_external(a);
    world.status(a, AgentStatus::Disconnected, 10);
    world.plan(a, &[Plan::Never]);
    world.latest_is(Err(SelectError::NoAgent));
    assert_eq!(error(&world).await, NO_AGENT);
}

#[tokio::test(start_paused = true)]
async fn row_14_a_crashed_agent_keeps_its_dial_error() {
    let (world, a) = world();
    world.status(a, AgentStatus::Disconnected, 10);
    world.plan(a, &[Plan::Fails(0, "refused")]);
    let link = link(&world);
    assert!(link.connect().await.err().unwrap().contains("refused"));
    world.plan(a, &[Plan::Works(0)]);
    assert_eq!(link.connect().await.unwrap().to, a);
}

#[tokio::test(start_paused = true)]
async fn row_15_a_kept_connection_is_used_unless_it_is_known_to_be_dead() {
    let (world, a) = world();
    let link = link(&world);
    link.connect().await.unwrap();
    world.status(a, AgentStatus::Timeout, 0);
    link.connect().await.unwrap();
    world.agents.lock().clear();
    link.connect().await.unwrap();
    assert_eq!(world.dials.lock().len(), 1);
    assert_eq!(
        world.uses.load(Ordering::SeqCst),
        3,
        "each time it is in use"
    );
}

#[tokio::test(start_paused = true)]
async fn row_16_a_dead_connection_is_let_go_and_dialled_anew() {
    let (world, a) = world();
    let link = link(&world);
    link.connect().await.unwrap();
    world.status(a, AgentStatus::Disconnected, 10);
    link.connect().await.unwrap();
    assert_eq!((world.dials.lock().len(), world.released()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn row_17_status_alone_fails_no_ordinary_agent() {
    let (world, a) = world();
    world.status(a, AgentStatus::Disconnected, 500);
    assert_eq!(link(&world).connect().await.unwrap().to, a);
}

/// What is said after a dial that took too long, with the agent in this state for so long.
async fn after_timeout(status: AgentStatus, away: i64) -> String {
    let (world, a) = world();
    world.plan(a, &[Plan::Never]);
    world.status(a, status, away);
    let began = tokio::time::Instant::now();
    let text = error(&world).await;
    assert_eq!(began.elapsed().as_secs(), 30);
    text
}

#[tokio::test(start_paused = true)]
async fn row_18_a_dial_too_long_of_an_agent_away_for_a_moment() {
    assert_eq!(
        after_timeout(AgentStatus::Disconnected, 45).await,
        DIAL_TIMEOUT
    );
}

#[tokio::test(start_paused = true)]
async fn row_19_a_dial_too_long_of_an_agent_away_for_long() {
    assert_eq!(after_timeout(AgentStatus::Disconnected, 90).await, RECOVER);
}

#[tokio::test(start_paused = true)]
async fn row_20_a_dial_too_long_of_a_connected_agent() {
    assert_eq!(after_timeout(AgentStatus::Connected, 0).await, DIAL_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn row_21_a_dial_too_long_of_an_agent_that_never_came() {
    let text = after_timeout(AgentStatus::Timeout, 0).await;
    assert_eq!(text, NEVER_CONNECTED);
    assert!(text.contains("stop_workspace") && text.contains("start_workspace"));
}

#[tokio::test(start_paused = true)]
async fn row_22_a_caller_that_leaves_leaves_nothing_behind() {
    let (world, a) = world();
    world.plan(a, &[Plan::Works(3)]);
    let short = tokio::time::timeout(Duration::from_secs(1), async {
        link(&world).connect().await
    });
    assert!(short.await.is_err());
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(world.uses.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn row_23_an_external_agent_that_never_came_is_not_dialled() {
    let (world, a) = world();
    world.make_external(a);
    world.status(a, AgentStatus::Timeout, 0);
    assert_eq!(error(&world).await, super::super::EXTERNAL_NEVER);
    assert!(world.dials.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn row_24_an_external_agent_that_is_away_is_not_dialled() {
    let (world, a) = world();
    world.make_external(a);
    world.status(a, AgentStatus::Disconnected, 1);
    assert_eq!(error(&world).await, super::super::EXTERNAL_OFFLINE);
    assert!(world.dials.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn row_25_an_external_agent_that_may_still_come_is_dialled() {
    let (world, a) = world();
    world.make_external(a);
    world.status(a, AgentStatus::Connecting, 0);
    assert_eq!(link(&world).connect().await.unwrap().to, a);
}

#[tokio::test(start_paused = true)]
async fn row_26_an_external_agent_that_does_not_answer_is_told_as_such() {
    let (world, a) = world();
    world.make_external(a);
    world.plan(a, &[Plan::Never]);
    world.status(a, AgentStatus::Connecting, 0);
    assert_eq!(error(&world).await, super::super::EXTERNAL_NEVER);
    world.status(a, AgentStatus::Connected, 0);
    assert_eq!(error(&world).await, super::super::EXTERNAL_OFFLINE);
}

#[tokio::test(start_paused = true)]
async fn row_27_other_errors_of_external_agents_are_kept() {
    let (world, a) = world();
    world.make_external(a);
    world.plan(a, &[Plan::Fails(0, "not authorized")]);
    assert!(error(&world).await.contains("not authorized"));
}

#[tokio::test(start_paused = true)]
async fn row_28_an_old_external_agent_is_dialled_and_switched() {
    let (world, a) = world();
    let b = add(&world, "b", AgentStatus::Connected);
    world.make_external(a);
    world.status(a, AgentStatus::Disconnected, 1);
    world.plan(a, &[Plan::Fails(0, "gone")]);
    world.latest_is(Ok(b));
    assert_eq!(link(&world).connect().await.unwrap().to, b);
}

#[tokio::test(start_paused = true)]
async fn row_29_doubt_whether_an_agent_is_external_lets_the_dial_go_on() {
    let (world, a) = world();
    world.status(a, AgentStatus::Disconnected, 1);
    world.external.lock().insert(a, Err("no database".into()));
    assert_eq!(link(&world).connect().await.unwrap().to, a);
}

#[tokio::test(start_paused = true)]
async fn a_chat_without_workspace_is_told_the_way() {
    let (world, _) = world();
    *world.binding.lock() = None;
    assert_eq!(error(&world).await, NO_WORKSPACE);
}
