//! `create_workspace`: a workspace for the chat.

use api_types::CreateWorkspaceRequest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::agent::after_build;
use super::build::succeeded;
use super::existing::{Existing, existing, extend};
use super::name::{chosen, generated};
use super::{Workspaces, parameters, parameters_schema, template_id};
use crate::tools::agent::Connector;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Makes a workspace.
pub(in crate::tools) fn create_workspace() -> Simple {
    Simple::new(
        "create_workspace",
        "Create a workspace for this chat and wait until it can be used. Only when the task needs \
         files or commands, or the user asks for one. template_id comes from list_templates: do \
         what its next_step says first. If the chat has a workspace that runs or is being built, \
         that one is kept.",
        json!({
            "type": "object",
            "properties": {
                "template_id": { "type": "string", "description": "Of list_templates." },
                "name": { "type": "string", "description": "A name for it. Default: made of the template's." },
                "parameters": parameters_schema(),
                "preset_id": { "type": "string", "description": "A preset of read_template: a set of values, perhaps with workspaces that are ready." },
            },
            "required": ["template_id"],
        }),
        |context, args| {
            Box::pin(async move {
                let _alone = context.building.lock().await;
                let done = create(&*context.workspaces, context.workspace.connector(), &args).await;
                context.workspace.forget().await;
                done
            })
        },
    )
}

pub(super) async fn create<C: Send + 'static>(
    house: &dyn Workspaces,
    agents: &dyn Connector<C>,
    args: &Args,
) -> Done {
    let id = template_id(args)?;
    let values = parameters(args)?;
    let preset = match args.maybe("preset_id")? {
        Some(text) => Some(text.trim().parse::<Uuid>().map_err(|_| {
            format!("preset_id must be the id of a preset of read_template, not {text:?}")
        })?),
        None => None,
    };
    let replaced = match existing(house, agents).await? {
        Existing::Answer(answer) => return Ok(answer),
        Existing::Nothing => None,
        Existing::Useless(name, why) => Some((name, why)),
    };
    let template = house.admitted(id).await?;
    let mut new = CreateWorkspaceRequest {
        template_id: Some(id),
        name: chosen(args.maybe("name")?, &template.name),
        rich_parameter_values: values,
        template_version_preset_id: preset,
        ..CreateWorkspaceRequest::default()
    };
    let mut made = house.create(new.clone()).await;
    if made.as_ref().is_err_and(|refusal| refusal.name_taken) {
        new.name = generated(&new.name);
        made = house.create(new).await;
    }
    let workspace = match made {
        Ok(workspace) => workspace,
        Err(refusal) => return Ok(refusal.value()),
    };
    let build = workspace.latest_build.id;
    if let Err(broken) = succeeded(house, build).await {
        let what = "the build of the workspace failed";
        return Ok(broken.told(house, "create", what).await);
    }
    let mut answer = json!({
        "created": true,
        "workspace_name": format!("{}/{}", workspace.owner_name, workspace.name),
        "build_id": build,
    });
    if let Some((name, why)) = replaced {
        answer["replaced_workspace"] = Value::from(name.as_str());
        answer["message"] = Value::from(format!(
            "The chat had the workspace {name:?}, but {why}. It still exists and is not attached \
             to the chat any more; tell the user."
        ));
    }
    extend(&mut answer, after_build(agents, workspace.id).await);
    Ok(answer)
}
