//! Apps in the browser: who is let in, what passes, and what an app cannot do.

mod admission;
mod isolation;
mod pages;
mod traffic;

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
