//! A scripted GitHub: what it is asked, and what is made of its answers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response as Answer};
use serde_json::json;

use super::*;

/// What was asked: path with query, and what kind of answer is wanted.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// Answers by path.
type Script = fn(&str, &HeaderMap) -> Answer;

async fn scripted(script: Script) -> (GitHub, Asked) {
    let asked = Asked::default();
    let router =
        Router::new().fallback(async move |State(asked): State<Asked>, request: Request| {
            let path = request.uri().to_string();
            let accept = request.headers()["accept"].to_str().unwrap().to_owned();
            assert!(
                request.headers()["user-agent"]
                    .to_str()
                    .unwrap()
                    .starts_with("coder/")
            );
            asked.lock().unwrap().push((path.clone(), accept));
            script(&path, request.headers())
        });
    let router = router.with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}/api/v3", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut github = GitHub::new(api.parse().unwrap(), client::system_tls().unwrap()).unwrap();
    github.host = "github.com".to_owned();
    (github, asked)
}

fn branch(name: &str) -> GitBranch {
    GitBranch {
        origin: "git@github.com:a/b.git".to_owned(),
        name: name.to_owned(),
    }
}

fn json_answer(value: serde_json::Value) -> Answer {
    axum::Json(value).into_response()
}

fn usual(path: &str, headers: &HeaderMap) -> Answer {
    if headers["accept"] == DIFF {
        return "diff --git a/x b/x\n".into_response();
    }
    match path
        .split('?')
        .next()
        .unwrap()
        .trim_start_matches("/api/v3/repos/a/b")
    {
        "/pulls" => json_answer(json!([{ "number": 7 }])),
        "/pulls/7" => json_answer(json!({
            "number": 7, "html_url": "https://github.com/a/b/pull/7", "state": "closed",
            "merged": true, "title": "Mend it", "draft": false, "additions": 3, "deletions": 1,
            "changed_files": 2, "commits": 4, "head": { "ref": "topic/1" }, "base": { "ref": "main" },
            "user": { "id": 9, "login": "ann", "avatar_url": "https://example.com/ann.png" }
        })),
        "/pulls/7/reviews" => json_answer(json!([
            { "state": "CHANGES_REQUESTED", "user": { "id": 1 } },
            { "state": "CHANGES_REQUESTED", "user": { "id": 2 } },
            { "state": "COMMENTED", "user": { "id": 1 } },
            { "state": "APPROVED", "user": { "id": 2 } },
            { "state": "CHANGES_REQUESTED", "user": null }
        ])),
        "" => json_answer(json!({ "default_branch": "main" })),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn a_branchs_pull_request_is_found_and_shown() {
    let (github, asked) = scripted(usual).await;
    let facts = github.find(&branch("topic/1")).await.unwrap().unwrap();
    assert_eq!(
        facts,
        DiffFacts {
            url: "https://github.com/a/b/pull/7".into(),
            state: "merged".into(),
            title: "Mend it".into(),
            draft: false,
            changes_requested: true,
            number: 7,
            additions: 3,
            deletions: 1,
            changed_files: 2,
            head_branch: "topic/1".into(),
            approved: false,
            reviewer_count: 2,
            author_login: "ann".into(),
            author_avatar_url: "https://example.com/ann.png".into(),
            base_branch: "main".into(),
            commits: 4,
        }
    );
    let diff = "diff --git a/x b/x\n";
    assert_eq!(
        github.compare(&branch("topic/1"), Some(7)).await.unwrap(),
        diff
    );
    assert_eq!(
        github.compare(&branch("topic/1"), None).await.unwrap(),
        diff
    );
    assert_eq!(github.compare(&branch("main"), None).await.unwrap(), "");
    let asked = asked.lock().unwrap();
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    let list = "/api/v3/repos/a/b/pulls?head=a%3Atopic%2F1&state=all&sort=updated&direction=desc&per_page=1";
    assert_eq!(paths[0], list);
    assert_eq!(paths[3], "/api/v3/repos/a/b/pulls/7");
    assert_eq!(asked[3].1, DIFF);
    assert_eq!(paths[5], "/api/v3/repos/a/b/compare/main...topic%2F1");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let (github, _) = scripted(|_, _| StatusCode::NOT_FOUND.into_response()).await;
    assert_eq!(github.find(&branch("x")).await, Ok(None));
    assert_eq!(
        github.compare(&branch("x"), Some(1)).await,
        Ok(String::new())
    );
    let (github, _) = scripted(|_, _| StatusCode::UNAUTHORIZED.into_response()).await;
    assert_eq!(github.find(&branch("x")).await, Err(GitHostError::NoToken));
    let limited: Script = |_, _| (StatusCode::FORBIDDEN, [("retry-after", "90")]).into_response();
    let (github, _) = scripted(limited).await;
    assert_eq!(github.find(&branch("x")).await, Err(GitHostError::Busy(90)));
    let spent: Script = |_, _| {
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "99999999999"),
        ];
        (StatusCode::FORBIDDEN, headers).into_response()
    };
    let (github, _) = scripted(spent).await;
    assert_eq!(
        github.find(&branch("x")).await,
        Err(GitHostError::Busy(MAX_PAUSE))
    );
    for script in [
        (|_, _| StatusCode::FORBIDDEN.into_response()) as Script,
        |_, _| StatusCode::BAD_GATEWAY.into_response(),
        |_, _| "no JSON".into_response(),
        |_, _| json_answer(json!({ "number": 1 })),
    ] {
        let (github, _) = scripted(script).await;
        let found = github.find(&branch("x")).await;
        assert!(matches!(found, Err(GitHostError::Failed(_))), "{found:?}");
    }
    let endless: Script = |_, _| vec![b'x'; MAX_DIFF + 1].into_response();
    let (github, _) = scripted(endless).await;
    let diff = github.compare(&branch("x"), Some(1)).await;
    assert!(diff.unwrap_err().to_string().contains("more than 4 MiB"));
}

#[test]
fn only_its_own_repositories_are_asked_for() {
    let github = GitHub::new(
        "https://api.github.com".parse().unwrap(),
        client::system_tls().unwrap(),
    )
    .unwrap();
    for origin in [
        "https://github.com/a/b.git",
        "https://GitHub.com/a/b",
        "git@github.com:a/b.git",
        "ssh://git@github.com/a/b",
    ] {
        let found = github.repository(origin).unwrap();
        assert_eq!(
            (found.owner.as_str(), found.name.as_str()),
            ("a", "b"),
            "{origin}"
        );
        assert_eq!(github.kind(origin).as_deref(), Some("github"));
    }
    for origin in [
        "",
        "https://github.com/a",
        "https://github.com/a/b/c",
        "https://github.com/../b",
        "https://github.com.example.com/a/b",
        "https://gitlab.com/a/b",
        "git@github.com:a/b?x=1",
        "file:///a/b",
        "../b",
    ] {
        assert_eq!(github.repository(origin), None, "{origin}");
    }
    let enterprise = GitHub::new(
        "https://git.example.com/api/v3/".parse().unwrap(),
        client::system_tls().unwrap(),
    )
    .unwrap();
    assert!(enterprise.kind("git@git.example.com:a/b").is_some());
    let at = enterprise.at(
        &enterprise.repository("git@git.example.com:a/b").unwrap(),
        &["pulls"],
    );
    assert_eq!(
        at.as_str(),
        "https://git.example.com/api/v3/repos/a/b/pulls"
    );
}
