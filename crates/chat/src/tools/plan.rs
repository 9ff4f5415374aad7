//! The plan of a chat in plan mode: the one file that may be written, and `propose_plan`, which
//! shows it to the user and ends the turn.

use api_types::{LsRelativity, LsRequest};
use client::agent_api::AgentApi;
use serde_json::json;
use uuid::Uuid;

use super::ToolContext;
use super::args::Args;
use super::attach::kept;
use super::files::whole;
use super::shape::{Done, Failed, Simple};
use crate::prompt;

/// Largest plan, in bytes: a user is to read it.
const MAX_PLAN: usize = 32 << 10;

/// The path of the plan file, if `asked` means it; in plan mode no other file may be written. A
/// link that leads elsewhere is refused.
pub(super) async fn plan_file(api: &AgentApi, chat: Uuid, asked: &str) -> Result<String, Failed> {
    let here = LsRequest {
        path: Vec::new(),
        relativity: LsRelativity::Home,
    };
    let home = api.list_directory("", &here).await?.absolute_path_string;
    let plan = prompt::plan_path(&home, chat);
    if !means(asked, &home, &plan) {
        return Err(Failed(format!(
            "In plan mode only the plan file may be written: {plan}"
        )));
    }
    // The home directory itself may be reached by a link.
    let (real_home, real_plan) =
        futures::try_join!(api.resolve_path(&home), api.resolve_path(&plan))?;
    if real_plan != prompt::plan_path(&real_home, chat) {
        return Err(Failed(format!(
            "The plan file must not be reached by links, but {plan} leads to {real_plan}"
        )));
    }
    Ok(plan)
}

fn means(asked: &str, home: &str, plan: &str) -> bool {
    let below = ["~/", "$HOME/", "${HOME}/"]
        .iter()
        .find_map(|head| asked.strip_prefix(head));
    match below {
        Some(rest) => format!("{}/{rest}", home.trim_end_matches('/')) == plan,
        None => asked == plan,
    }
}

/// Proposes the plan.
pub(in crate::tools) fn propose_plan() -> Simple {
    Simple::new(
        "propose_plan",
        "Show the user the plan that you wrote to the plan file, for a decision. Your turn ends \
             with it.",
        json!({
            "type": "object",
            "properties": { "path": { "type": "string", "description": "Path of the plan file." } },
            "required": ["path"],
        }),
        |context, args| Box::pin(propose(context, args)),
    )
    .repeatable()
    .ending_turn()
}

async fn propose(context: &ToolContext, args: Args) -> Done {
    let asked = args.text("path")?;
    let api = context.workspace.connect().await?;
    let path = plan_file(&api, context.chat.id, asked).await?;
    let data = whole(&api, &path, MAX_PLAN).await?;
    let text = std::str::from_utf8(&data).map_err(|_| "The plan is not text.")?;
    if text.trim().is_empty() {
        return Err("The plan is empty.".into());
    }
    let name = path.rsplit('/').next().unwrap_or("PLAN.md");
    let (id, media) = kept(context, "text/markdown", name, &data).await?;
    Ok(json!({
        "ok": true,
        "path": path,
        "kind": "plan",
        "file_id": id,
        "media_type": media,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plan_means_the_plan() {
        let plan = prompt::plan_path("/home/a", Uuid::nil());
        let name = format!(".coder/plans/PLAN-{}.md", Uuid::nil());
        for head in ["~/", "$HOME/", "${HOME}/", "/home/a/"] {
            assert!(means(&format!("{head}{name}"), "/home/a", &plan), "{head}");
        }
        let climbs = format!("~/x/../{name}");
        for other in ["/etc/passwd", "", "PLAN.md", "~/.bashrc", climbs.as_str()] {
            assert!(!means(other, "/home/a", &plan), "{other}");
        }
    }
}
