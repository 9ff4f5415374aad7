//! Apps in the browser: who is let in, what passes, and what an app cannot do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use client::Client;
use http::Method;
use serde_json::{Value, json};
use testkit::TestUser;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tunnel::{Conn, TcpStream};
use uuid::Uuid;

use crate::agent_conn::{agent_end, read_head, serve};
use crate::browser::{Answer, get};
use crate::world::{World, with_settings};

const WILDCARD: &str = "*.apps.test.local";

/// A server with hosts for apps, and an app `web` at port 8080 of the agent.
struct AppWorld {
    w: World,
    agent: Conn,
    port: u16,
}

async fn app_world() -> AppWorld {
    let w = with_settings(|settings| WILDCARD.clone_into(&mut settings.wildcard_access_url)).await;
    let agent = agent_end(&w).await;
    serve(&agent, 8080, app);
    let port = w.url.port().unwrap();
    for (slug, level) in [
        ("web", "owner"),
        ("org", "organization"),
        ("auth", "authenticated"),
        ("open", "public"),
    ] {
        add_app(&w, slug, level, "http://localhost:8080/base/?start=1").await;
    }
    AppWorld { w, agent, port }
}

async fn add_app(w: &World, slug: &str, level: &str, url: &str) {
    let sql = format!(
        "INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon, url, \
         subdomain, sharing_level) VALUES ('{}', now(), '{}', '{slug}', '{slug}', '', '{url}', \
         true, '{level}')",
        Uuid::new_v4(),
        w.agent
    );
    w.db.execute(&sql, &[]).await.unwrap();
}

/// An app that shows what it is asked, and misbehaves on demand.
async fn app(mut io: TcpStream) {
    let head = read_head(&mut io).await;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let extra = match path.as_str() {
        "/base/evil" => {
            "Set-Cookie: coder_session_token=stolen; Path=/\r\n\
             Set-Cookie: coder_subdomain_app_session_token_00=x; Domain=.apps.test.local\r\n\
             Set-Cookie: own=1; Domain=.apps.test.local; Path=/\r\n\
             Access-Control-Allow-Origin: *\r\nClear-Site-Data: \"*\"\r\nX-Own: 1\r\n"
        }
        "/base/away" => "Location: https://elsewhere.example/\r\n",
        _ => "",
    };
    let huge = if path == "/base/huge" {
        format!("X-Huge: {}\r\n", "x".repeat(1 << 20))
    } else {
        String::new()
    };
    let status = if path == "/base/away" {
        "302 Found"
    } else {
        "200 OK"
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{extra}{huge}\
         Connection: close\r\n\r\n{head}",
        head.len()
    );
    let _ = io.write_all(answer.as_bytes()).await;
    let _ = io.shutdown().await;
    let _ = io.read_u8().await;
}

fn token(user: &TestUser) -> &str {
    user.token.expose()
}

impl AppWorld {
    async fn at_path(&self, path: &str, user: Option<&TestUser>) -> Answer {
        let mut ask = get(self.port, &format!("127.0.0.1:{}", self.port), path);
        if let Some(user) = user {
            ask = ask.header("Cookie", &format!("coder_session_token={}", token(user)));
        }
        ask.send().await
    }

    fn host(&self, label: &str) -> String {
        format!("{label}.apps.test.local:{}", self.port)
    }

    async fn at_host(&self, label: &str, path: &str, user: Option<&TestUser>) -> Answer {
        let mut ask = get(self.port, &self.host(label), path);
        if let Some(user) = user {
            ask = ask.header("Coder-Session-Token", token(user));
        }
        ask.send().await
    }
}

