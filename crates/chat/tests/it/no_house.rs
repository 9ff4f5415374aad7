//! A world without templates and workspaces of its own.

use std::collections::HashMap;

use api_types::{
    CreateWorkspaceRequest, Template, Workspace, WorkspaceBuild, WorkspaceBuildParameter,
    WorkspaceQuota,
};
use chat::tools::workspaces::{Bound, Refusal, TemplateDetails, Workspaces};
use futures::future::BoxFuture;
use store::template_usage::TemplateUsage;
use uuid::Uuid;

/// Refuses everything.
pub struct NoHouse;

fn no<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, String>> {
    Box::pin(async { Err("there are no workspaces here".to_owned()) })
}

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, Refusal>> {
    Box::pin(async { Err(Refusal::default()) })
}

impl Workspaces for NoHouse {
    fn templates(&self) -> BoxFuture<'_, Result<Vec<(Template, TemplateUsage)>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn readmes(&self, _: Vec<Uuid>) -> BoxFuture<'_, Result<HashMap<Uuid, String>, String>> {
        Box::pin(async { Ok(HashMap::new()) })
    }

    fn template(&self, _: Uuid) -> BoxFuture<'_, Result<TemplateDetails, String>> {
        no()
    }

    fn admitted(&self, _: Uuid) -> BoxFuture<'_, Result<Template, String>> {
        no()
    }

    fn workspace(&self) -> BoxFuture<'_, Result<Option<Bound>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn build(&self, _: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, String>> {
        no()
    }

    fn create(&self, _: CreateWorkspaceRequest) -> BoxFuture<'_, Result<Workspace, Refusal>> {
        refused()
    }

    fn start(
        &self,
        _: Uuid,
        _: Vec<WorkspaceBuildParameter>,
    ) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        refused()
    }

    fn stop(&self, _: Uuid) -> BoxFuture<'_, Result<WorkspaceBuild, Refusal>> {
        refused()
    }

    fn bind(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, Result<(), String>> {
        no()
    }

    fn quota(&self) -> BoxFuture<'_, Option<WorkspaceQuota>> {
        Box::pin(async { None })
    }
}
