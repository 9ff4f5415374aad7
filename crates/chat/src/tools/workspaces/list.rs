//! `list_templates`: the templates to choose from, and which one probably is the right one.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::Workspaces;
use super::rank::{Candidate, Next, next, rank};
use super::readme::{cut, excerpt};
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Templates that are shown at once.
const PAGE: usize = 10;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 200;
/// Characters of a README.
const MAX_README: usize = 1000;

/// Lists templates.
pub(in crate::tools) fn list_templates() -> Simple {
    Simple::new(
        "list_templates",
        "List the templates that a workspace can be created from, the most fitting first, all or \
         those that match a query. Do what next_step of the answer says. Ask for the next page only \
         if none of these fits.",
        json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "Part of a name or description." },
                "page": { "type": "integer", "description": "From 1." },
            },
        }),
        |context, args| Box::pin(async move { list(&*context.workspaces, &args).await }),
    )
    .repeatable()
}

pub(super) async fn list(house: &dyn Workspaces, args: &Args) -> Done {
    let query = args.maybe("query")?.unwrap_or_default();
    let page = args.number("page")?.unwrap_or(1).max(1);
    let all = house.templates().await?;
    let visible = all.len();
    let ranked = rank(all, query, Utc::now());
    let next = next(&ranked, visible);
    let skip = usize::try_from(page - 1)
        .unwrap_or(usize::MAX)
        .saturating_mul(PAGE);
    let shown: Vec<&Candidate> = ranked.iter().skip(skip).take(PAGE).collect();
    let ids = shown.iter().map(|one| one.template.id).collect();
    let readmes = house.readmes(ids).await?;
    let templates: Vec<Value> = shown
        .iter()
        .map(|one| {
            let readme = readmes.get(&one.template.id).map_or("", String::as_str);
            item(one, &excerpt(readme, MAX_README))
        })
        .collect();
    let mut answer = json!({
        "page": page,
        "next_step": words(next),
    });
    if skip.saturating_add(templates.len()) < ranked.len() && !templates.is_empty() {
        answer["next_page"] = Value::from(page + 1);
    }
    if let (Next::UseFirst, Some(first)) = (next, ranked.first()) {
        answer["recommended_template_id"] = json!(first.template.id);
    }
    answer["templates"] = Value::from(templates);
    Ok(answer)
}

fn item(one: &Candidate, readme: &str) -> Value {
    let template = &one.template;
    let mut item = json!({ "id": template.id, "name": template.name });
    let texts = [
        ("display_name", template.display_name.trim()),
        ("description", cut(&template.description, MAX_DESCRIPTION)),
        ("readme_excerpt", readme),
    ];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        item[key] = Value::from(text);
    }
    let counts = [
        ("active_developers", one.usage.developers),
        ("your_workspace_count", one.usage.workspaces),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        item[key] = Value::from(count);
    }
    if let Some(at) = one.usage.last_used_at {
        item["last_used_by_you"] = Value::from(at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    item
}

const fn words(next: Next) -> &'static str {
    match next {
        Next::UseFirst => {
            "Call create_workspace with recommended_template_id, unless the user wants another one. \
             Call read_template before it only if you need parameters or presets."
        }
        Next::Ask => {
            "It is not clear which template is meant. Ask the user to choose one, unless the user \
             has named it, and call create_workspace only then."
        }
        Next::NoMatch => "No template matches. List them without a query, or ask the user.",
        Next::None => {
            "There is no template that you may use in this organization. Tell the user; an \
             administrator can add one."
        }
    }
}
