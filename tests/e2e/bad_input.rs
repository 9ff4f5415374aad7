//! Bad input gets a clear error, and the server lives on.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use e2e::{command::eventually, http};

use crate::world::world;

pub fn http() -> Result<()> {
    let server = &world()?.server;
    let cases: &[(&str, &str, &str, &[u16])] = &[
        ("GET", "/api/v2/no-such-route", "", &[404]),
        ("GET", "/api/v2/workspaces/not-a-uuid", "", &[400]),
        (
            "GET",
            "/api/v2/workspaces?limit=99999999999999999999",
            "",
            &[400],
        ),
        ("GET", "/api/v2/workspaces?q=nonsense:yes", "", &[400]),
        ("GET", "/api/v2/users?limit=-1", "", &[400]),
        ("DELETE", "/api/v2/buildinfo", "", &[404, 405]),
        ("POST", "/api/v2/users/me/keys/tokens", "{", &[400]),
        (
            "POST",
            "/api/v2/users/me/keys/tokens",
            "{\"lifetime\":-1}",
            &[400],
        ),
        (
            "POST",
            "/api/v2/users/me/workspaces",
            "{\"name\":\"\\u0000\"}",
            &[400],
        ),
        (
            "POST",
            "/api/v2/users/me/workspaces",
            "{\"name\":\"🦀\",\"template_id\":\"00000000-0000-0000-0000-000000000000\"}",
            &[400],
        ),
        ("GET", "/api/v2/users/no%00body", "", &[400, 404]),
    ];
    for (method, path, body, allowed) in cases {
        let answer = server.api(method, path, body)?;
        ensure!(
            allowed.contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        ensure!(
            answer.json()?["message"].is_string(),
            "{method} {path}: no message"
        );
    }

    let deep = "[".repeat(10_000);
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(10_000));
    for body in [deep, long] {
        let answer = server.api("POST", "/api/v2/users/me/workspaces", &body)?;
        ensure!(answer.status == 400, "{}", answer.status);
    }

    for path in [
        "/api/v2/users/me",
        "/api/v2/workspaces",
        "/api/v2/audit?limit=1",
    ] {
        for token in ["", "short", "aaaaaaaaaa-aaaaaaaaaaaaaaaaaaaaaa"] {
            let answer = server.api_as(token, "GET", path, "")?;
            ensure!(
                answer.status == 401,
                "{path} with token {token:?}: {}",
                answer.status
            );
        }
    }
    let agent = "00000000-0000-0000-0000-000000000001";
    let answer = server.api_as(agent, "GET", "/api/v2/workspaceagents/me/gitsshkey", "")?;
    ensure!(answer.status == 401, "wrong agent token: {}", answer.status);

    // Garbage where the relay and the sockets expect a handshake.
    for request in [
        "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n\u{1}\u{2}garbage",
        "GARBAGE\r\n\r\n",
        "GET /api/v2/workspaceagents/me/rpc HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ] {
        // Any answer or a closed connection is fine; a dead server is not.
        let _ = http::raw(&server.authority, request.as_bytes());
    }
    ensure!(server.api("GET", "/api/v2/users/me", "")?.status == 200);
    Ok(())
}

pub fn templates() -> Result<()> {
    let server = &world()?.server;
    let dir = server.dir().join("broken");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(
        dir.join("main.tf"),
        "resource \"coder_agent\" \"main\" {\n  os = \n}\n",
    )?;
    let dir = dir.display().to_string();
    let out = server
        .cli(["templates", "push", "broken", "-d", &dir, "-y"])
        .run()?
        .expect_code(1)?;
    ensure!(
        out.all().contains("main.tf") && (out.all().contains(":2") || out.all().contains("line 2")),
        "the error names neither file nor line: {}",
        out.all()
    );

    let answer = http::request(
        &server.authority,
        "POST",
        "/api/v2/files",
        &[
            ("Coder-Session-Token", &server.token()?),
            ("Content-Type", "application/zip"),
        ],
        b"this is no zip",
    )?;
    ensure!(answer.status == 400, "{}", answer.status);
    Ok(())
}

pub fn same_name_at_once() -> Result<()> {
    let world = world()?;
    let templates = world.server.api("GET", "/api/v2/templates", "")?.json()?;
    let id = templates
        .as_array()
        .and_then(|t| t.iter().find(|t| t["name"] == "process"))
        .map(|t| t["id"].clone())
        .unwrap_or_default();
    let body = format!("{{\"name\":\"contested\",\"template_id\":{id}}}");
    let answers: Vec<u16> = thread::scope(|scope| {
        let handles: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    world
                        .server
                        .api("POST", "/api/v2/users/me/workspaces", &body)
                        .map_or(0, |a| a.status)
                })
            })
            .collect();
        handles.into_iter().map(|h| h.join().unwrap_or(0)).collect()
    });
    let created = answers.iter().filter(|s| **s == 201).count();
    let refused = answers.iter().filter(|s| **s == 409).count();
    ensure!(created == 1 && refused == 15, "{answers:?}");
    // Its build is still under way, and refuses another until it has ended.
    eventually("the build ends", Duration::from_secs(30), || {
        let path = "/api/v2/users/me/workspace/contested";
        let build = world.server.api("GET", path, "")?.json()?["latest_build"].clone();
        Ok((build["job"]["status"] == "succeeded").then_some(()))
    })?;
    world
        .server
        .cli(["delete", "contested", "-y"])
        .run()?
        .ok()?;
    Ok(())
}
