//! Workspaces: read, listed, created, set.

pub mod agents;
mod create;
mod dormancy;
pub(crate) mod names;
mod search;
mod settings;
pub mod status;
mod usage;

pub use create::Owner;
pub(crate) use dormancy::workspace_rest_in;
pub(crate) use settings::next_start;

use api_types::{Workspace, WorkspaceQuota, WorkspacesResponse};
use authz::{Action, Subject};
use chrono::{DateTime, Utc};
use store::OrganizationRef;
use store::workspaces::WorkspaceRow;
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};
use agents::complete_resources;
use status::workspace_status;

/// A workspace as `who` sees it now.
pub(crate) fn shown(
    row: WorkspaceRow,
    who: &Subject,
    now: DateTime<Utc>,
    allow_renames: bool,
) -> Workspace {
    let mut api = row.api;
    let build = &mut api.latest_build;
    build.status = workspace_status(&build.job.status, &build.transition);
    api.health = complete_resources(&mut build.resources, &api.name, &api.owner_name, now);
    api.outdated = build.template_version_id != api.template_active_version_id;
    api.allow_renames = allow_renames;
    // A favourite is its owner's own mark.
    api.favorite = api.favorite && who.user_id() == Some(api.owner_id);
    if !row.allow_user_autostop {
        api.ttl_ms = Some(row.template_ttl_ms).filter(|ttl| *ttl > 0);
    }
    api
}

impl Control {
    fn workspace_shown(&self, row: WorkspaceRow, who: &Subject) -> Workspace {
        shown(
            row,
            who,
            Utc::now(),
            self.settings().allow_workspace_renames,
        )
    }

    /// A workspace. Deleted ones only if asked for.
    pub async fn workspace_read(
        &self,
        who: &Subject,
        id: Uuid,
        include_deleted: bool,
    ) -> Result<Workspace> {
        let row = self.store().conn().await?.workspace_read(who, id).await?;
        if row.deleted && !include_deleted {
            return Err(Error::new(
                Kind::Gone,
                format!(
                    "Workspace \"{id}\" was deleted, you can view this workspace by specifying \
                     '?include_deleted=true' and trying again."
                ),
            ));
        }
        self.workspace_checked(row, who)
    }

    /// A workspace of an owner by its name.
    pub async fn workspace_read_by_name(
        &self,
        who: &Subject,
        owner: Uuid,
        name: &str,
        include_deleted: bool,
    ) -> Result<Workspace> {
        let conn = self.store().conn().await?;
        let row = conn
            .workspace_read_by_name(who, owner, name, include_deleted)
            .await?;
        drop(conn);
        self.workspace_checked(row, who)
    }

    fn workspace_checked(&self, row: WorkspaceRow, who: &Subject) -> Result<Workspace> {
        // Much of a workspace is its template's: who may not see that sees neither.
        let own = who.user_id() == Some(row.api.owner_id);
        if !own && who.may(Action::Read, &row.template).is_err() {
            return Err(Error::forbidden(
                "Forbidden reading template of selected workspace.",
            ));
        }
        Ok(self.workspace_shown(row, who))
    }

    /// Workspaces that match a query.
    pub async fn workspace_list(
        &self,
        who: &Subject,
        query: &str,
        limit: i64,
        offset: i64,
    ) -> Result<WorkspacesResponse> {
        let mut by = search::parse(who, query)?;
        by.limit = limit;
        by.offset = offset;
        let page = self.store().conn().await?.workspace_list(who, &by).await?;
        let now = Utc::now();
        let renames = self.settings().allow_workspace_renames;
        let shown = page
            .workspaces
            .into_iter()
            .map(|row| shown(row, who, now, renames));
        Ok(WorkspacesResponse {
            workspaces: shown.collect(),
            count: page.count,
        })
    }

    /// What a user's workspaces cost, and may cost: −1, without limit, while groups have no
    /// allowance.
    pub async fn workspace_quota(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        user: Uuid,
    ) -> Result<WorkspaceQuota> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        Ok(conn.workspace_quota(who, organization.id, user).await?)
    }
}

impl Control {
    /// The user that a path names as the owner of workspaces. Knowing a name is not seeing
    /// the user: what is shown of it is up to the workspace.
    pub async fn workspace_owner(&self, who: &Subject, which: &store::UserRef) -> Result<Owner> {
        let which = match (which, who.user_id()) {
            (store::UserRef::Me, Some(id)) => {
                return Ok(Owner {
                    id,
                    username: who.name().to_owned(),
                });
            }
            (which, _) => which,
        };
        let core = Subject::system(authz::System::Core);
        let user = self.store().conn().await?.user_read(&core, which).await?;
        Ok(Owner {
            id: user.id,
            username: user.username,
        })
    }
}