#[tokio::test]
async fn an_app_under_a_path_gets_the_request_and_nothing_of_ours() {
    let a = app_world().await;
    let own = format!("127.0.0.1:{}", a.port);
    let path = "/@ann/dev.main/apps/web/a%2Fb//c?x=1&coder_session_token=t";
    let cleaned = a.at_path(path, Some(&a.w.owner)).await;
    let clean = "/@ann/dev.main/apps/web/a%2Fb//c?x=1";
    assert_eq!((cleaned.status, cleaned.header("location")), (303, clean));
    let answer = get(a.port, &own, path)
        .header(
            "Cookie",
            &format!("coder_session_token={}; mine=1", token(&a.w.owner)),
        )
        .header("X-Own", "kept")
        .method("POST")
        .header("Content-Length", "0")
        .header("X-Forwarded-For", "6.6.6.6")
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer
            .body
            .starts_with("POST /base/a%2Fb//c?x=1 HTTP/1.1\r\n"),
        "{}",
        answer.body
    );
    assert!(
        answer.body.to_lowercase().contains("x-own: kept"),
        "{}",
        answer.body
    );
    assert!(
        answer
            .body
            .to_lowercase()
            .contains("\r\ncookie: mine=1\r\n"),
        "{}",
        answer.body
    );
    assert!(
        answer
            .body
            .to_lowercase()
            .contains("x-forwarded-for: 127.0.0.1\r\n")
    );
    assert!(!answer.body.contains(token(&a.w.owner)) && !answer.body.contains("6.6.6.6"));
    assert!(!answer.headers.contains_key("x-content-type-options"));
    // The decision holds for a minute, without the session.
    let signed = answer.cookie("coder_signed_app_token");
    let line = answer.cookies()[0];
    assert!(
        line.contains("Path=/@ann/dev.main/apps/web/;") && line.contains("HttpOnly"),
        "{line}"
    );
    let base = "/@ann/dev.main/apps/web/";
    let again = get(a.port, &own, &format!("{base}x"))
        .header("Cookie", &signed)
        .send()
        .await;
    assert_eq!(again.status, 200);
    assert!(!again.body.contains("coder_signed_app_token"));
    // For nothing else: another app, or the same one by another name.
    for other in ["/@ann/dev.main/apps/open/", "/@ann/dev/apps/web/"] {
        let answer = get(a.port, &own, other)
            .header("Cookie", &signed)
            .send()
            .await;
        assert_eq!(answer.status, 303, "{other}");
    }
    // Relative links, and the app's own query.
    let bare = a.at_path("/@ann/dev.main/apps/web", Some(&a.w.owner)).await;
    assert_eq!((bare.status, bare.header("location")), (307, base));
    let first = a.at_path(base, Some(&a.w.owner)).await;
    assert_eq!(
        (first.status, first.header("location")),
        (307, "/@ann/dev.main/apps/web/?start=1")
    );
    a.w.tailnet.close();
}

#[tokio::test]
async fn a_browser_signs_in_at_an_apps_host_by_way_of_the_dashboard() {
    let a = app_world().await;
    let label = "web--dev--ann";
    let sent = a.at_host(label, "/page?q=1", None).await;
    assert_eq!(sent.status, 303);
    let location = sent.header("location").to_owned();
    assert!(location.starts_with(&format!("{}api/v2/applications/auth-redirect?", a.w.url)));
    let own = format!("127.0.0.1:{}", a.port);
    let path = &location[a.w.url.as_str().len() - 1..];
    // Without a session, first to the form.
    let form = get(a.port, &own, path).send().await;
    assert!(
        form.header("location")
            .starts_with("/login?redirect=%2Fapi"),
        "{form:?}"
    );
    let session = format!("coder_session_token={}", token(&a.w.owner));
    let back = get(a.port, &own, path)
        .header("Cookie", &session)
        .send()
        .await;
    assert_eq!(back.status, 303, "{back:?}");
    let back = back.header("location").to_owned();
    let prefix = format!("http://{}", a.host(label));
    let path = back.strip_prefix(&prefix).unwrap();
    let taken = get(a.port, &a.host(label), path).send().await;
    assert_eq!((taken.status, taken.header("location")), (303, "/page?q=1"));
    let cookie = taken.cookie("coder_subdomain_app_session_token_");
    let line = taken.cookies()[0];
    assert!(
        line.contains("Domain=.apps.test.local") && line.contains("HttpOnly"),
        "{line}"
    );
    let page = get(a.port, &a.host(label), "/page?q=1")
        .header("Cookie", &cookie)
        .send()
        .await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.starts_with("GET /base/page?q=1 "));
    assert!(!page.body.contains("coder_"), "{}", page.body);
    // The key opens apps and nothing else.
    let key = cookie.split_once('=').unwrap().1;
    let api = a.w.client_as(key.to_owned().into());
    assert!(
        api.call(Method::GET, "/api/v2/workspaces")
            .decode::<Value>()
            .await
            .map_or(true, |v| v["count"] == 0)
    );
    // A forged one is refused; a key is sent nowhere else.
    let forged = get(
        a.port,
        &a.host(label),
        "/?coder_application_connect_api_key_35e783=a.b.c.d.e",
    );
    assert_eq!(forged.send().await.status, 400);
    for evil in [
        "https://evil.example/",
        "http://apps.test.local/",
        "javascript:alert(1)",
        "//x",
        "",
        "http://web--dev--ann.apps.test.local:1/",
        "http://u:p@web--dev--ann.apps.test.local/",
    ] {
        let evil: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let path = format!("/api/v2/applications/auth-redirect?redirect_uri={evil}");
        let answer = get(a.port, &own, &path)
            .header("Cookie", &session)
            .send()
            .await;
        assert_eq!(answer.status, 400, "{evil}");
    }
}

