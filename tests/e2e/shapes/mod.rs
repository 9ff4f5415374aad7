//! Every answer has the published shape: one call at least of what a deployment with a running
//! workspace can be asked. The client itself compares each answer with the document.

mod reads;
mod writes;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::server::Server;
use serde_json::Value;

use crate::world::world;

/// Calls, and what was wrong with their answers.
struct Calls<'a> {
    server: &'a Server,
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
        let answer = match self.server.api(method, &path, &text) {
            Ok(answer) => answer,
            Err(error) => {
                self.problems.push(format!("{error:#}"));
                return Ok(Value::Null);
            }
        };
        let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
        if !(200..300).contains(&answer.status) {
            let problem = format!("{method} {template}: status {} {text}", answer.status);
            self.problems.push(problem);
            return Ok(Value::Null);
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {template}: {text}"))
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
    if testkit::published::document().is_none() {
        println!("skipped: CODER_TEST_SWAGGER is not set");
        return Ok(());
    }
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
