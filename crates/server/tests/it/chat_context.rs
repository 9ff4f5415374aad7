//! What a workspace tells AI agents: from the agent's connection to the model's prompt, and back to
//! those who look.

use api_types::{Chat, ChatInputPart, ChatWatchEventKind, CreateChatMessageRequest};
use http::Method;
use rpc::AgentClient;
use rpc::proto::agent::{
    ContextResource, InstructionFileBody, McpServerBody, McpTool, PushContextStateRequest,
    SkillMetaBody, context_resource::Body, context_resource::Status,
};
use serde_json::{Value, json};
use testkit::model::{Reply, Say};
use uuid::Uuid;

use crate::chats::{Chats, chats, until_idle};

const SKILL: &str = "---\nname: deploy\ndescription: to bring it out\n---\nPush the button.";

fn resource(source: &str, body: Body) -> ContextResource {
    ContextResource {
        source: source.into(),
        content_hash: vec![1; 32],
        size_bytes: 7,
        status: Status::Ok.into(),
        body: Some(body),
        ..ContextResource::default()
    }
}

/// What the agent says in this version: how to work, one skill, one tool, one file too large.
fn push(version: u64, how: &str) -> PushContextStateRequest {
    let mut large = resource(
        "/w/CLAUDE.md",
        Body::InstructionFile(InstructionFileBody::default()),
    );
    large.status = Status::Oversize.into();
    large.error = "it has more than 64 KiB".into();
    let tool = McpTool {
        name: "s__look".into(),
        description: "looks".into(),
        input_schema: None,
    };
    PushContextStateRequest {
        version,
        aggregate_hash: how.as_bytes().to_vec(),
        initial: version == 1,
        resources: vec![
            resource(
                "/w/AGENTS.md",
                Body::InstructionFile(InstructionFileBody {
                    content: how.as_bytes().to_vec(),
                }),
            ),
            large,
            resource(
                "/w/.agents/skills/deploy",
                Body::Skill(SkillMetaBody {
                    meta: SKILL.as_bytes().to_vec(),
                    name: "deploy".into(),
                    description: "to bring it out".into(),
                }),
            ),
            resource(
                "s",
                Body::McpServer(McpServerBody {
                    server_name: "s".into(),
                    description: String::new(),
                    tools: vec![tool],
                }),
            ),
        ],
        snapshot_error: String::new(),
    }
}

/// The instructions with which the model was asked last in the chat itself, not for a title.
fn told(chats: &Chats) -> String {
    let asked = chats.provider.asked();
    let with_tools = |body: &Value| body["tools"].as_array().is_some_and(|t| !t.is_empty());
    let last = asked.iter().rev().find(|asked| with_tools(&asked.body));
    let messages = last.expect("a call with tools").body["messages"].clone();
    let system = messages.as_array().unwrap().iter();
    let system = system.filter(|message| message["role"] == "system");
    system
        .map(|message| message["content"].to_string())
        .collect()
}

async fn say(chats: &Chats, chat: Uuid, text: &str) {
    let api = chats.world.client();
    let after = api.chat_history(chat).await.unwrap().last().map(|m| m.id);
    let send = CreateChatMessageRequest {
        content: vec![ChatInputPart::text(text)],
        ..CreateChatMessageRequest::default()
    };
    api.chat_send(chat, &send).await.unwrap();
    let mut events = api.chat_events(chat, after).await.unwrap();
    until_idle(&mut events).await;
}

