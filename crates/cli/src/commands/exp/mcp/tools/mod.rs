//! The tools of `coder exp mcp server`: what each is called, what it takes and what it does. All of
//! them act as the user that is signed in.

mod args;
mod bash;
mod chats;
mod files;
mod report;
mod search;
mod templates;
mod workspaces;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Result;
use api_types::WorkspaceAgent;
use client::{AgentApi, Client};
use futures::future::LocalBoxFuture;
use mcp::serve::{Service, text};
use mcp::{Called, Tool};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::commands::lookup;
use crate::connect::link::{self, Link};
use crate::connect::ready::{Patience, make_ready};
use crate::follow::agent::Wait;
use crate::session::Session;
use crate::target::Target;

use args::Args;
pub use report::Reporter;

/// Workspaces that are kept connected; the one that was used first gives way.
const MAX_LINKS: usize = 8;

/// What tools work with.
pub struct Deps<'s> {
    session: &'s Session,
    /// Tells people the state of a task.
    pub reporter: Option<Reporter>,
    /// Something else tells when the AI is at work.
    watched: bool,
    links: RefCell<Vec<(Uuid, Rc<Link>)>>,
}

impl<'s> Deps<'s> {
    /// Nothing is connected yet.
    pub fn new(session: &'s Session, reporter: Option<Reporter>, watched: bool) -> Self {
        Deps {
            session,
            reporter,
            watched,
            links: RefCell::default(),
        }
    }

    fn client(&self) -> Result<&Client> {
        self.session.client()
    }

    /// The agent that a text names, in a workspace that runs: started, if that is wanted.
    async fn agent(&self, name: &str, autostart: bool) -> Result<WorkspaceAgent> {
        let client = self.client()?;
        let (workspace, target) = match name.parse::<Uuid>() {
            Ok(id) => {
                let workspace = client.workspace(id).await?;
                let target = Target::workspace(name)?;
                (workspace, target)
            }
            Err(_) => {
                let target = Target::agent(name)?;
                (lookup::of_target(client, &target).await?, target)
            }
        };
        let patience = Patience {
            autostart,
            wait: Wait::Yes,
        };
        Ok(make_ready(self.session, workspace, &target, patience)
            .await?
            .1)
    }

    /// The API of the agent in the workspace that a text names.
    async fn inside(&self, name: &str, autostart: bool) -> Result<AgentApi> {
        let agent = self.agent(name, autostart).await?.id;
        let kept = |links: &[(Uuid, Rc<Link>)]| {
            let found = links.iter().find(|(id, _)| *id == agent);
            found.map(|(_, link)| link.api())
        };
        if let Some(api) = kept(&self.links.borrow()) {
            return Ok(api);
        }
        let client = self.client()?;
        let connection = client.agent_connection(agent).await?;
        let link = Rc::new(link::prepare(self.session, connection)?.connect(client, agent));
        let api = link.api();
        let mut links = self.links.borrow_mut();
        if links.len() >= MAX_LINKS {
            links.remove(0);
        }
        links.push((agent, link));
        Ok(api)
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

type Run = for<'a> fn(&'a Deps<'a>, Args) -> LocalBoxFuture<'a, Result<Value>>;

/// An argument: name, type, description; a `*` behind the name says that it must be given.
type Argument = (&'static str, &'static str, &'static str);

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
            schema: args::schema(self.arguments),
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
        report::OFFERS,
    ]
    .into_iter()
    .flatten()
}

/// The tools that are served.
pub struct Tools<'d> {
    deps: &'d Deps<'d>,
    offers: Vec<&'static Offer>,
    instructions: String,
}

impl<'d> Tools<'d> {
    /// Those that can work: without a user only reports, without a reporter none of these.
    pub fn new(
        deps: &'d Deps<'d>,
        has_user: bool,
        allowed: &[String],
        instructions: String,
    ) -> Self {
        let mut offers: Vec<_> = all()
            .filter(|offer| {
                if offer.name == report::NAME {
                    deps.reporter.is_some()
                } else {
                    has_user
                }
            })
            .filter(|offer| allowed.is_empty() || allowed.iter().any(|name| name == offer.name))
            .collect();
        offers.sort_by_key(|offer| offer.name);
        for name in allowed {
            if offers.iter().all(|offer| offer.name != name) {
                deps.session
                    .note(&format!("There is no tool {name:?} here; it is left out."));
            }
        }
        Tools {
            deps,
            offers,
            instructions,
        }
    }
}

impl Service for Tools<'_> {
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
    ) -> Option<LocalBoxFuture<'a, Called>> {
        let offer = self.offers.iter().find(|offer| offer.name == name)?;
        let done = (offer.run)(self.deps, Args::new(arguments));
        Some(Box::pin(async move {
            match done.await {
                Ok(value) => text(value.to_string(), false),
                Err(error) => text(format!("{error:#}"), true),
            }
        }))
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
    }
}
