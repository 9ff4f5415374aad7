//! The pages for signing in, as a browser without scripts uses them.

use crate::app::{Answer, App, cookie};

/// A browser's cookies.
#[derive(Default)]
struct Browser(Vec<(String, String)>);

impl Browser {
    async fn send(&mut self, app: &App, method: &str, path: &str, form: &str) -> Answer {
        let cookies: Vec<String> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let headers = [
            ("Cookie", cookies.join("; ")),
            (
                "Content-Type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let answer = app
            .send(method, &format!("!{path}"), &headers, form.to_owned())
            .await;
        for name in ["csrf_token", "coder_session_token"] {
            let value = cookie(&answer, name);
            if !value.is_empty() {
                self.0.retain(|(known, _)| known != name);
                self.0.push((name.to_owned(), value));
            }
        }
        answer
    }

    fn csrf(&self) -> &str {
        self.0
            .iter()
            .find(|(name, _)| name == "csrf_token")
            .map_or("", |(_, value)| value)
    }
}

#[tokio::test]
async fn from_nothing_to_a_token_for_the_command_line() {
    let app = App::new().await;
    let mut browser = Browser::default();
    let home = browser.send(&app, "GET", "/", "").await.is(303);
    assert_eq!(home.header("location"), "/setup");
    assert_eq!(
        browser
            .send(&app, "GET", "/login", "")
            .await
            .is(303)
            .header("location"),
        "/setup"
    );
    let page = browser.send(&app, "GET", "/setup", "").await.is(200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    let fields = "username=ann&email=ann%40example.com&password=";
    browser
        .send(
            &app,
            "POST",
            "/setup",
            &format!("{fields}SomeSecurePassword!"),
        )
        .await
        .is(400);
    let token = browser.csrf().to_owned();
    let weak = format!("csrf_token={token}&{fields}weak");
    assert!(
        browser
            .send(&app, "POST", "/setup", &weak)
            .await
            .is(400)
            .text
            .contains("insecure password")
    );
    let good = format!("csrf_token={token}&{fields}SomeSecurePassword!");
    browser.send(&app, "POST", "/setup", &good).await.is(303);
    assert!(
        browser
            .send(&app, "GET", "/", "")
            .await
            .is(200)
            .text
            .contains("signed in as ann")
    );
    browser.send(&app, "GET", "/cli-auth", "").await.is(200);
    browser
        .send(&app, "POST", "/cli-auth", "csrf_token=wrong")
        .await
        .is(400);
    let shown = browser
        .send(&app, "POST", "/cli-auth", &format!("csrf_token={token}"))
        .await
        .is(200);
    let key = shown
        .text
        .split("<pre tabindex=0>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    app.get("/users/me", key).await.is(200);
}

#[tokio::test]
async fn signing_in_leads_back_to_where_one_was_and_nowhere_else() {
    let app = App::new().await;
    let first = serde_json::json!({"email": "ann@example.com", "username": "ann", "password": "SomeSecurePassword!"});
    app.call("POST", "/users/first", "", first).await.is(201);
    for (redirect, to) in [
        ("%2Fcli-auth", "/cli-auth"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil", "/"),
    ] {
        let mut browser = Browser::default();
        let page = browser
            .send(
                &app,
                "GET",
                &format!("/login?redirect={redirect}&message=%3Cb%3E"),
                "",
            )
            .await
            .is(200);
        assert!(page.text.contains("&lt;b&gt;") && !page.text.contains("<b>"));
        let fields = format!(
            "csrf_token={}&redirect={redirect}&email=ann%40example.com&password=",
            browser.csrf()
        );
        browser
            .send(&app, "POST", "/login", &format!("{fields}WrongPassword1!"))
            .await
            .is(401);
        let answer = browser
            .send(
                &app,
                "POST",
                "/login",
                &format!("{fields}SomeSecurePassword!"),
            )
            .await
            .is(303);
        assert_eq!(answer.header("location"), to);
    }
    let stranger = app.send("GET", "!/cli-auth", &[], "").await.is(303);
    assert_eq!(stranger.header("location"), "/login?redirect=%2Fcli-auth");
}
