//! Tools for templates and their versions.

use anyhow::{Context, Result, bail};
use api_types::{
    CreateTemplateRequest, CreateTemplateVersionRequest, ProvisionerStorageMethod, ProvisionerType,
    Template,
};
use client::TemplateQuery;
use serde_json::{Value, json};

use crate::args::Args;
use crate::workspaces::lines;
use crate::{Deps, Kind, Offer};

/// Files of an archive, and bytes of all of them: the server takes no larger ones.
const MAX_FILES: usize = 1000;
const MAX_BYTES: usize = 10 << 20;

pub(crate) const OFFERS: &[Offer] = &[
    Offer {
        name: "coder_list_templates",
        description: "List templates. agents_allowed says whether chats may make workspaces of one.",
        kind: Kind::Reads,
        arguments: &[],
        run: |deps, _| Box::pin(list(deps)),
    },
    Offer {
        name: "coder_get_template",
        description: "Get a template with the parameters and presets of its active version. Use it \
                      before coder_create_workspace. Prefer the default preset unless the user wants \
                      otherwise, and presets with prebuilt instances if it shall be quick.",
        kind: Kind::Reads,
        arguments: &[(
            "template_id*",
            "string",
            "Id of the template, from coder_list_templates.",
        )],
        run: |deps, args| Box::pin(read(deps, args)),
    },
    Offer {
        name: "coder_template_version_parameters",
        description: "Get the parameters of a template version, which are those of its workspaces.",
        kind: Kind::Reads,
        arguments: &[("template_version_id*", "string", "")],
        run: |deps, args| Box::pin(parameters(deps, args)),
    },
    Offer {
        name: "coder_get_template_version_logs",
        description: "Read the log of the import of a template version; waits until it has ended.",
        kind: Kind::Reads,
        arguments: &[("template_version_id*", "string", "")],
        run: |deps, args| Box::pin(logs(deps, args)),
    },
    Offer {
        name: "coder_upload_tar_file",
        description: "Upload files as an archive, for coder_create_template_version.",
        kind: Kind::Changes,
        arguments: &[(
            "files*",
            "object",
            "Contents of files by their paths, such as main.tf.",
        )],
        run: |deps, args| Box::pin(upload(deps, args)),
    },
    Offer {
        name: "coder_create_template_version",
        description: "Make a version of a template from an uploaded archive of Terraform files: for a \
                      new template, or for one that exists. The files describe the infrastructure of \
                      a workspace, with at least one coder_agent that runs in it. Look at \
                      coder_get_template_version_logs afterwards: the import may fail.",
        kind: Kind::Changes,
        arguments: &[
            ("file_id*", "string", "Id from coder_upload_tar_file."),
            (
                "template_id",
                "string",
                "Id of the template that gets the version.",
            ),
        ],
        run: |deps, args| Box::pin(version(deps, args)),
    },
    Offer {
        name: "coder_update_template_active_version",
        description: "Make a version the active one: new workspaces are made of it.",
        kind: Kind::Changes,
        arguments: &[
            ("template_id*", "string", ""),
            ("template_version_id*", "string", ""),
        ],
        run: |deps, args| Box::pin(promote(deps, args)),
    },
    Offer {
        name: "coder_create_template",
        description: "Make a template of a version that was imported.",
        kind: Kind::Changes,
        arguments: &[
            ("name*", "string", ""),
            ("display_name*", "string", ""),
            ("description*", "string", ""),
            (
                "version_id*",
                "string",
                "Id from coder_create_template_version.",
            ),
            ("icon", "string", "Address of a picture."),
        ],
        run: |deps, args| Box::pin(create(deps, args)),
    },
    Offer {
        name: "coder_delete_template",
        description: "Delete a template. This cannot be undone.",
        kind: Kind::Destroys,
        arguments: &[("template_id*", "string", "")],
        run: |deps, args| Box::pin(delete(deps, args)),
    },
];

