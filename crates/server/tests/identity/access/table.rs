//! Reads a table of cases and calls them all.
//!
//! A line is the expected status for each caller, a method, a path, and a body if there is one.
//! `{u}` in a path is a fresh user, `{w}`, `{t}`, … are a running workspace of that user and
//! what belongs to it. The caller `self` is that user; all others are strangers to it. Bodies
//! that are none of the endpoint's give 400 where the caller would be let in.

use serde_json::{Value, json};
use testkit::{TestChat, TestUser, TestWorkspace};
use uuid::Uuid;

use crate::app::App;

/// One line.
pub struct Row {
    pub statuses: Vec<u16>,
    pub method: &'static str,
    pub path: &'static str,
    pub body: &'static str,
}

/// The callers and the lines of a table.
pub fn read(text: &'static str) -> (Vec<&'static str>, Vec<Row>) {
    let mut callers = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(names) = line.strip_prefix("callers:") {
            callers = names.split_whitespace().collect();
            continue;
        }
        let mut rest = line;
        let mut word = || {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = after.trim_start();
            word
        };
        let statuses = (0..callers.len())
            .map(|_| {
                word()
                    .parse()
                    .unwrap_or_else(|_| panic!("no status: {line}"))
            })
            .collect();
        let (method, path) = (word(), word());
        rows.push(Row {
            statuses,
            method,
            path,
            body: rest,
        });
    }
    (callers, rows)
}

/// What the placeholders of a path stand for.
struct Things {
    user: TestUser,
    workspace: Option<TestWorkspace>,
    chat: Option<TestChat>,
    group: Uuid,
    organization: Uuid,
    mcp_server: Uuid,
}

/// Speaks of all that there is.
const EVERYTHING: &str = "{w} {g} {o} {c}";
/// Placeholders of a workspace and what belongs to it.
const OF_WORKSPACE: &[&str] = &["{w}", "{t}", "{v}", "{b}", "{f}", "{a}"];

impl Things {
    /// Makes what a text speaks of.
    async fn new(app: &App, name: &str, text: &str) -> Self {
        let user = app.user(name, &[]).await;
        let workspace = if OF_WORKSPACE.iter().any(|name| text.contains(name)) {
            Some(testkit::workspace(&app.db, user.id, name).await)
        } else {
            None
        };
        let chat = if text.contains("{c}") || text.contains("{cf}") {
            Some(testkit::chat(&app.db, user.id).await)
        } else {
            None
        };
        let [group, organization, mcp_server] = [(); 3].map(|()| Uuid::new_v4());
        if text.contains("{g}") {
            let sql = "WITH made AS (INSERT INTO groups (id, organization_id, name) \
                       SELECT $1, id, $2 FROM organizations WHERE is_default RETURNING *) \
                       INSERT INTO group_members SELECT id, organization_id, $3 FROM made";
            app.db
                .execute(sql, &[&group, &name, &user.id])
                .await
                .unwrap();
        }
        if text.contains("{o}") {
            let sql = "WITH made AS (INSERT INTO organizations (id, name) VALUES ($1, $2) \
                       RETURNING id) \
                       INSERT INTO groups (id, organization_id, name) \
                       SELECT id, id, 'Everyone' FROM made";
            app.db.execute(sql, &[&organization, &name]).await.unwrap();
        }
        if text.contains("{m}") {
            mcp_server_create(app, mcp_server).await;
        }
        Things {
            user,
            workspace,
            chat,
            group,
            organization,
            mcp_server,
        }
    }

    fn fill(&self, text: &str) -> String {
        let key = self.user.token.expose().split('-').next().unwrap();
        let mut text = text.replace("{u}", &self.user.username).replace("{k}", key);
        let mut ids = vec![
            ("{uid}", self.user.id),
            ("{g}", self.group),
            ("{o}", self.organization),
            ("{m}", self.mcp_server),
            ("{new}", Uuid::new_v4()),
        ];
        if let Some(w) = &self.workspace {
            let of_workspace = [w.id, w.template, w.version, w.build, w.file, w.agent];
            ids.extend(OF_WORKSPACE.iter().copied().zip(of_workspace));
        }
        if let Some(chat) = self.chat {
            ids.extend([("{c}", chat.id), ("{cf}", chat.file)]);
        }
        for (name, id) in ids {
            text = text.replace(name, &id.to_string());
        }
        text
    }
}

/// A server of the default organization that every member may use.
async fn mcp_server_create(app: &App, id: Uuid) {
    let who = authz::Subject::system(authz::System::Core);
    let conn = app.db.conn().await.unwrap();
    let organization = conn
        .organization_read(&who, &store::OrganizationRef::Default)
        .await
        .unwrap()
        .id;
    drop(conn);
    let owner = app
        .user(&format!("m{}", &id.simple().to_string()[..12]), &["owner"])
        .await;
    let fields = store::mcp_servers::McpServerFields {
        display_name: "Server".into(),
        slug: id.simple().to_string(),
        transport: "streamable_http".into(),
        url: "http://127.0.0.1:1/mcp".into(),
        auth_type: "oauth2".into(),
        oauth2_client_id: "client".into(),
        oauth2_auth_url: "http://127.0.0.1:1/authorize".into(),
        oauth2_token_url: "http://127.0.0.1:1/token".into(),
        availability: "default_off".into(),
        enabled: true,
        ..Default::default()
    };
    let tx = app.db.store.begin(&owner.who).await.unwrap();
    tx.mcp_server_create(&owner.who, organization, id, &fields, &None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Calls every line as every caller and tells all that is otherwise.
pub async fn check(table: &'static str) {
    let app = App::new().await;
    let (callers, rows) = read(table);
    let mut wrong = String::new();
    for (column, role) in callers.iter().enumerate() {
        let roles: &[&str] = match *role {
            "nobody" | "member" | "self" => &[],
            role => &[role],
        };
        // What only reads shares a world; the others change and delete it.
        let mut everything = EVERYTHING.to_owned();
        if table.contains("{m}") {
            everything += " {m}";
        }
        let shared = Things::new(&app, &format!("oc{column}"), &everything).await;
        let reader = app.user(&format!("c{column}"), roles).await;
        for (number, row) in rows.iter().enumerate() {
            let own = if row.method == "GET" {
                None
            } else {
                let name = format!("c{column}r{number}");
                let text = format!("{} {}", row.path, row.body);
                let things = Things::new(&app, &format!("o{name}"), &text).await;
                Some((things, app.user(&name, roles).await))
            };
            let (things, caller) = own
                .as_ref()
                .map_or((&shared, &reader), |(things, user)| (things, user));
            let token = match *role {
                "nobody" => "",
                "self" => things.user.token.expose(),
                _ => caller.token.expose(),
            };
            let body = things.fill(row.body);
            let body: Value = serde_json::from_str(&body).unwrap_or(json!(null));
            let path = things.fill(row.path);
            let answer = app.call(row.method, &path, token, body).await;
            if answer.status != row.statuses[column] {
                wrong += &format!(
                    "{} {} as {role}: {} instead of {}: {:.200}\n",
                    row.method, row.path, answer.status, row.statuses[column], answer.text
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
