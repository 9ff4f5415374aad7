//! Templates and workspaces: choosing a template, making a workspace for the chat, starting and
//! stopping it, one tool a file.
//!
//! What is allowed is decided by the rest of the house, in the owner's name ([`Workspaces`]); here
//! is what a model is told of it. A build that fails is an answer with an `error`, not a failed
//! call: so its `build_id` reaches those who watch, who can read the log.

mod agent;
mod build;
mod create;
mod existing;
mod list;
mod name;
mod rank;
mod read;
mod readme;
mod start;
mod stop;

pub(super) use create::create_workspace;
pub(super) use list::list_templates;
pub(super) use read::read_template;
pub(super) use start::start_workspace;
pub(super) use stop::stop_workspace;

use std::collections::HashMap;

use api_types::{
    CreateWorkspaceRequest, Preset, Template, TemplateVersionParameter, ValidationError, Workspace,
    WorkspaceBuild, WorkspaceBuildParameter, WorkspaceQuota,
};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::template_usage::TemplateUsage;
use uuid::Uuid;

use super::args::Args;
use super::changes::{Changes, silence};
use super::shape::Failed;

/// What the house does with templates and workspaces for one chat, in its owner's name and with
/// the owner's rights as they are at that time. Errors that are texts are words for the model.
pub trait Workspaces: Send + Sync {
    /// The templates of the chat's organization that agents may use, and how they were used.
    fn templates(&self) -> BoxFuture<'_, Result<Vec<(Template, TemplateUsage)>, String>>;
    /// What the active versions of such templates say of themselves.
    fn readmes(&self, templates: Vec<Uuid>)
    -> BoxFuture<'_, Result<HashMap<Uuid, String>, String>>;
    /// All about one of these templates.
    fn template(&self, id: Uuid) -> BoxFuture<'_, Result<TemplateDetails, String>>;
    /// A template, if this chat may make a workspace of it.
    fn admitted(&self, id: Uuid) -> BoxFuture<'_, Result<Template, String>>;
    /// The chat's workspace as it is now.
    fn workspace(&self) -> BoxFuture<'_, Result<Option<Bound>, String>>;
    /// A build as it is now.
    fn build(&self, id: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, String>>;
    /// Word of changes of workspaces from now on.
    fn changes(&self) -> BoxFuture<'_, Changes> {
        Box::pin(std::future::ready(silence()))
    }
    /// Makes a workspace for the owner and attaches the chat to it, both or neither.
    fn create(&self, new: CreateWorkspaceRequest) -> BoxFuture<'_, Result<Workspace, Refusal>>;
    /// Starts a build of the chat's workspace.
    fn start(
        &self,
        workspace: Uuid,
        values: Vec<WorkspaceBuildParameter>,
    ) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>>;
    /// Starts a build that stops the chat's workspace.
    fn stop(&self, workspace: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>>;
    /// Shows people who watch the chat a build of its workspace.
    fn bind(&self, workspace: Uuid, build: Uuid) -> BoxFuture<'_, Result<(), String>>;
    /// What the owner's workspaces cost, and may cost; none if that cannot be found out.
    fn quota(&self) -> BoxFuture<'_, Option<WorkspaceQuota>>;
}

/// The workspace of a chat.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The workspace with its latest build.
    pub workspace: Workspace,
    /// It is no more.
    pub deleted: bool,
}

/// All about a template.
#[derive(Debug, Clone)]
pub struct TemplateDetails {
    /// The template.
    pub template: Template,
    /// What its active version says of itself, in Markdown.
    pub readme: String,
    /// Parameters of the active version.
    pub parameters: Vec<TemplateVersionParameter>,
    /// Presets of the active version.
    pub presets: Vec<Preset>,
}

/// A request that the house refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// What happened.
    pub message: String,
    /// Why, if there is more to say.
    pub detail: String,
    /// Wrong fields of the request.
    pub validations: Vec<ValidationError>,
    /// Another workspace of the owner has the name.
    pub name_taken: bool,
}

impl Refusal {
    /// What the model gets: all of it, which a failed call would not carry.
    fn value(&self) -> Value {
        let mut value = json!({ "error": self.message });
        if !self.detail.is_empty() {
            value["detail"] = Value::from(self.detail.as_str());
        }
        if !self.validations.is_empty() {
            value["validations"] = json!(self.validations);
        }
        value
    }
}

const NO_WORKSPACE: &str = "The chat has no workspace. Create one with create_workspace first.";
const DELETED: &str = "The workspace was deleted. Create another one with create_workspace.";
const RESTLESS: &str =
    "The workspace is being changed by somebody else again and again. Try later.";

/// How often a workspace is looked at anew because a build of somebody else came between.
const ROUNDS: usize = 3;

/// The workspace of a chat that needs one.
async fn bound(house: &dyn Workspaces) -> Result<Workspace, Failed> {
    match house.workspace().await? {
        None => Err(NO_WORKSPACE.into()),
        Some(bound) if bound.deleted => Err(DELETED.into()),
        Some(bound) => Ok(bound.workspace),
    }
}

/// The id of a template among arguments.
fn template_id(args: &Args) -> Result<Uuid, Failed> {
    let text = args
        .text("template_id")
        .map_err(|_| "template_id is required; list_templates shows those that there are")?;
    Ok(text
        .trim()
        .parse()
        .map_err(|_| format!("template_id must be an id of list_templates, not {text:?}"))?)
}

/// Values of parameters among arguments.
fn parameters(args: &Args) -> Result<Vec<WorkspaceBuildParameter>, Failed> {
    let map: &Map<String, Value> = match args.0.get("parameters") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err("parameters must be an object of names and values".into()),
    };
    map.iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Null => return Err(Failed(format!("the parameter {name:?} has no value"))),
                // Values are texts; lists and numbers are written as JSON, as forms do.
                other => other.to_string(),
            };
            Ok(WorkspaceBuildParameter {
                name: name.clone(),
                value,
            })
        })
        .collect()
}

/// The schema of values of parameters.
fn parameters_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": { "type": "string" },
        "description": "Values of parameters by name, as read_template lists them.",
    })
}

#[cfg(test)]
mod tests;
