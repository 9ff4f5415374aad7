//! Who is let in to an app, and how a browser proves it.

use client::Client;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::{app_world, token};
use crate::agent_conn::serve;
use crate::browser::get;

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
        "http://wiki.apps.test.local/",
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
