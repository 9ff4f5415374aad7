//! Endpoints that change something: people, organizations, templates, a workspace, in the order in
//! which one needs the other.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::command::eventually;
use e2e::server::PASSWORD;
use serde_json::{Value, json};

use super::Calls;

const NONE: &Value = &Value::Null;

pub(super) fn check(calls: &mut Calls<'_>) -> Result<()> {
    people(calls)?;
    oneself(calls)?;
    organizations(calls)?;
    templates(calls)?;
    workspaces(calls)
}

/// Another user, who stays for what follows.
fn people(calls: &mut Calls<'_>) -> Result<()> {
    let made = calls.call(
        "POST",
        "/api/v2/users",
        &json!({
            "username": "shapely", "email": "shapely@example.com", "password": PASSWORD,
            "login_type": "password", "organization_ids": [calls.names["organization"]],
        }),
    )?;
    calls.set("user", &made["id"]);
    calls.set("other", &made["id"]);
    for (method, path, body) in [
        (
            "PUT",
            "profile",
            json!({"username": "shapelier", "name": "S"}),
        ),
        (
            "PUT",
            "password",
            json!({"password": "Another-Horse-9-Battery"}),
        ),
        ("PUT", "roles", json!({"roles": ["auditor"]})),
        ("PUT", "status/suspend", Value::Null),
        ("PUT", "status/activate", Value::Null),
    ] {
        let path = format!("/api/v2/users/{{user}}/{path}");
        calls.call(method, &path, &body)?;
    }
    calls.set("user", &Value::from("me"));
    Ok(())
}

/// What users change of their own, and questions that are sent as bodies.
fn oneself(calls: &mut Calls<'_>) -> Result<()> {
    let look = json!({"theme_preference": "dark", "terminal_font": "fira-code"});
    let token = json!({"lifetime": 3_600_000_000_000_i64, "scope": "all", "token_name": "shape"});
    let pty = format!(
        "ws://{}/api/v2/workspaceagents/{}/pty",
        calls.server.authority, calls.names["workspaceagent"]
    );
    for (method, path, body) in [
        ("PUT", "/api/v2/users/{user}/appearance", look),
        (
            "PUT",
            "/api/v2/users/{user}/preferences",
            json!({"task_notification_alert_dismissed": true}),
        ),
        ("PUT", "/api/v2/users/{user}/gitsshkey", Value::Null),
        (
            "PUT",
            "/api/v2/users/{user}/quiet-hours",
            json!({"schedule": "CRON_TZ=UTC 0 3 * * *"}),
        ),
        (
            "PUT",
            "/api/v2/users/{user}/notifications/preferences",
            json!({"template_disabled_map": {}}),
        ),
        ("POST", "/api/v2/users/{user}/keys", Value::Null),
        ("POST", "/api/v2/users/{user}/keys/tokens", token),
        (
            "POST",
            "/api/v2/users/login",
            json!({"email": e2e::server::EMAIL, "password": PASSWORD}),
        ),
        (
            "POST",
            "/api/v2/users/validate-password",
            json!({"password": "short"}),
        ),
        (
            "POST",
            "/api/v2/authcheck",
            json!({"checks": {"a": {"object": {"resource_type": "workspace"}, "action": "read"}}}),
        ),
        (
            "POST",
            "/api/v2/applications/reconnecting-pty-signed-token",
            json!({"url": pty, "agentID": calls.names["workspaceagent"]}),
        ),
        (
            "PUT",
            "/api/v2/notifications/inbox/mark-all-as-read",
            Value::Null,
        ),
    ] {
        calls.call(method, path, &body)?;
    }
    let tokens = calls.get("/api/v2/users/{user}/keys/tokens")?;
    calls.set("keyid", &tokens[0]["id"]);
    calls.set("keyname", &Value::from("shape"));
    calls.get("/api/v2/users/{user}/keys/{keyid}")?;
    calls.get("/api/v2/users/{user}/keys/tokens/{keyname}")?;
    Ok(())
}

