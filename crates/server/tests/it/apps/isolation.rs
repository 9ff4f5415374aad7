//! What an app gets of us, and what it cannot do.

use tokio::io::AsyncReadExt as _;

use super::{app_world, token};
use crate::browser::get;

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
    // So do apps under a path, which the dashboard's cookie opens.
    let at_path = |method, origin: &str| {
        let own = format!("127.0.0.1:{}", a.port);
        get(a.port, &own, "/@ann/dev/apps/web/x")
            .method(method)
            .header("Origin", origin)
            .header("Content-Length", "0")
            .header(
                "Cookie",
                &format!("coder_session_token={}", token(&a.w.owner)),
            )
    };
    let own = format!("http://127.0.0.1:{}", a.port);
    for (method, origin, status) in [
        ("POST", foreign, 403),
        ("GET", foreign, 200),
        ("POST", same, 200),
        ("POST", &own, 200),
    ] {
        let answer = at_path(method, origin).send().await;
        assert_eq!(answer.status, status, "{method} {origin}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let mut io = at_path("GET", foreign)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .open()
        .await;
    io.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 403");
    // A page may hide where it is, but not from the browser.
    for (site, status) in [("same-site", 403), ("same-origin", 200)] {
        let hidden = ask("POST", "null").header("Sec-Fetch-Site", site);
        assert_eq!(hidden.send().await.status, status, "{site}");
        let hidden = at_path("POST", "null").header("Sec-Fetch-Site", site);
        assert_eq!(hidden.send().await.status, status, "{site} under a path");
    }
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
