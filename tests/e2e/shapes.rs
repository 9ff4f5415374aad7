//! Every answer has the published shape.

use anyhow::{Context, Result, ensure};
use e2e::swagger::Swagger;
use serde_json::Value;

use crate::world::world;

/// Endpoints that answer with JSON once a workspace exists. Names in braces are
/// filled from the first match of the world built below.
const PATHS: &[&str] = &[
    "/api/v2/",
    "/api/v2/appearance",
    "/api/v2/applications/host",
    "/api/v2/audit",
    "/api/v2/auth/scopes",
    "/api/v2/buildinfo",
    "/api/v2/deployment/ssh",
    "/api/v2/entitlements",
    "/api/v2/experiments",
    "/api/v2/experiments/available",
    "/api/v2/groups",
    "/api/v2/organizations",
    "/api/v2/organizations/{organization}",
    "/api/v2/organizations/{organization}/groups",
    "/api/v2/organizations/{organization}/members",
    "/api/v2/organizations/{organization}/members/roles",
    "/api/v2/organizations/{organization}/paginated-members",
    "/api/v2/organizations/{organization}/provisionerdaemons",
    "/api/v2/organizations/{organization}/provisionerjobs",
    "/api/v2/organizations/{organization}/templates",
    "/api/v2/organizations/{organization}/templates/{templatename}",
    "/api/v2/organizations/{organization}/templates/{templatename}/versions/{templateversionname}",
    "/api/v2/regions",
    "/api/v2/templates",
    "/api/v2/templates/examples",
    "/api/v2/templates/{template}",
    "/api/v2/templates/{template}/daus",
    "/api/v2/templates/{template}/versions",
    "/api/v2/templates/{template}/versions/{templateversionname}",
    "/api/v2/templateversions/{templateversion}",
    "/api/v2/templateversions/{templateversion}/external-auth",
    "/api/v2/templateversions/{templateversion}/logs",
    "/api/v2/templateversions/{templateversion}/presets",
    "/api/v2/templateversions/{templateversion}/resources",
    "/api/v2/templateversions/{templateversion}/rich-parameters",
    "/api/v2/templateversions/{templateversion}/variables",
    "/api/v2/updatecheck",
    "/api/v2/users",
    "/api/v2/users/authmethods",
    "/api/v2/users/first",
    "/api/v2/users/roles",
    "/api/v2/users/{user}",
    "/api/v2/users/{user}/appearance",
    "/api/v2/users/{user}/gitsshkey",
    "/api/v2/users/{user}/keys/tokens",
    "/api/v2/users/{user}/keys/tokens/tokenconfig",
    "/api/v2/users/{user}/login-type",
    "/api/v2/users/{user}/organizations",
    "/api/v2/users/{user}/organizations/{organizationname}",
    "/api/v2/users/{user}/preferences",
    "/api/v2/users/{user}/roles",
    "/api/v2/users/{user}/workspace/{workspacename}",
    "/api/v2/users/{user}/workspace/{workspacename}/builds/{buildnumber}",
    "/api/v2/workspaceagents/connection",
    "/api/v2/workspaceagents/{workspaceagent}",
    "/api/v2/workspaceagents/{workspaceagent}/connection",
    "/api/v2/workspaceagents/{workspaceagent}/logs",
    "/api/v2/workspacebuilds/{workspacebuild}",
    "/api/v2/workspacebuilds/{workspacebuild}/logs",
    "/api/v2/workspacebuilds/{workspacebuild}/parameters",
    "/api/v2/workspacebuilds/{workspacebuild}/resources",
    "/api/v2/workspacebuilds/{workspacebuild}/timings",
    "/api/v2/workspaces",
    "/api/v2/workspaces/{workspace}",
    "/api/v2/workspaces/{workspace}/builds",
    "/api/v2/workspaces/{workspace}/resolve-autostart",
    "/api/v2/workspaces/{workspace}/timings",
];

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
    // The real keys are P50 and P95, and Regions.
    ("", ".P50 is not in the definition"),
    ("", ".P95 is not in the definition"),
    ("", ".derp_map.Regions is not in the definition"),
    // Examples have names, not UUIDs.
    ("/api/v2/templates/examples", "is no UUID"),
    // Documented without the owner's name, and with objects for what is text.
    ("/keys/tokens", ".username is not in the definition"),
    ("/keys/tokens", ".allow_list["),
    // Documented as a user.
    ("/api/v2/users/{user}/roles", "$."),
];

fn is_document_error(path: &str, problem: &str) -> bool {
    DOCUMENT_ERRORS
        .iter()
        .any(|(place, part)| path.contains(place) && problem.contains(part))
}

/// The value of a name in braces.
fn fill(name: &str, workspace: &Value, version_name: &str) -> Result<String> {
    let build = &workspace["latest_build"];
    let agent = build["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|r| r["agents"].as_array().into_iter().flatten())
        .next()
        .context("the workspace has no agent")?;
    let value = match name {
        "user" => return Ok("me".to_owned()),
        "organization" | "organizationname" => &workspace["organization_name"],
        "template" => &workspace["template_id"],
        "templatename" => &workspace["template_name"],
        "templateversion" => &build["template_version_id"],
        "templateversionname" => return Ok(version_name.to_owned()),
        "workspace" => &workspace["id"],
        "workspacename" => &workspace["name"],
        "workspacebuild" => &build["id"],
        "buildnumber" => &build["build_number"],
        "workspaceagent" => &agent["id"],
        other => anyhow::bail!("nothing known to fill {{{other}}} with"),
    };
    Ok(value.to_string().trim_matches('"').to_owned())
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
    let version_name = workspace["latest_build"]["template_version_name"]
        .as_str()
        .context("no version name")?
        .to_owned();
    let mut problems = Vec::new();
    for template in PATHS {
        let mut path = (*template).to_owned();
        while let Some((before, rest)) = path.split_once('{') {
            let (name, after) = rest.split_once('}').context("unbalanced braces")?;
            path = format!("{before}{}{after}", fill(name, &workspace, &version_name)?);
        }
        let answer = server.api("GET", &path, "")?;
        if answer.status != 200 {
            problems.push(format!(
                "{template}: status {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body).trim()
            ));
            continue;
        }
        let body = answer.json().with_context(|| (*template).to_owned())?;
        for problem in swagger.problems("GET", template, answer.status, &body) {
            if is_document_error(template, &problem) {
                continue;
            }
            problems.push(format!("{template}: {problem}"));
        }
    }
    server.cli(["delete", "shapes", "-y"]).run()?.ok()?;
    ensure!(
        problems.is_empty(),
        "{} problem(s):\n{}",
        problems.len(),
        problems.join("\n")
    );
    Ok(())
}