#[tokio::test]
async fn who_may_open_what() {
    let a = app_world().await;
    let colleague = testkit::user(&a.w.db, "bob", &[]).await;
    let outsider = testkit::user(&a.w.db, "eve", &[]).await;
    let sql = format!(
        "DELETE FROM organization_members WHERE user_id = '{}'",
        outsider.id
    );
    a.w.db.execute(&sql, &[]).await.unwrap();
    let owner = &a.w.owner;
    // Status at the host: for nobody, an outsider, a colleague, the owner.
    for (app, expected) in [
        ("web", [303, 404, 404, 200]),
        ("org", [303, 404, 200, 200]),
        // Who is in no organization has no workspaces, and no right that a key could carry there.
        ("auth", [303, 404, 200, 200]),
        ("open", [200, 200, 200, 200]),
        ("nope", [303, 404, 404, 404]),
        ("8080--main", [303, 404, 404, 200]),
        ("9999--main", [303, 404, 404, 502]),
    ] {
        let users = [None, Some(&outsider), Some(&colleague), Some(owner)];
        for (user, expected) in users.into_iter().zip(expected) {
            let answer = a.at_host(&format!("{app}--dev--ann"), "/x", user).await;
            let who = user.map_or("nobody", |user| user.username.as_str());
            assert_eq!(answer.status, expected, "{app} for {who}: {}", answer.body);
        }
    }
    // Under a path, only the owner opens it, whatever is shared: all apps have one origin there.
    for app in ["web", "open"] {
        for (user, expected) in [(None, 303), (Some(&colleague), 404), (Some(owner), 200)] {
            let path = format!("/@ann/dev/apps/{app}/x");
            assert_eq!(a.at_path(&path, user).await.status, expected, "{app}");
        }
    }
    let me = a.at_path("/@me/dev/apps/web/x", Some(owner)).await;
    assert_eq!(me.status, 404);
    let port = a.at_path("/@ann/dev/apps/8080/x", Some(owner)).await;
    assert_eq!(port.status, 400);
    // A program is told, not sent to a form.
    let program = get(a.port, &a.host("web--dev--ann"), "/x").header("Accept", "application/json");
    let mut program = program.open().await;
    drop(program.shutdown().await);
    let bad = a.at_host("nonsense", "/", Some(owner)).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn shared_ports_open_as_far_as_the_template_lets_them() {
    let a = app_world().await;
    let colleague = testkit::user(&a.w.db, "bob", &[]).await;
    let path = format!("/api/v2/workspaces/{}/port-share", a.w.workspace);
    let share = |port: i64, level: &str| json!({"agent_name": "main", "port": port, "share_level": level, "protocol": "http"});
    let post = async |api: &Client, body: &Value| {
        let answer = api
            .call(Method::POST, &path)
            .json(body)
            .decode::<Value>()
            .await;
        answer.map_err(|error| status(&error))
    };
    let (owner, other) = (a.w.client(), a.w.client_as(colleague.token.clone()));
    assert_eq!(
        post(&owner, &share(8080, "authenticated")).await,
        Err(400),
        "the template's bound"
    );
    let sql = "UPDATE templates SET max_port_share_level = 'authenticated'";
    a.w.db.execute(sql, &[]).await.unwrap();
    assert_eq!(post(&other, &share(8080, "authenticated")).await, Err(404));
    for bad in [
        share(8, "authenticated"),
        share(65536, "authenticated"),
        share(8080, "owner"),
        share(8080, "public"),
        share(8080, "x"),
        json!({"agent_name": "none", "port": 8080, "share_level": "organization", "protocol": "http"}),
        json!({"agent_name": "main", "port": 8080, "share_level": "organization", "protocol": "ftp"}),
    ] {
        assert_eq!(post(&owner, &bad).await, Err(400), "{bad}");
    }
    let label = "8080--main--dev--ann";
    assert_eq!(a.at_host(label, "/x", Some(&colleague)).await.status, 404);
    post(&owner, &share(8080, "authenticated")).await.unwrap();
    assert_eq!(a.at_host(label, "/x", Some(&colleague)).await.status, 200);
    assert_eq!(a.at_host(label, "/x", None).await.status, 303);
    let list = owner
        .call(Method::GET, &path)
        .decode::<Value>()
        .await
        .unwrap();
    assert_eq!(list["shares"][0]["share_level"], "authenticated");
    assert_eq!(
        status(&other.call(Method::GET, &path).done().await.unwrap_err()),
        404
    );
    // A template that becomes stricter closes what was open, at once and for good.
    let template = async |max: &str| {
        let sql = "SELECT template_id::text FROM workspaces";
        let id: String = a.w.db.query_one(sql, &[]).await.unwrap().get(0);
        let change = json!({ "max_port_share_level": max });
        let path = format!("/api/v2/templates/{id}");
        let admin = testkit::user(&a.w.db, &format!("admin-{max}"), &["owner"]).await;
        let api = a.w.client_as(admin.token.clone());
        let call = api.call(Method::PATCH, &path).json(&change);
        call.decode::<Value>().await.unwrap();
    };
    let shares = async || {
        let list = owner.call(Method::GET, &path).decode::<Value>().await;
        list.unwrap()["shares"].clone()
    };
    template("organization").await;
    assert_eq!(shares().await[0]["share_level"], "organization");
    template("owner").await;
    assert_eq!(shares().await, json!([]));
    assert_eq!(a.at_host(label, "/x", Some(&colleague)).await.status, 404);
    // One that became so by other means does, too.
    template("public").await;
    post(&owner, &share(8080, "authenticated")).await.unwrap();
    let sql = "UPDATE templates SET max_port_share_level = 'owner'";
    a.w.db.execute(sql, &[]).await.unwrap();
    assert_eq!(a.at_host(label, "/x", Some(&colleague)).await.status, 404);
    let gone = json!({"agent_name": "main", "port": 8080});
    let delete = async |api: &Client| {
        let answer = api.call(Method::DELETE, &path).json(&gone).done().await;
        answer.map_err(|error| status(&error))
    };
    assert_eq!(delete(&other).await, Err(404));
    assert_eq!(delete(&owner).await, Ok(()));
    assert_eq!(delete(&owner).await, Err(404));
}

#[tokio::test]
async fn pages_say_why_an_app_is_not_there() {
    let a = app_world().await;
    let owner = Some(&a.w.owner);
    let label = "web--dev--ann";
    add_app(&a.w, "dead", "owner", "http://localhost:8099").await;
    add_app(&a.w, "ssh", "owner", "http://localhost:1").await;
    let dead = a.at_host("dead--dev--ann", "/x", owner).await;
    assert_eq!(dead.status, 502);
    assert!(dead.body.contains("does not answer") && dead.body.contains("Try again"));
    // What the agent found out about it is said.
    let health = async |state: &str, lifecycle: &str| {
        let sql = "UPDATE workspace_apps SET health = $1 WHERE slug = 'dead'";
        a.w.db.execute(sql, &[&state]).await.unwrap();
        let sql = "UPDATE workspace_agents SET lifecycle_state = $1";
        a.w.db.execute(sql, &[&lifecycle]).await.unwrap();
        a.at_host("dead--dev--ann", "/x", owner).await
    };
    for (state, lifecycle, says, waits) in [
        ("unhealthy", "ready", "The app is unhealthy", false),
        ("initializing", "ready", "The app is starting", true),
        ("disabled", "starting", "The app is starting", true),
        (
            "disabled",
            "start_error",
            "startup script did not succeed",
            false,
        ),
        (
            "disabled",
            "shutting_down",
            "The workspace is stopping",
            false,
        ),
    ] {
        let page = health(state, lifecycle).await;
        assert_eq!(page.status, 502, "{state} {lifecycle}");
        assert!(
            page.body.contains(says),
            "{state} {lifecycle}: {}",
            page.body
        );
        assert_eq!(
            !page.header("refresh").is_empty(),
            waits,
            "{state} {lifecycle}"
        );
    }
    // Whatever the checks say, an app that answers is shown.
    let sql = "UPDATE workspace_apps SET health = 'unhealthy' WHERE slug = 'web'";
    a.w.db.execute(sql, &[]).await.unwrap();
    assert_eq!(a.at_host(label, "/x", owner).await.status, 200);
    assert_eq!(a.at_host("ssh--dev--ann", "/x", owner).await.status, 400);
    assert_eq!(a.at_host(label, "/huge", owner).await.status, 502);

    let page = a.at_host(label, "/x", owner).await;
    let signed = page.cookie("coder_signed_app_token");
    let sql = "UPDATE workspace_agents SET last_connected_at = now() - interval '1 hour', \
               disconnected_at = now()";
    a.w.db.execute(sql, &[]).await.unwrap();
    let offline = a.at_host(label, "/x", owner).await;
    assert_eq!(offline.status, 404);
    assert!(offline.body.contains("disconnected"), "{}", offline.body);
    let never = "UPDATE workspace_agents SET last_connected_at = NULL, \
                 connection_timeout_seconds = 60, created_at = now() - $1 * interval '1 second'";
    for (age, says, waits) in [
        (0.0, "has not connected yet", true),
        (3600.0, "does not connect", false),
    ] {
        a.w.db.execute(never, &[&age]).await.unwrap();
        let page = a.at_host(label, "/x", owner).await;
        assert_eq!(page.status, 404);
        assert!(page.body.contains(says), "{}", page.body);
        assert_eq!(!page.header("refresh").is_empty(), waits);
    }

    // While it is being built, there are no apps yet.
    let sql = "UPDATE provisioner_jobs SET completed_at = NULL WHERE type = 'workspace_build'";
    a.w.db.execute(sql, &[]).await.unwrap();
    let starting = a.at_host("later--dev--ann", "/x", owner).await;
    assert_eq!(starting.status, 404);
    assert!(
        starting.body.contains("The workspace is starting"),
        "{}",
        starting.body
    );
    let sql = "UPDATE workspace_builds SET transition = 'stop'";
    a.w.db.execute(sql, &[]).await.unwrap();
    let stopping = a.at_host(label, "/x", owner).await;
    assert_eq!(stopping.status, 400);
    assert!(stopping.body.contains("is stopping"), "{}", stopping.body);
    let sql = "UPDATE provisioner_jobs SET completed_at = now()";
    a.w.db.execute(sql, &[]).await.unwrap();
    let stopped = a.at_host(label, "/x", owner).await;
    assert_eq!(stopped.status, 400);
    let body = &stopped.body;
    assert!(
        body.contains("ann/dev") && body.contains("/start-workspace?workspace="),
        "{body}"
    );
    // Strangers are not told; nor is who is not signed in.
    let stranger = testkit::user(&a.w.db, "bob", &[]).await;
    assert_eq!(a.at_host(label, "/x", Some(&stranger)).await.status, 404);
    assert_eq!(a.at_host("open--dev--ann", "/x", None).await.status, 303);
    // What a token remembered is corrected when nothing answers.
    a.agent.close().await;
    let corrected = get(a.port, &a.host(label), "/x")
        .header("Cookie", &signed)
        .header("Coder-Session-Token", token(&a.w.owner))
        .send()
        .await;
    assert_eq!(corrected.status, 400, "{corrected:?}");

    let path = format!(
        "/start-workspace?workspace={}&back=%2F%40ann",
        a.w.workspace
    );
    let page = a.at_path(&path, owner).await;
    assert!(page.body.contains("Start the workspace?"), "{}", page.body);
    assert_eq!(a.at_path(&path, Some(&stranger)).await.status, 404);
    let form = a.at_path(&path, None).await;
    assert_eq!(form.status, 303);
    let forged = get(a.port, &format!("127.0.0.1:{}", a.port), "/start-workspace")
        .method("POST")
        .header(
            "Cookie",
            &format!("coder_session_token={}", token(&a.w.owner)),
        )
        .header("Content-Length", "0")
        .send()
        .await;
    assert_eq!(forged.status, 400, "a form of another site");
}

#[tokio::test]
async fn a_hostile_app_stays_in_its_place() {
    let a = app_world().await;
    let owner = Some(&a.w.owner);
    let at_host = a.at_host("web--dev--ann", "/evil", owner).await;
    assert_eq!(at_host.status, 200);
    let cookies = at_host.cookies();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(cookies[0], "own=1; Path=/");
    assert!(cookies[1].starts_with("coder_signed_app_token="));
    assert!(!at_host.headers.contains_key("access-control-allow-origin"));
    assert!(
        at_host.headers.contains_key("clear-site-data") && at_host.headers.contains_key("x-own")
    );
    let at_path = a.at_path("/@ann/dev/apps/web/evil", owner).await;
    assert_eq!(at_path.cookies()[0], "own=1; Path=/@ann/dev/apps/web/");
    assert!(!at_path.headers.contains_key("clear-site-data"));
    let away = a.at_host("web--dev--ann", "/away", owner).await;
    assert_eq!(
        (away.status, away.header("location")),
        (302, "https://elsewhere.example/")
    );
}

#[tokio::test]
async fn apps_of_others_may_not_act_in_ones_name() {
    let a = app_world().await;
    let ask = |method, origin: &str| {
        get(a.port, &a.host("web--dev--ann"), "/x")
            .method(method)
            .header("Origin", origin)
            .header("Content-Length", "0")
            .header("Coder-Session-Token", token(&a.w.owner))
    };
    let same = "http://other--dev--ann.apps.test.local";
    let foreign = "http://evil--dev--bob.apps.test.local";
    let answer = ask("POST", same).send().await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, same)
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(ask("POST", foreign).send().await.status, 403);
    let read = ask("GET", foreign).send().await;
    assert!(
        !read.headers.contains_key("access-control-allow-origin"),
        "{read:?}"
    );
    let socket = ask("GET", foreign)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    let mut io = socket.open().await;
    let mut first = [0; 12];
    io.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 403");
    // Preflights carry no credentials.
    let preflight = |origin: &str| {
        get(a.port, &a.host("web--dev--ann"), "/x")
            .method("OPTIONS")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "x-a")
    };
    let allowed = preflight(same).send().await;
    assert_eq!(
        (
            allowed.status,
            allowed.header("access-control-allow-headers")
        ),
        (204, "x-a")
    );
    let denied = preflight(foreign).send().await;
    assert!(!denied.headers.contains_key("access-control-allow-origin"));
    // Where the template leaves it to the apps, it is theirs.
    let sql = "UPDATE templates SET cors_behavior = 'passthru'";
    a.w.db.execute(sql, &[]).await.unwrap();
    let open = a.at_host("web--dev--ann", "/evil", Some(&a.w.owner)).await;
    assert_eq!(open.header("access-control-allow-origin"), "*");
    assert_eq!(ask("POST", foreign).send().await.status, 200);
}

