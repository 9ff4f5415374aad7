//! Every answer has the published shape.

mod reads;
mod writes;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::{server::Server, swagger::Swagger};
use serde_json::Value;

use crate::world::world;

/// Where the published document is wrong about the published server, or older than the API that we
/// serve: an endpoint (or a part of its path), and a part of the finding.
const DOCUMENT_ERRORS: &[(&str, &str)] = &[
    // Newer than the document.
    ("/api/v2/auth/scopes", "chat_model_config"),
    ("", "latest_build.reason"),
    ("", "$.reason: "),
    ("", "].reason: "),
    // Documented as a list of themselves.
    ("/api/v2/experiments/available", "an array is expected"),
    ("/paginated-members", "an array is expected"),
    ("/versions/{templateversionname}", "an array is expected"),
    ("/notifications/dispatch-methods", "an array is expected"),
    ("/acl/available", "an array is expected"),
    ("/quiet-hours", "an array is expected"),
    ("/workspaceproxies", "an array is expected"),
    ("/members/roles", "an array is expected"),
    // The real keys are P50 and P95, and those of the map of relays.
    ("", ".P50 is not in the definition"),
    ("", ".P95 is not in the definition"),
    ("", ".derp_map.Regions is not in the definition"),
    ("/debug/health", ".node."),
    ("/debug/health", ".region."),
    ("/debug/health", ".netcheck."),
    ("/debug/health", ".stun."),
    // We say it of each part.
    ("/debug/health", "provisioner_daemons.healthy"),
    // Examples have names, not UUIDs.
    ("/templates/examples", "is no UUID"),
    // Documented without the owner's name, and with objects for what is text.
    ("/keys/tokens", ".username is not in the definition"),
    ("/keys/", ".allow_list["),
    ("/deployment/config", "url: an object is expected"),
    ("/deployment/config", "address: an object is expected"),
    ("/deployment/config", "endpoint: an object is expected"),
    (
        "/deployment/config",
        "group_regex_filter: an object is expected",
    ),
    // Options of our own, or newer than the document.
    ("/deployment/config", "is not in the definition"),
    // Documented as a user.
    ("/api/v2/users/{user}/roles", "$."),
    // Documented as one link.
    ("/api/v2/external-auth", "$."),
    // Users are dormant before they first sign in.
    ("/users", "$.status: \"dormant\""),
    // Other answers than documented.
    ("/members/roles/{roleName}", "status 204"),
    ("/organizations/{organization}/templates", "status 201"),
    ("archive", "an object is expected, not \"template version"),
    ("/versions/archive", "is not in the definition"),
    ("/groups/{group}", "$.message is not in the definition"),
];

fn is_document_error(path: &str, problem: &str) -> bool {
    DOCUMENT_ERRORS
        .iter()
        .any(|(place, part)| path.contains(place) && problem.contains(part))
}

/// Calls, and what was wrong with their answers.
struct Calls<'a> {
    server: &'a Server,
    swagger: Swagger,
    /// What names in braces stand for.
    names: BTreeMap<&'static str, String>,
    problems: Vec<String>,
}

impl Calls<'_> {
    /// Sets what `name` in braces stands for from now on.
    fn set(&mut self, name: &'static str, value: &Value) {
        let text = value.to_string().trim_matches('"').to_owned();
        self.names.insert(name, text);
    }

    fn get(&mut self, template: &str) -> Result<Value> {
        self.call("GET", template, &Value::Null)
    }

    /// Calls the endpoint that `template` names, and checks the answer.
    fn call(&mut self, method: &str, template: &str, body: &Value) -> Result<Value> {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let path = self.fill(template)?;
        let answer = self.server.api(method, &path, &text)?;
        let documented = template.split('?').next().unwrap_or_default();
        let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
        if !(200..300).contains(&answer.status) {
            let problem = format!("{method} {template}: status {} {text}", answer.status);
            self.problems.push(problem);
            return Ok(Value::Null);
        }
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).with_context(|| format!("{method} {template}: {text}"))?
        };
        let found = self
            .swagger
            .problems(method, documented, answer.status, &body);
        for problem in found {
            if !is_document_error(documented, &problem) {
                self.problems
                    .push(format!("{method} {template}: {problem}"));
            }
        }
        Ok(body)
    }

    fn fill(&self, template: &str) -> Result<String> {
        let mut path = template.to_owned();
        while let Some((before, rest)) = path.split_once('{') {
            let (name, after) = rest.split_once('}').context("unbalanced braces")?;
            let value = self.names.get(name);
            let value = value.with_context(|| format!("nothing known to fill {{{name}}} with"))?;
            path = format!("{before}{value}{after}");
        }
        Ok(path)
    }

    /// Fills names from a workspace that runs.
    fn know(&mut self, workspace: &Value) -> Result<()> {
        let build = &workspace["latest_build"];
        let resources = build["resources"].as_array().into_iter().flatten();
        let mut agents = resources.flat_map(|r| r["agents"].as_array().into_iter().flatten());
        let agent = agents.next().context("the workspace has no agent")?;
        for (name, value) in [
            ("user", &Value::from("me")),
            ("organization", &workspace["organization_id"]),
            ("organizationname", &workspace["organization_name"]),
            // Everyone's group, whose id is the organization's.
            ("group", &workspace["organization_id"]),
            ("groupName", &Value::from("Everyone")),
            ("template", &workspace["template_id"]),
            ("templatename", &workspace["template_name"]),
            ("templateversion", &build["template_version_id"]),
            ("templateversionname", &build["template_version_name"]),
            ("workspace", &workspace["id"]),
            ("workspacename", &workspace["name"]),
            ("workspacebuild", &build["id"]),
            ("buildnumber", &build["build_number"]),
            ("workspaceagent", &agent["id"]),
            ("agentname", &agent["name"]),
        ] {
            self.set(name, value);
        }
        Ok(())
    }
}

pub fn responses() -> Result<()> {
    let Some(swagger) = Swagger::find()? else {
        return Ok(());
    };
    let server = &world()?.server;
    server
        .cli(["create", "shapes", "--template", "process", "-y"])
        .run()?
        .ok()?;
    server.cli(["ssh", "shapes", "true"]).run()?.ok()?;
    let workspace = server
        .api("GET", "/api/v2/users/me/workspace/shapes", "")?
        .json()?;
    let mut calls = Calls {
        server,
        swagger,
        names: BTreeMap::new(),
        problems: Vec::new(),
    };
    calls.know(&workspace)?;
    let version = calls.get("/api/v2/templateversions/{templateversion}")?;
    calls.set("job", &version["job"]["id"]);
    calls.set("file", &version["job"]["file_id"]);
    reads::check(&mut calls)?;
    writes::check(&mut calls)?;
    let problems = calls.problems;
    server.cli(["delete", "shapes", "-y"]).run()?.ok()?;
    ensure!(
        problems.is_empty(),
        "{} problem(s):\n{}",
        problems.len(),
        problems.join("\n")
    );
    Ok(())
}