async fn read(chats: &Chats, chat: Uuid) -> Chat {
    chats.world.client().chat(chat).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_keeps_what_it_was_told_until_someone_has_it_told_anew() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let (_session, channel) = chats.world.agent_session("role=agent").await;
    let agent = AgentClient::new(channel);
    assert!(
        agent
            .push_context_state(&push(1, "Be brief."))
            .await
            .unwrap()
            .accepted
    );
    let api = chats.world.client();
    let mut watch = api
        .websocket_json::<api_types::ChatWatchEvent>("/api/v2/chats/watch")
        .await
        .unwrap();

    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    until_idle(&mut events).await;
    let prompt = told(&chats);
    for part in [
        "Be brief.",
        "/w/AGENTS.md",
        "- deploy: to bring it out",
        "Operating system: linux",
    ] {
        assert!(prompt.contains(part), "{part} in {prompt}");
    }
    assert!(!prompt.contains("CLAUDE.md"), "{prompt}");
    let row = read(&chats, chat.id).await;
    assert_eq!(row.agent_id, Some(chats.world.agent));
    let context = row.context.unwrap();
    assert!(!context.dirty && context.error.is_empty());
    let kinds: Vec<(&str, &str)> = context
        .resources
        .iter()
        .map(|r| (r.kind.as_str(), r.status.as_str()))
        .collect();
    let all = [
        ("instruction_file", "ok"),
        ("instruction_file", "oversize"),
        ("mcp_server", "ok"),
        ("skill", "ok"),
    ];
    assert_eq!(kinds, all);
    assert_eq!(context.resources[1].error, "it has more than 64 KiB");
    assert_eq!(context.resources[2].tools[0].name, "look");
    assert_eq!(context.resources[3].skill_name, "deploy");

    // What the agent says now is told to who looks, not to the model.
    assert!(
        agent
            .push_context_state(&push(2, "Be wordy."))
            .await
            .unwrap()
            .accepted
    );
    assert!(
        !agent
            .push_context_state(&push(2, "Again."))
            .await
            .unwrap()
            .accepted
    );
    let event = loop {
        let event = watch.next().await.unwrap().unwrap();
        if event.kind == ChatWatchEventKind::ContextDirty
            && event.chat.context.as_ref().unwrap().dirty
        {
            break event;
        }
    };
    assert_eq!(event.chat.id, chat.id);
    let context = read(&chats, chat.id).await.context.unwrap();
    assert!(context.dirty && context.dirty_since.is_some());
    say(&chats, chat.id, "and?").await;
    assert!(told(&chats).contains("Be brief."), "{}", told(&chats));

    // Until it is taken anew: by the owner,
    let fresh = api.chat_context_refresh(chat.id).await.unwrap();
    assert!(!fresh.context.unwrap().dirty);
    say(&chats, chat.id, "and now?").await;
    assert!(told(&chats).contains("Be wordy."), "{}", told(&chats));

    // or for all drifted chats of the agent, by the agent.
    agent
        .push_context_state(&push(3, "Be kind."))
        .await
        .unwrap();
    let own = chats.world.client_as(chats.world.token.to_string().into());
    let path = "/api/v2/workspaceagents/me/experimental/chat-context/refresh";
    for refreshed in [1, 0] {
        let answer: Value = own.call(Method::POST, path).decode().await.unwrap();
        assert_eq!(answer, json!({ "refreshed": refreshed }));
    }
    say(&chats, chat.id, "at last?").await;
    assert!(told(&chats).contains("Be kind."), "{}", told(&chats));

    // Elsewhere, nothing of it is known.
    let none = json!({ "workspace_id": Uuid::nil() });
    let path = format!("/api/v2/chats/{}", chat.id);
    api.call(Method::PATCH, &path)
        .json(&none)
        .done()
        .await
        .unwrap();
    assert_eq!(read(&chats, chat.id).await.context, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_comes_late_tells_the_chats_that_wait_for_it() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let api = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    until_idle(&mut events).await;
    assert!(!told(&chats).contains("Be brief."));
    assert_eq!(read(&chats, chat.id).await.context, None);
    let (session, channel) = chats.world.agent_session("role=agent").await;
    let agent = AgentClient::new(channel);
    agent
        .push_context_state(&push(1, "Be brief."))
        .await
        .unwrap();
    let context = read(&chats, chat.id).await.context.unwrap();
    assert!(!context.dirty && context.resources.len() == 4);

    // A skill is read from what was told, though the workspace cannot be reached.
    chats.provider.otherwise(|asked| {
        let messages = asked.body["messages"].as_array().unwrap();
        let last = messages.last().unwrap();
        match last["role"].as_str() {
            Some("user") if asked.body.to_string().contains("\"read_skill\"") => {
                Reply::say([Say::call("c1", "read_skill", "{\"name\":\"deploy\"}")])
            }
            _ => Reply::text("ok"),
        }
    });
    let stop = "UPDATE workspace_agents SET first_connected_at = now() - interval '1 hour', \
                last_connected_at = now() - interval '1 hour', disconnected_at = now()";
    drop(session);
    chats.world.db.execute(stop, &[]).await.unwrap();
    say(&chats, chat.id, "deploy it").await;
    let history = serde_json::to_string(&api.chat_history(chat.id).await.unwrap()).unwrap();
    assert!(history.contains("Push the button."), "{history}");

    // What makes no sense is refused, and changes nothing.
    let (_session, channel) = chats.world.agent_session("role=agent").await;
    let agent = AgentClient::new(channel);
    let mut twice = push(9, "x");
    twice.resources[1] = twice.resources[0].clone();
    let error = agent.push_context_state(&twice).await.unwrap_err();
    assert!(error.to_string().contains("told twice"), "{error}");
    assert!(!read(&chats, chat.id).await.context.unwrap().dirty);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_in_a_workspace_tells_on_which_branch_its_chat_works() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let api = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let other = chats.create("hi", None).await;
    let own = chats.world.client_as(chats.world.token.to_string().into());
    let tell = async |chat: Option<Uuid>, branch: &str| {
        let call = own
            .call(Method::GET, "/api/v2/workspaceagents/me/external-auth")
            .query("match", "https://example.com")
            .query("git_branch", branch)
            .query(
                "git_remote_origin",
                "https://ghp_secret@example.com/a/b.git",
            )
            .query_if("chat_id", chat);
        // Nobody signed in anywhere: git goes on by itself.
        assert!(call.done().await.unwrap_err().is_not_found());
    };
    tell(None, "topic").await;
    let diff: Value = api
        .call(Method::GET, &format!("/api/v2/chats/{}/diff", chat.id))
        .decode()
        .await
        .unwrap();
    assert_eq!(
        diff,
        json!({ "chat_id": chat.id, "branch": "topic", "remote_origin": "https://example.com/a/b.git" })
    );
    let status = read(&chats, chat.id).await.diff_status.unwrap();
    assert_eq!(status.head_branch.as_deref(), Some("topic"));
    // A chat elsewhere is none of the agent's business.
    tell(Some(other.id), "mine").await;
    assert_eq!(read(&chats, other.id).await.diff_status, None);
    tell(Some(chat.id), "next").await;
    let status = read(&chats, chat.id).await.diff_status.unwrap();
    assert_eq!(status.head_branch.as_deref(), Some("next"));
    let found = async |q: &str| api.chats(q, 0, 0).await.unwrap().len();
    assert_eq!(found("repo:a/b").await, 1);
    assert_eq!(found("pr_status:none").await, 2);
    assert_eq!(found("pr_status:open").await, 0);
}

/// A host at which the branch `topic` has a pull request, as the test says.
struct Host(std::sync::Mutex<Result<Option<store::chats::DiffFacts>, control::GitHostError>>);

impl control::GitHosts for Host {
    fn kind(&self, origin: &str) -> Option<String> {
        origin.contains("example.com").then(|| "github".to_owned())
    }

    fn pull_request<'a>(
        &'a self,
        _: Uuid,
        branch: &'a control::GitBranch,
    ) -> futures::future::BoxFuture<
        'a,
        Result<Option<store::chats::DiffFacts>, control::GitHostError>,
    > {
        let found = match branch.name.as_str() {
            "topic" => self.0.lock().unwrap().clone(),
            _ => Ok(None),
        };
        Box::pin(std::future::ready(found))
    }

    fn diff<'a>(
        &'a self,
        _: Uuid,
        _: &'a control::GitBranch,
        pull_request: Option<i32>,
    ) -> futures::future::BoxFuture<'a, Result<String, control::GitHostError>> {
        Box::pin(std::future::ready(Ok(format!("diff of {pull_request:?}"))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pull_requests_are_looked_up_told_and_found() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let api = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let control = &chats.world.control;
    let host = std::sync::Arc::new(Host(std::sync::Mutex::new(Ok(None))));
    control.chat_git_hosts_set(host.clone());
    assert_eq!(
        control.chat_diffs_refresh().await.unwrap(),
        0,
        "no branch is known"
    );
    let own = chats.world.client_as(chats.world.token.to_string().into());
    let tell = async || {
        let call = own
            .call(Method::GET, "/api/v2/workspaceagents/me/external-auth")
            .query("match", "https://example.com")
            .query("git_branch", "topic")
            .query("git_remote_origin", "https://example.com/a/b.git")
            .query("chat_id", chat.id);
        assert!(call.done().await.unwrap_err().is_not_found());
    };
    tell().await;
    assert_eq!(control.chat_diffs_refresh().await.unwrap(), 1);
    assert_eq!(
        control.chat_diffs_refresh().await.unwrap(),
        0,
        "it was just asked"
    );
    let mut watch = api
        .websocket_json::<api_types::ChatWatchEvent>("/api/v2/chats/watch")
        .await
        .unwrap();
    *host.0.lock().unwrap() = Ok(Some(store::chats::DiffFacts {
        url: "https://example.com/a/b/pull/7".into(),
        state: "open".into(),
        title: "Mend it".into(),
        draft: true,
        number: 7,
        additions: 3,
        ..store::chats::DiffFacts::default()
    }));
    tell().await;
    assert_eq!(control.chat_diffs_refresh().await.unwrap(), 1);
    let status = loop {
        let event = watch.next().await.unwrap().unwrap();
        let status = event.chat.diff_status;
        if event.kind == ChatWatchEventKind::DiffStatusChange
            && status.as_ref().is_some_and(|status| status.url.is_some())
        {
            break status.unwrap();
        }
    };
    assert_eq!((status.pr_number, status.additions), (Some(7), 3));
    assert_eq!(
        read(&chats, chat.id)
            .await
            .diff_status
            .unwrap()
            .pull_request_title,
        "Mend it"
    );
    for (q, count) in [
        ("pr_status:draft", 1),
        ("pr_status:open", 0),
        ("pr:7", 1),
        ("pr:8", 0),
        ("pr_title:mend", 1),
        ("diff_url:\"https://example.com/a/b/pull/7\"", 1),
        ("search:mend", 1),
        ("status:waiting,running", 1),
    ] {
        assert_eq!(api.chats(q, 0, 0).await.unwrap().len(), count, "{q}");
    }
    let path = format!("/api/v2/chats/{}/diff", chat.id);
    let diff: Value = api.call(Method::GET, &path).decode().await.unwrap();
    assert_eq!(
        (&diff["diff"], &diff["provider"]),
        (&json!("diff of Some(7)"), &json!("github"))
    );
    // A host that is away changes nothing that is known.
    *host.0.lock().unwrap() = Err(control::GitHostError::Busy(9));
    tell().await;
    assert_eq!(control.chat_diffs_refresh().await.unwrap(), 1);
    assert!(
        read(&chats, chat.id)
            .await
            .diff_status
            .unwrap()
            .url
            .is_some()
    );
}
