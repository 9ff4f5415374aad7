//! `read_skill` and `read_skill_file`: skills of the user and of the workspace.

use std::time::Duration;

use api_types::{ContextPart, LsRequest, skill_body};
use client::agent_api::AgentApi;
use serde_json::json;
use store::user_skills::UserSkillRow;
use store::workspace_agents::ContextResourceRow;

use super::ToolContext;
use super::args::Args;
use super::files::whole;
use super::shape::{Done, Failed, Simple};
use crate::prompt::workspace;
use crate::skills::MAX_SKILL;

/// The file that makes a directory a skill, where nothing else is said.
const META: &str = "SKILL.md";
/// Largest file beside a skill, in bytes.
const MAX_FILE: usize = 512 << 10;
/// How long a skill that is known waits for the names of files beside it.
const BESIDE: Duration = Duration::from_secs(3);
/// Files beside a skill that are named.
const MAX_FILES: usize = 200;

/// A skill, and where it is.
enum Found {
    Personal(UserSkillRow),
    Workspace(There),
}

/// A skill of the workspace.
struct There {
    name: String,
    /// Its directory.
    dir: String,
    /// The file that makes it a skill, within the directory.
    meta: String,
    /// What that file says, where the chat was told.
    content: Option<String>,
}

impl From<ContextResourceRow> for There {
    fn from(row: ContextResourceRow) -> Self {
        There {
            name: row.name,
            dir: row.source.trim_end_matches('/').to_owned(),
            meta: META.to_owned(),
            content: Some(row.content),
        }
    }
}

impl From<ContextPart> for There {
    fn from(part: ContextPart) -> Self {
        There {
            name: part.skill_name,
            dir: part.skill_dir.trim_end_matches('/').to_owned(),
            meta: match part.context_file_skill_meta_file.as_str() {
                "" => META.to_owned(),
                name => name.to_owned(),
            },
            content: None,
        }
    }
}

/// Finds a skill by its name, or by that behind `personal/` or `workspace/`.
async fn find(context: &ToolContext, asked: &str) -> Result<Found, Failed> {
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
            Ok(there) => (there, None),
            Err(why) => (Vec::new(), Some(why)),
        }
    } else {
        (Vec::new(), None)
    };
    let names: Vec<String> = own
        .iter()
        .map(|skill| format!("personal/{}", skill.name))
        .chain(
            there
                .iter()
                .map(|skill| format!("workspace/{}", skill.name)),
        )
        .collect();
    let mine = own.into_iter().find(|skill| skill.name == name);
    let theirs = there.into_iter().find(|skill| skill.name == name);
    match (mine, theirs) {
        (Some(_), Some(_)) => Err(Failed(format!(
            "There are two skills {name:?}: personal/{name} and workspace/{name}. Name one of them."
        ))),
        (Some(mine), None) => Ok(Found::Personal(mine)),
        (None, Some(theirs)) => Ok(Found::Workspace(theirs)),
        (None, None) => {
            let mut text = format!("There is no skill {asked:?}.");
            if !names.is_empty() {
                text.push_str(&format!(" There are: {}.", names.join(", ")));
            }
            if let Some(why) = away {
                text.push_str(&format!(" Those of the workspace are not known: {}", why.0));
            }
            Err(Failed(text))
        }
    }
}

/// The skills of the workspace: those that the chat was told of; of an agent that tells nothing,
/// those that it has now.
async fn in_workspace(context: &ToolContext) -> Result<Vec<There>, Failed> {
    if context.chat.context_known {
        let read = async {
            let conn = context.machine.store().conn().await?;
            conn.chat_context(context.chat.id).await
        };
        let told = read.await.map_err(|error| error.to_string())?;
        let skills = workspace::skills(&told).cloned();
        return Ok(skills.map(There::from).collect());
    }
    let api = context.workspace.connect().await?;
    let parts = api.context_config().await?.parts.into_iter();
    Ok(parts
        .filter(|part| part.r#type == "skill" && !part.skill_dir.is_empty())
        .map(There::from)
        .collect())
}

/// Reads a skill.
pub(in crate::tools) fn read_skill() -> Simple {
    Simple::new(
        "read_skill",
        "Read a skill: instructions for a kind of task, of the user or of the workspace. Where \
             both have one of a name, name it personal/name or workspace/name.",
        json!({
            "type": "object",
            "properties": { "name": { "type": "string" } },
            "required": ["name"],
        }),
        |context, args| Box::pin(read(context, args)),
    )
    .repeatable()
}

async fn read(context: &ToolContext, args: Args) -> Done {
    let there = match find(context, args.text("name")?).await? {
        Found::Personal(skill) => {
            return Ok(json!({ "name": skill.name, "body": skill_body(&skill.content) }));
        }
        Found::Workspace(there) => there,
    };
    let (body, files) = match &there.content {
        // Also read where the workspace cannot be reached; then nothing is said of files beside it.
        Some(content) => {
            let files = tokio::time::timeout(BESIDE, beside(context, &there)).await;
            (content.clone(), files.ok().and_then(Result::ok))
        }
        None => {
            let api = context.workspace.connect().await?;
            let path = format!("{}/{}", there.dir, there.meta);
            let body = text(&api, &path, MAX_SKILL).await?;
            (body, Some(beside(context, &there).await?))
        }
    };
    let mut answer = json!({
        "name": there.name,
        "body": skill_body(&body),
        "dir": there.dir,
    });
    if let Some(files) = files {
        answer["files"] = json!(files);
    }
    Ok(answer)
}

/// What lies beside a skill.
async fn beside(context: &ToolContext, there: &There) -> Result<Vec<String>, Failed> {
    let api = context.workspace.connect().await?;
    let inside = api
        .list_directory(&there.dir, &LsRequest::default())
        .await?;
    Ok(inside
        .contents
        .into_iter()
        .filter(|file| file.name != there.meta && !file.name.starts_with('.'))
        .take(MAX_FILES)
        .map(|file| {
            if file.is_dir {
                format!("{}/", file.name)
            } else {
                file.name
            }
        })
        .collect())
}

/// Reads a file beside a skill.
pub(in crate::tools) fn read_skill_file() -> Simple {
    Simple::new(
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
        |context, args| Box::pin(read_beside(context, args)),
    )
    .repeatable()
}

async fn read_beside(context: &ToolContext, args: Args) -> Done {
    let (name, path) = (args.text("name")?, args.text("path")?);
    inside(path)?;
    let Found::Workspace(There { dir, .. }) = find(context, name).await? else {
        return Err("Skills of the user have no files beside them.".into());
    };
    let api = context.workspace.connect().await?;
    let full = format!("{dir}/{path}");
    let (real_dir, real) = futures::try_join!(api.resolve_path(&dir), api.resolve_path(&full))?;
    if !real.starts_with(&format!("{}/", real_dir.trim_end_matches('/'))) {
        return Err(Failed(format!(
            "{path:?} leads out of the skill's directory"
        )));
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

async fn text(api: &AgentApi, path: &str, most: usize) -> Result<String, Failed> {
    let data = whole(api, path, most).await?;
    String::from_utf8(data.to_vec()).map_err(|_| Failed(format!("{path} is not text")))
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