/// An organization with a group, a role and a member, and its end.
fn organizations(calls: &mut Calls<'_>) -> Result<()> {
    let home = calls.names["organization"].clone();
    let made = calls.call(
        "POST",
        "/api/v2/organizations",
        &json!({"name": "shapes", "display_name": "Shapes"}),
    )?;
    calls.set("organization", &made["id"]);
    calls.set("user", &Value::from(calls.names["other"].clone()));
    calls.set("roleName", &Value::from("shaper"));
    let role = |permissions: Value| {
        json!({
            "name": "shaper", "display_name": "", "site_permissions": [], "user_permissions": [],
            "organization_permissions": permissions,
        })
    };
    let read = json!([{"negate": false, "resource_type": "workspace", "action": "read"}]);
    let roles = "/api/v2/organizations/{organization}/members/roles";
    let member = "/api/v2/organizations/{organization}/members/{user}";
    for (method, path, body) in [
        (
            "PATCH",
            "/api/v2/organizations/{organization}",
            json!({"description": "d"}),
        ),
        ("POST", member, Value::Null),
        ("POST", roles, role(read)),
        ("PUT", roles, role(json!([]))),
        (
            "PUT",
            "/api/v2/organizations/{organization}/members/{user}/roles",
            json!({"roles": ["shaper"]}),
        ),
        (
            "DELETE",
            "/api/v2/organizations/{organization}/members/roles/{roleName}",
            Value::Null,
        ),
        (
            "PATCH",
            "/api/v2/organizations/{organization}/settings/workspace-sharing",
            json!({"sharing_disabled": false, "shareable_workspace_owners": "everyone"}),
        ),
    ] {
        calls.call(method, path, &body)?;
    }
    let group = calls.call(
        "POST",
        "/api/v2/organizations/{organization}/groups",
        &json!({"name": "shapers", "quota_allowance": 3}),
    )?;
    calls.set("group", &group["id"]);
    let change = json!({"add_users": [calls.names["other"]], "display_name": "Shapers"});
    calls.call("PATCH", "/api/v2/groups/{group}", &change)?;
    calls.call("DELETE", "/api/v2/groups/{group}", NONE)?;
    calls.call("DELETE", member, NONE)?;
    calls.call("DELETE", "/api/v2/organizations/{organization}", NONE)?;
    calls.set("organization", &Value::from(home));
    calls.set("user", &Value::from("me"));
    Ok(())
}

/// A version of the file that the shared template was made from.
fn version(calls: &mut Calls<'_>, more: (&str, Value)) -> Result<Value> {
    let mut request = json!({
        "storage_method": "file", "file_id": calls.names["file"], "provisioner": "terraform",
        "tags": {},
    });
    request[more.0] = more.1;
    let made = calls.call(
        "POST",
        "/api/v2/organizations/{organization}/templateversions",
        &request,
    )?;
    calls.set("templateversion", &made["id"]);
    Ok(made)
}

fn ended(calls: &Calls<'_>, path: &str, job: &[&str]) -> Result<()> {
    let path = calls.fill(path)?;
    eventually("the job ends", Duration::from_mins(1), || {
        let body = calls.server.api("GET", &path, "")?.json()?;
        let job = job.iter().fold(&body, |at, key| &at[*key]);
        let status = job["status"].as_str().context("no status")?;
        Ok((!matches!(status, "pending" | "running" | "canceling")).then_some(()))
    })
}

fn imported(calls: &Calls<'_>) -> Result<()> {
    ended(
        calls,
        "/api/v2/templateversions/{templateversion}",
        &["job"],
    )
}

/// A template with two versions, a dry run, and an import that nobody takes.
fn templates(calls: &mut Calls<'_>) -> Result<()> {
    version(calls, ("name", Value::from("first")))?;
    imported(calls)?;
    let first = calls.names["templateversion"].clone();
    let made = calls.call(
        "POST",
        "/api/v2/organizations/{organization}/templates",
        &json!({"name": "shapes", "template_version_id": first}),
    )?;
    let template = made["id"].clone();
    calls.set("template", &template);
    calls.set("templatename", &made["name"]);
    let perms = json!({"user_perms": {(calls.names["other"].as_str()): "use"}, "group_perms": {}});
    calls.call(
        "PATCH",
        "/api/v2/templates/{template}",
        &json!({"display_name": "Shapes", "max_port_share_level": "public"}),
    )?;
    calls.call("PATCH", "/api/v2/templates/{template}/acl", &perms)?;
    calls.get("/api/v2/templates/{template}/acl")?;
    calls.call(
        "PATCH",
        "/api/v2/templateversions/{templateversion}",
        &json!({"message": "m"}),
    )?;

    let second = version(calls, ("template_id", template.clone()))?;
    imported(calls)?;
    calls.set("templateversionname", &second["name"]);
    calls.get(
        "/api/v2/organizations/{organization}/templates/{templatename}/versions/{templateversionname}/previous",
    )?;
    calls.call(
        "PATCH",
        "/api/v2/templates/{template}/versions",
        &json!({"id": second["id"]}),
    )?;
    calls.call(
        "POST",
        "/api/v2/templateversions/{templateversion}/dynamic-parameters/evaluate",
        &json!({"id": 1, "inputs": {}, "owner_id": calls.names["other"]}),
    )?;
    let run = calls.call(
        "POST",
        "/api/v2/templateversions/{templateversion}/dry-run",
        &json!({"workspace_name": "x", "rich_parameter_values": [], "user_variable_values": []}),
    )?;
    calls.set("jobID", &run["id"]);
    let dry_run = "/api/v2/templateversions/{templateversion}/dry-run/{jobID}";
    ended(calls, dry_run, &[])?;
    for part in ["", "/logs", "/matched-provisioners", "/resources"] {
        calls.get(&format!("{dry_run}{part}"))?;
    }
    calls.set("templateversion", &Value::from(first));
    for path in ["archive", "unarchive"] {
        let path = format!("/api/v2/templateversions/{{templateversion}}/{path}");
        calls.call("POST", &path, NONE)?;
    }
    calls.call(
        "POST",
        "/api/v2/templates/{template}/versions/archive",
        &json!({"all": true}),
    )?;
    version(calls, ("tags", json!({"nobody": "has this"})))?;
    calls.call(
        "PATCH",
        "/api/v2/templateversions/{templateversion}/cancel",
        NONE,
    )?;
    Ok(())
}

