//! Templates and workspaces for the tools of one chat: by the rules of `control`, as the chat's
//! owner, whose rights are asked anew for each call.

use std::collections::HashMap;

use api_types::{
    CreateWorkspaceRequest, Template, Workspace, WorkspaceBuild, WorkspaceBuildParameter,
    WorkspaceQuota,
};
use chat::tools::changes::Changes;
use chat::tools::workspaces::{Bound, Refusal, TemplateDetails, Workspaces};
use control::{Control, Error, Kind};
use futures::future::BoxFuture;
use store::chats::ChatRow;
use store::template_usage::TemplateUsage;
use uuid::Uuid;

pub(super) struct ChatWorkspaces {
    pub(super) control: Control,
    pub(super) chat: ChatRow,
}

fn words(error: Error) -> String {
    match error.detail.as_str() {
        "" => error.message,
        detail => format!("{} {detail}", error.message),
    }
}

fn refusal(error: Error) -> Refusal {
    Refusal {
        name_taken: error.kind == Kind::Conflict
            && error.validations.iter().any(|v| v.field == "name"),
        message: error.message,
        detail: error.detail,
        validations: error.validations,
    }
}

impl Workspaces for ChatWorkspaces {
    fn templates(&self) -> BoxFuture<'_, Result<Vec<(Template, TemplateUsage)>, String>> {
        Box::pin(async {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            let list = self.control.chat_template_list(&who, &self.chat).await;
            list.map_err(words)
        })
    }

    fn readmes(
        &self,
        templates: Vec<Uuid>,
    ) -> BoxFuture<'_, Result<HashMap<Uuid, String>, String>> {
        Box::pin(async {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            self.control
                .chat_template_readmes(&who, &self.chat, templates)
                .await
                .map_err(words)
        })
    }

    fn template(&self, id: Uuid) -> BoxFuture<'_, Result<TemplateDetails, String>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            let read = self.control.chat_template_read(&who, &self.chat, id).await;
            let read = read.map_err(words)?;
            Ok(TemplateDetails {
                template: read.template,
                readme: read.readme,
                parameters: read.parameters,
                presets: read.presets,
            })
        })
    }

    fn admitted(&self, id: Uuid) -> BoxFuture<'_, Result<Template, String>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            self.control
                .chat_template_admitted(&who, &self.chat, id)
                .await
                .map_err(words)
        })
    }

    fn workspace(&self) -> BoxFuture<'_, Result<Option<Bound>, String>> {
        Box::pin(async {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            let read = self.control.chat_workspace_read(&who, &self.chat).await;
            let read = read.map_err(words)?;
            Ok(read.map(|(workspace, deleted)| Bound { workspace, deleted }))
        })
    }

    fn build(&self, id: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, String>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            let read = self.control.workspace_build_read(&who, id).await;
            read.map_err(words)
        })
    }

    fn changes(&self) -> BoxFuture<'_, Changes> {
        Box::pin(super::connector::changes(&self.control))
    }

    fn create(&self, new: CreateWorkspaceRequest) -> BoxFuture<'_, Result<Workspace, Refusal>> {
        Box::pin(async {
            let who = self.control.chat_acting(&self.chat).await;
            let who = who.map_err(refusal)?;
            self.control
                .chat_workspace_create(&who, &self.chat, new)
                .await
                .map_err(refusal)
        })
    }

    fn start(
        &self,
        workspace: Uuid,
        values: Vec<WorkspaceBuildParameter>,
    ) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await;
            let who = who.map_err(refusal)?;
            self.control
                .chat_workspace_start(&who, &self.chat, workspace, values)
                .await
                .map_err(refusal)
        })
    }

    fn stop(&self, workspace: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await;
            let who = who.map_err(refusal)?;
            self.control
                .chat_workspace_stop(&who, &self.chat, workspace)
                .await
                .map_err(refusal)
        })
    }

    fn bind(&self, workspace: Uuid, build: Uuid) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let who = self.control.chat_acting(&self.chat).await.map_err(words)?;
            self.control
                .chat_build_bind(&who, &self.chat, workspace, build)
                .await
                .map_err(words)
        })
    }

    fn quota(&self) -> BoxFuture<'_, Option<WorkspaceQuota>> {
        Box::pin(async {
            let who = self.control.chat_acting(&self.chat).await.ok()?;
            self.control.chat_quota(&who, &self.chat).await.ok()
        })
    }
}
