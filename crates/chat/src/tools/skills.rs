//! `read_skill` and `read_skill_file`: skills of the user and of the workspace.

use api_types::{ContextPart, LsRequest};
use client::agent_api::AgentApi;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::user_skills::UserSkillRow;

use super::args::Args;
use super::{Tool, ToolAnswer, ToolContext};
use crate::skills::{self, MAX_SKILL};

/// Largest file beside a skill, in bytes.
const MAX_FILE: usize = 512 << 10;
/// Files beside a skill that are named.
const MAX_FILES: usize = 200;

/// A skill, and where it is.
enum Found {
    Personal(UserSkillRow),
    Workspace(AgentApi, ContextPart),
}

/// Finds a skill by its name, or by that behind `personal/` or `workspace/`.
async fn find(context: &ToolContext, asked: &str) -> Result<Found, String> {
    let asked = asked.trim();
    let (personal, workspace, name) = match asked.split_once('/') {
        Some(("personal", name)) => (true, false, name),
        Some(("workspace", name)) => (false, true, name),
        _ => (true, true, asked),
    };
    let own = async {
        let conn = context.machine.store().conn().await?;
        let owner = context.chat.owner_id;
        conn.user_skill_list(&context.who, owner).await
    };
    let own = own.await.map_err(|error| error.to_string())?;
    let own: Vec<UserSkillRow> = own.into_iter().filter(|_| personal).collect();
    let (there, away) = if workspace {
        match in_workspace(context).await {
            Ok((api, parts)) => (Some((api, parts)), None),
            Err(why) => (None, Some(why)),
        }
    } else {
        (None, None)
    };
    let names: Vec<String> = own
        .iter()
        .map(|skill| format!("personal/{}", skill.name))
        .chain(there.iter().flat_map(|(_, parts)| {
            parts
                .iter()
                .map(|part| format!("workspace/{}", part.skill_name))
        }))
        .collect();
    let mine = own.into_iter().find(|skill| skill.name == name);
    let theirs = there.and_then(|(api, parts)| {
        let part = parts.into_iter().find(|part| part.skill_name == name)?;
        Some(Found::Workspace(api, part))
    });
    match (mine, theirs) {
        (Some(_), Some(_)) => Err(format!(
            "There are two skills {name:?}: personal/{name} and workspace/{name}. Name one of them."
        )),
        (Some(mine), None) => Ok(Found::Personal(mine)),
        (None, Some(theirs)) => Ok(theirs),
        (None, None) => {
            let mut text = format!("There is no skill {asked:?}.");
            if !names.is_empty() {
                text.push_str(&format!(" There are: {}.", names.join(", ")));
            }
            if let Some(why) = away {
                text.push_str(&format!(" Those of the workspace are not known: {why}"));
            }
            Err(text)
        }
    }
}

async fn in_workspace(context: &ToolContext) -> Result<(AgentApi, Vec<ContextPart>), String> {
    let api = context.workspace.connect().await?;
    let config = api.context_config().await;
    let mut parts = config.map_err(|error| error.to_string())?.parts;
    parts.retain(|part| part.r#type == "skill" && !part.skill_dir.is_empty());
    Ok((api, parts))
}

/// Reads a skill.
pub struct ReadSkill;

impl Tool for ReadSkill {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            "read_skill",
            "Read a skill: instructions for a kind of task, of the user or of the workspace. Where \
             both have one of a name, name it personal/name or workspace/name.",
            json!({
                "type": "object",
                "properties": { "name": { "type": "string" } },
                "required": ["name"],
            }),
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let read = read(context, &Args(args)).await;
            read.map_or_else(ToolAnswer::error, ToolAnswer::ok)
        })
    }
}

async fn read(context: &ToolContext, args: &Args) -> Result<Value, String> {
    let (api, part) = match find(context, args.text("name")?).await? {
        Found::Personal(skill) => {
            return Ok(json!({ "name": skill.name, "body": skills::body(&skill.content) }));
        }
        Found::Workspace(api, part) => (api, part),
    };
    let meta = match part.context_file_skill_meta_file.as_str() {
        "" => "SKILL.md",
        name => name,
    };
    let dir = part.skill_dir.trim_end_matches('/');
    let text = text(&api, &format!("{dir}/{meta}"), MAX_SKILL).await?;
    let inside = api.list_directory(dir, &LsRequest::default()).await;
    let inside = inside.map_err(|error| error.to_string())?.contents;
    let files: Vec<String> = inside
        .into_iter()
        .filter(|file| file.name != meta && !file.name.starts_with('.'))
        .take(MAX_FILES)
        .map(|file| {
            if file.is_dir {
                format!("{}/", file.name)
            } else {
                file.name
            }
        })
        .collect();
    Ok(json!({
        "name": part.skill_name,
        "body": skills::body(&text),
        "files": files,
        "dir": dir,
    }))
}

/// Reads a file beside a skill.
pub struct ReadSkillFile;

impl Tool for ReadSkillFile {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            "read_skill_file",
            "Read a file beside a skill of the workspace, which read_skill names.",
            json!({
                "type": "object",
                "properties": {
                    "name": { "type": "string", "description": "The skill." },
                    "path": { "type": "string", "description": "Relative to the skill." },
                },
                "required": ["name", "path"],
            }),
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let read = read_beside(context, &Args(args)).await;
            read.map_or_else(ToolAnswer::error, ToolAnswer::ok)
        })
    }
}

async fn read_beside(context: &ToolContext, args: &Args) -> Result<Value, String> {
    let (name, path) = (args.text("name")?, args.text("path")?);
    inside(path)?;
    let Found::Workspace(api, part) = find(context, name).await? else {
        return Err("Skills of the user have no files beside them.".to_owned());
    };
    let dir = part.skill_dir.trim_end_matches('/');
    let full = format!("{dir}/{path}");
    let (real_dir, real) = futures::try_join!(api.resolve_path(dir), api.resolve_path(&full))
        .map_err(|error| error.to_string())?;
    if !real.starts_with(&format!("{}/", real_dir.trim_end_matches('/'))) {
        return Err(format!("{path:?} leads out of the skill's directory"));
    }
    Ok(json!({ "content": text(&api, &real, MAX_FILE).await? }))
}

/// Whether a path stays below where it begins, and names nothing hidden.
fn inside(path: &str) -> Result<(), String> {
    let fine = |part: &str| !part.is_empty() && !part.starts_with('.');
    if path.contains(['\\', '\0']) || !path.split('/').all(fine) {
        return Err(format!(
            "path must lead into the skill's directory, to a file that is not hidden: {path:?}"
        ));
    }
    Ok(())
}

async fn text(api: &AgentApi, path: &str, most: usize) -> Result<String, String> {
    let body = api.read_file(path, 0, most as u64 + 1).await;
    let data = body.map_err(|error| error.to_string())?;
    let data = data.bytes(most + 1).await;
    let data = data.map_err(|error| error.to_string())?;
    if data.len() > most {
        return Err(format!("{path} has more than {} KiB", most >> 10));
    }
    String::from_utf8(data.to_vec()).map_err(|_| format!("{path} is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for good in ["a.md", "roles/a.md"] {
            assert!(inside(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            ".env",
            "a/.git/x",
            "a//b",
            "a\\b",
            "a/",
        ] {
            assert!(inside(bad).is_err(), "{bad}");
        }
    }
}