fn built(calls: &Calls<'_>) -> Result<()> {
    ended(
        calls,
        "/api/v2/workspaces/{workspace}?include_deleted=true",
        &["latest_build", "job"],
    )
}

fn build(calls: &mut Calls<'_>, transition: &str) -> Result<()> {
    let made = calls.call(
        "POST",
        "/api/v2/workspaces/{workspace}/builds",
        &json!({"transition": transition}),
    )?;
    calls.set("workspacebuild", &made["id"]);
    Ok(())
}

/// A workspace, from its creation to its end, and that of its template.
fn workspaces(calls: &mut Calls<'_>) -> Result<()> {
    let made = calls.call(
        "POST",
        "/api/v2/users/{user}/workspaces",
        &json!({"template_id": calls.names["template"], "name": "shapely"}),
    )?;
    calls.set("workspace", &made["id"]);
    built(calls)?;
    let shares = json!({"user_roles": {(calls.names["other"].as_str()): "use"}});
    let port = json!({
        "agent_name": calls.names["agentname"], "port": 8080, "share_level": "authenticated",
        "protocol": "http",
    });
    for (method, path, body) in [
        ("PUT", "ttl", json!({"ttl_ms": 3_600_000})),
        (
            "PUT",
            "autostart",
            json!({"schedule": "CRON_TZ=UTC 0 9 * * 1-5"}),
        ),
        ("PUT", "autoupdates", json!({"automatic_updates": "always"})),
        ("PUT", "favorite", Value::Null),
        ("DELETE", "favorite", Value::Null),
        ("POST", "usage", Value::Null),
        ("PATCH", "acl", shares),
        ("DELETE", "acl", Value::Null),
        ("POST", "port-share", port),
        (
            "DELETE",
            "port-share",
            json!({"agent_name": calls.names["agentname"], "port": 8080}),
        ),
    ] {
        let path = format!("/api/v2/workspaces/{{workspace}}/{path}");
        calls.call(method, &path, &body)?;
    }
    let name = json!({"name": "shapely"});
    calls.call("PATCH", "/api/v2/workspaces/{workspace}", &name)?;
    build(calls, "start")?;
    calls.call(
        "PATCH",
        "/api/v2/workspacebuilds/{workspacebuild}/cancel",
        NONE,
    )?;
    built(calls)?;
    build(calls, "start")?;
    built(calls)?;
    let later = time_in(2 * 3600)?;
    calls.call(
        "PUT",
        "/api/v2/workspaces/{workspace}/extend",
        &json!({"deadline": later}),
    )?;
    build(calls, "stop")?;
    built(calls)?;
    for dormant in [true, false] {
        let body = json!({"dormant": dormant});
        calls.call("PUT", "/api/v2/workspaces/{workspace}/dormant", &body)?;
        built(calls)?;
    }
    build(calls, "delete")?;
    built(calls)?;
    calls.call("DELETE", "/api/v2/templates/{template}", NONE)?;
    calls.set("user", &Value::from(calls.names["other"].clone()));
    calls.call("DELETE", "/api/v2/users/{user}", NONE)?;
    Ok(())
}

/// A time from now on, as the API writes it.
fn time_in(seconds: u64) -> Result<String> {
    let date = std::process::Command::new("date")
        .args([
            "-u",
            "-d",
            &format!("{seconds} seconds"),
            "+%Y-%m-%dT%H:%M:%SZ",
        ])
        .output()?;
    Ok(String::from_utf8(date.stdout)?.trim().to_owned())
}