#[tokio::test]
async fn a_switched_connection_carries_bytes_both_ways() {
    let a = app_world().await;
    serve(&a.agent, 8081, async |mut io| {
        let head = read_head(&mut io).await;
        assert!(
            head.to_lowercase().contains("sec-websocket-key: abc"),
            "{head}"
        );
        io.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        let (mut read, mut write) = tokio::io::split(io);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let mut io = get(a.port, &a.host("8081--main--dev--ann"), "/ws")
        .header("Coder-Session-Token", token(&a.w.owner))
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "abc")
        .open()
        .await;
    let head = read_head(&mut io).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let sent = vec![7; 1 << 20];
    let (mut read, mut write) = io.split();
    let mut got = vec![0; sent.len()];
    let (written, read) = tokio::join!(write.write_all(&sent), read.read_exact(&mut got));
    written.unwrap();
    read.unwrap();
    assert_eq!(got, sent);
}

#[tokio::test]
async fn a_reader_that_is_slow_slows_its_app_down() {
    let a = app_world().await;
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    serve(&a.agent, 8082, move |mut io| {
        let count = count.clone();
        async move {
            read_head(&mut io).await;
            let _ = io.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let block = vec![b'x'; 64 << 10];
            while io.write_all(&block).await.is_ok() {
                count.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        }
    });
    let mut io = get(a.port, &a.host("8082--main--dev--ann"), "/")
        .header("Coder-Session-Token", token(&a.w.owner))
        .open()
        .await;
    io.read_u8().await.unwrap();
    // Until no more fits anywhere.
    let mut before = 1;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    assert!(
        before < 32 << 20,
        "{before} bytes are held for somebody who does not read"
    );
    drop(io);
}

#[tokio::test]
async fn uses_and_visits_are_written_down() {
    let a = app_world().await;
    let sql = "UPDATE workspaces SET last_used_at = now() - interval '1 hour'";
    a.w.db.execute(sql, &[]).await.unwrap();
    for _ in 0..3 {
        a.at_host("web--dev--ann", "/x", Some(&a.w.owner)).await;
    }
    a.w.apps_flush().await;
    let sql = "SELECT user_id, slug_or_port, access_method, requests FROM workspace_app_stats";
    let row = a.w.db.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, Uuid>(0), a.w.owner.id);
    assert_eq!(
        (row.get::<_, &str>(1), row.get::<_, &str>(2)),
        ("web", "subdomain")
    );
    assert_eq!(row.get::<_, i32>(3), 3);
    // A use of an app is one of the workspace.
    let sql = "SELECT last_used_at > now() - interval '5 minutes' FROM workspaces";
    let used = a.w.db.query_one(sql, &[]).await.unwrap();
    assert!(used.get::<_, bool>(0));
    crate::world::eventually("the visit is in the log", async || {
        let sql = "SELECT count(*) FROM connection_logs WHERE slug_or_port = 'web' AND code = 200";
        a.w.db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
}

#[tokio::test]
async fn a_terminal_opens_by_a_signed_token_and_by_nothing_less() {
    let a = app_world().await;
    serve(&a.agent, 2, async |mut io| {
        let length = io.read_u16_le().await.unwrap();
        let mut head = vec![0; usize::from(length)];
        io.read_exact(&mut head).await.unwrap();
        io.write_all(b"$ ").await.unwrap();
        let _ = io.read_u8().await;
    });
    let url =
        a.w.url
            .join(&format!("/api/v2/workspaceagents/{}/pty", a.w.agent))
            .unwrap();
    let issue = async |api: &Client, url: &str, agent: Uuid| {
        let body = json!({"url": url, "agentID": agent});
        let path = "/api/v2/applications/reconnecting-pty-signed-token";
        let answer = api
            .call(Method::POST, path)
            .json(&body)
            .decode::<Value>()
            .await;
        answer
            .map(|v| v["signed_token"].as_str().unwrap().to_owned())
            .map_err(|e| status(&e))
    };
    let owner = a.w.client();
    let stranger = testkit::user(&a.w.db, "bob", &[]).await;
    let stranger = a.w.client_as(stranger.token);
    assert_eq!(issue(&stranger, url.as_str(), a.w.agent).await, Err(404));
    for bad in ["https://evil.example/", "x", a.w.url.as_str()] {
        assert_eq!(issue(&owner, bad, a.w.agent).await, Err(400), "{bad}");
    }
    let token = issue(&owner, url.as_str(), a.w.agent).await.unwrap();
    let nobody = a.w.client_as(String::new().into());
    let open = async |token: &str| {
        let path = format!(
            "{}?reconnect={}&coder_signed_app_token_23db1dde={token}",
            url.path(),
            Uuid::new_v4()
        );
        nobody
            .websocket_messages(&path)
            .await
            .map_err(|error| status(&error))
    };
    assert_eq!(open("").await.err(), Some(404));
    assert_eq!(open(&format!("{token}x")).await.err(), Some(404));
    let mut socket = open(&token).await.unwrap();
    use futures::StreamExt as _;
    let shown = socket.next().await.unwrap().unwrap();
    assert_eq!(&shown.into_data()[..], b"$ ");
}

fn status(error: &client::Error) -> u16 {
    match error {
        client::Error::Api(error) => error.status.as_u16(),
        other => panic!("no answer of the API: {other}"),
    }
}
