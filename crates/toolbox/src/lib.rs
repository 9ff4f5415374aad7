//! The tools by which AI clients outside act on a deployment: what each is called, what it takes and
//! does. All of them act by the API as the user whose client they are given, so they can do what that
//! user may, and no more.
//!
//! They are offered by `coder exp mcp server` on standard input and output, and by the control plane
//! over HTTP; who offers them says how workspaces are reached ([`Agents`]).

mod args;
mod bash;
mod chats;
mod files;
mod find;
mod prompts;
mod ready;
mod search;
mod templates;
mod workspaces;

use anyhow::{Context, Result};
use api_types::Organization;
use client::{AgentApi, Client};
use futures::future::BoxFuture;
use mcp::serve::{Prompt, Service, text};
use mcp::{Called, Tool};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use args::{Args, schema};

/// Reaches agents of workspaces.
pub trait Agents: Send + Sync {
    /// The API of an agent that is connected.
    ///
    /// # Errors
    /// When the user may not enter its workspace, or there is no way to it.
    fn api(&self, agent: Uuid) -> BoxFuture<'_, Result<AgentApi>>;
}

/// What tools work with.
pub struct Deps {
    /// The API, as the user.
    client: Client,
    agents: Box<dyn Agents>,
    /// Name or id of the organization to act in where none is named; the default one if absent.
    organization: Option<String>,
}

impl Deps {
    /// With the API as the user, and the ways to agents that are theirs.
    pub fn new(client: Client, agents: Box<dyn Agents>, organization: Option<String>) -> Self {
        Deps {
            client,
            agents,
            organization,
        }
    }

    fn client(&self) -> &Client {
        &self.client
    }

    async fn organization(&self) -> Result<Organization> {
        let mine = self.client.user_organizations("me").await?;
        let preferred = client::preferred_organization(&mine, self.organization.as_deref());
        let preferred = preferred.context("you are not a member of the organization to act in")?;
        Ok(preferred.clone())
    }

    /// The API of the agent that a text names, in a workspace that runs: started, if that is wanted.
    async fn inside(&self, name: &str, start: bool) -> Result<AgentApi> {
        let (workspace, agent) = find::target(&self.client, name).await?;
        let workspace = ready::running(&self.client, workspace, start).await?;
        let agent = ready::connected(&self.client, workspace, agent.as_deref()).await?;
        self.agents.api(agent.id).await
    }
}

/// What calling a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It changes nothing.
    Reads,
    /// It makes something.
    Changes,
    /// It may destroy something.
    Destroys,
}

type Run = for<'a> fn(&'a Deps, Args) -> BoxFuture<'a, Result<Value>>;

/// An argument: name, type, description; a `*` behind the name says that it must be given.
pub type Argument = (&'static str, &'static str, &'static str);

/// A tool as it is offered.
struct Offer {
    name: &'static str,
    description: &'static str,
    kind: Kind,
    arguments: &'static [Argument],
    run: Run,
}

impl Offer {
    fn described(&self) -> Tool {
        Tool {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            schema: schema(self.arguments),
            read_only: self.kind == Kind::Reads,
            destructive: self.kind == Kind::Destroys,
        }
    }
}

/// All tools, by groups.
fn all() -> impl Iterator<Item = &'static Offer> {
    [
        workspaces::OFFERS,
        templates::OFFERS,
        bash::OFFERS,
        files::OFFERS,
        chats::OFFERS,
        search::OFFERS,
    ]
    .into_iter()
    .flatten()
}

/// Which tools are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolset {
    /// All.
    All,
    /// All but the two that only ChatGPT needs.
    Standard,
    /// Only these two, by which ChatGPT searches and reads: it may refuse a server that has more.
    ChatGpt,
}

impl Toolset {
    /// By its name in the API; the standard one if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "standard" => Some(Toolset::Standard),
            "chatgpt" => Some(Toolset::ChatGpt),
            _ => None,
        }
    }

    fn has(self, name: &str) -> bool {
        match self {
            Toolset::All => true,
            Toolset::Standard => !search::NAMES.contains(&name),
            Toolset::ChatGpt => search::NAMES.contains(&name),
        }
    }
}

/// The tools that are served.
pub struct Tools {
    deps: Deps,
    offers: Vec<&'static Offer>,
    instructions: String,
}

impl Tools {
    /// The tools of a set; only those that are named in `allowed`, unless that is empty.
    pub fn new(deps: Deps, set: Toolset, allowed: &[String], instructions: String) -> Self {
        let mut offers: Vec<_> = all()
            .filter(|offer| set.has(offer.name))
            .filter(|offer| allowed.is_empty() || allowed.iter().any(|name| name == offer.name))
            .collect();
        offers.sort_by_key(|offer| offer.name);
        Tools {
            deps,
            offers,
            instructions,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.offers.iter().any(|offer| offer.name == name)
    }

    /// Prompts whose tools are all there.
    fn prompts_offered(&self) -> impl Iterator<Item = &'static prompts::Offered> {
        let whole = |offered: &&prompts::Offered| offered.needs.iter().all(|tool| self.has(tool));
        prompts::OFFERS.iter().filter(whole)
    }
}

impl Service for Tools {
    fn instructions(&self) -> String {
        self.instructions.clone()
    }

    fn tools(&self) -> Vec<Tool> {
        self.offers.iter().map(|offer| offer.described()).collect()
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> Option<BoxFuture<'a, Called>> {
        let offer = self.offers.iter().find(|offer| offer.name == name)?;
        let done = (offer.run)(&self.deps, Args::new(arguments));
        Some(Box::pin(async move { called(done.await) }))
    }

    fn prompts(&self) -> Vec<Prompt> {
        self.prompts_offered()
            .map(|offered| offered.prompt)
            .collect()
    }

    fn prompt(&self, name: &str, arguments: &Map<String, Value>) -> Option<Result<String, String>> {
        let mut offered = self.prompts_offered();
        let offered = offered.find(|offered| offered.prompt.name == name)?;
        Some((offered.text)(arguments))
    }
}

/// What a client is told of what a tool has done: JSON, or why it failed.
pub fn called(done: Result<Value>) -> Called {
    match done {
        Ok(value) => text(value.to_string(), false),
        Err(error) => text(format!("{error:#}"), true),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tools_are_told_apart_and_described() {
        let mut names = HashSet::new();
        for offer in all() {
            assert!(names.insert(offer.name), "{}", offer.name);
            let tool = offer.described();
            let properties = tool.schema["properties"].as_object().unwrap();
            assert_eq!(properties.len(), offer.arguments.len(), "{}", offer.name);
            assert!(!offer.description.is_empty() && offer.name.len() <= mcp::names::MAX_NAME);
        }
        assert!(names.len() >= 30, "{}", names.len());
        for prompt in prompts::OFFERS {
            assert!(prompt.needs.iter().all(|tool| names.contains(tool)));
        }
    }
}