fn short(template: &Template) -> Value {
    let whole = json!(template);
    json!({
        "id": template.id,
        "name": template.name,
        "display_name": template.display_name,
        "description": template.description,
        "active_version_id": template.active_version_id,
        "active_user_count": template.active_user_count,
        // Servers of before do not say.
        "agents_allowed": whole.get("agents_allowed").cloned().unwrap_or(Value::Bool(true)),
    })
}

async fn list(deps: &Deps) -> Result<Value> {
    let all = deps.client().templates(&TemplateQuery::default()).await?;
    Ok(all.iter().map(short).collect())
}

async fn read(deps: &Deps, args: Args) -> Result<Value> {
    let client = deps.client();
    let template = client.template(args.id("template_id")?).await?;
    let version = template.active_version_id;
    if version.is_nil() {
        bail!("the template has no active version");
    }
    let mut detail = short(&template);
    detail["parameters"] = json!(client.template_version_parameters(version).await?);
    let presets = client.template_version_presets(version).await?;
    if !presets.is_empty() {
        detail["presets"] = json!(presets);
    }
    Ok(detail)
}

async fn parameters(deps: &Deps, args: Args) -> Result<Value> {
    let id = args.id("template_version_id")?;
    Ok(json!(deps.client().template_version_parameters(id).await?))
}

async fn logs(deps: &Deps, args: Args) -> Result<Value> {
    let id = args.id("template_version_id")?;
    lines(deps.client().template_version_logs(id, 0).await?).await
}

async fn upload(deps: &Deps, args: Args) -> Result<Value> {
    let files = args.texts("files")?;
    if files.is_empty() || files.len() > MAX_FILES {
        bail!("files must hold 1 to {MAX_FILES} files");
    }
    if files.values().map(String::len).sum::<usize>() > MAX_BYTES {
        bail!("all files together must not have more than {MAX_BYTES} bytes");
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path, content.as_bytes())
            .with_context(|| format!("{path:?} cannot stand in an archive"))?;
    }
    let uploaded = deps.client().file_upload(archive.into_inner()?).await?;
    Ok(json!(uploaded))
}

async fn version(deps: &Deps, args: Args) -> Result<Value> {
    let client = deps.client();
    let template_id = args.maybe_id("template_id")?;
    let organization = match template_id {
        Some(id) => client.template(id).await?.organization_id,
        None => deps.organization().await?.id,
    };
    let request = CreateTemplateVersionRequest {
        message: "Made by an AI tool".to_owned(),
        template_id,
        storage_method: ProvisionerStorageMethod::File,
        file_id: Some(args.id("file_id")?),
        provisioner: ProvisionerType::Terraform,
        ..CreateTemplateVersionRequest::default()
    };
    let made = client.template_version_create(organization, &request);
    Ok(json!(made.await?))
}

async fn promote(deps: &Deps, args: Args) -> Result<Value> {
    let (template, version) = (args.id("template_id")?, args.id("template_version_id")?);
    deps.client().template_promote(template, version).await?;
    Ok("Successfully updated active version!".into())
}

async fn create(deps: &Deps, args: Args) -> Result<Value> {
    let client = deps.client();
    let version = client.template_version(args.id("version_id")?).await?;
    let request = CreateTemplateRequest {
        name: args.text("name")?.to_owned(),
        display_name: args.maybe("display_name")?.unwrap_or_default().to_owned(),
        description: args.maybe("description")?.unwrap_or_default().to_owned(),
        icon: args.maybe("icon")?.unwrap_or_default().to_owned(),
        template_version_id: version.id,
        ..CreateTemplateRequest::default()
    };
    let organization = match version.organization_id {
        Some(id) => id,
        None => deps.organization().await?.id,
    };
    Ok(json!(client.template_create(organization, &request).await?))
}

async fn delete(deps: &Deps, args: Args) -> Result<Value> {
    deps.client()
        .template_delete(args.id("template_id")?)
        .await?;
    Ok("Successfully deleted template!".into())
}
