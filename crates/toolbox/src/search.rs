//! `search` and `fetch`, by which ChatGPT looks for things.

use anyhow::{Context, Result, bail};
use client::TemplateQuery;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::args::Args;
use crate::{Deps, Kind, Offer};

/// Workspaces that one search finds.
const MAX_FOUND: u32 = 100;

/// What the tools of this file are called.
pub(crate) const NAMES: [&str; 2] = ["search", "fetch"];

pub(crate) const OFFERS: &[Offer] = &[
    Offer {
        name: "search",
        description: "Search for templates and workspaces. The query is \"templates\" or \
                      \"workspaces\", with \"/\" and a search expression behind it if need be, such \
                      as \"workspaces/owner:me status:running\" or \"templates/docker\".",
        kind: Kind::Reads,
        arguments: &[("query*", "string", "What to look for.")],
        run: |deps, args| Box::pin(search(deps, args)),
    },
    Offer {
        name: "fetch",
        description: "Get what search has found, by its id.",
        kind: Kind::Reads,
        arguments: &[("id*", "string", "Id of a result of search.")],
        run: |deps, args| Box::pin(fetch(deps, args)),
    },
];

async fn search(deps: &Deps, args: Args) -> Result<Value> {
    let client = deps.client();
    let query = args.text("query")?;
    let (what, expression) = query.split_once('/').unwrap_or((query, ""));
    let results: Vec<Value> = match what.trim() {
        "templates" | "template" => {
            let all = client.templates(&TemplateQuery::default()).await?;
            let wanted = expression.trim().to_lowercase();
            let found = all.into_iter().filter(|t| {
                [&t.name, &t.display_name, &t.description]
                    .iter()
                    .any(|text| text.to_lowercase().contains(&wanted))
            });
            let shown = found.map(|t| {
                let url = address(
                    deps,
                    &format!("/templates/{}/{}", t.organization_name, t.name),
                );
                json!({
                    "id": format!("template:{}", t.id),
                    "title": if t.display_name.is_empty() { &t.name } else { &t.display_name },
                    "text": t.description,
                    "url": url,
                })
            });
            shown.collect()
        }
        "workspaces" | "workspace" => {
            let expression = match expression.trim() {
                "" => "owner:me",
                given => given,
            };
            let found = client
                .workspaces(expression, MAX_FOUND, 0)
                .await?
                .workspaces
                .into_iter();
            let shown = found.map(|w| {
                let url = address(deps, &format!("/@{}/{}", w.owner_name, w.name));
                json!({
                    "id": format!("workspace:{}", w.id),
                    "title": w.name,
                    "text": format!(
                        "Owner: {}\nTemplate: {}\nStatus: {}",
                        w.owner_name, w.template_display_name, w.latest_build.status
                    ),
                    "url": url,
                })
            });
            shown.collect()
        }
        other => bail!("the query must begin with \"templates\" or \"workspaces\", not {other:?}"),
    };
    Ok(json!({ "results": results }))
}

async fn fetch(deps: &Deps, args: Args) -> Result<Value> {
    let client = deps.client();
    let id = args.text("id")?;
    let (kind, uuid) = id.split_once(':').context("the id is none of search")?;
    let uuid: Uuid = uuid.parse().context("the id is none of search")?;
    let (title, url, whole) = match kind {
        "template" => {
            let t = client.template(uuid).await?;
            let url = address(
                deps,
                &format!("/templates/{}/{}", t.organization_name, t.name),
            );
            (t.name.clone(), url, json!(t))
        }
        "workspace" => {
            let w = client.workspace(uuid).await?;
            let url = address(deps, &format!("/@{}/{}", w.owner_name, w.name));
            (w.name.clone(), url, json!(w))
        }
        _ => bail!("the id is none of search"),
    };
    Ok(json!({ "id": id, "title": title, "text": whole.to_string(), "url": url, "metadata": {} }))
}

fn address(deps: &Deps, path: &str) -> String {
    let url = deps.client().url().join(path);
    url.map(String::from).unwrap_or_default()
}
