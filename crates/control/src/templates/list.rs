//! Lists of templates and the query they are asked with.

use api_types::{DauEntry, DausResponse, Template};
use authz::{Action, Subject};
use store::OrganizationRef;
use store::templates::{TemplateFilter, TemplateRow};
use uuid::Uuid;

use super::shown;
use crate::search::Query;
use crate::{Control, Error, Result};

impl Control {
    /// How many users a template's workspaces had on each of the last days.
    pub async fn template_daily_users(
        &self,
        who: &Subject,
        id: Uuid,
        offset: i32,
    ) -> Result<DausResponse> {
        let conn = self.store().conn().await?;
        let row = conn.template_read(who, id).await?;
        who.may(Action::ViewInsights, &row.object())
            .map_err(|_| Error::not_found())?;
        drop(conn);
        self.daily_users(Some(id), offset).await
    }

    /// Users a day: of a template, or of all.
    pub(crate) async fn daily_users(
        &self,
        template: Option<Uuid>,
        offset: i32,
    ) -> Result<DausResponse> {
        if !(-12..=14).contains(&offset) {
            return Err(Error::field(
                "tz_offset",
                "Must be between -12 and 14 hours.",
            ));
        }
        let conn = self.store().conn().await?;
        let days = conn.template_daily_users(template, offset).await?;
        Ok(DausResponse {
            entries: days
                .into_iter()
                .map(|(date, amount)| DauEntry { date, amount })
                .collect(),
            tz_hour_offset: offset.into(),
        })
    }

    /// Templates that may be read, of one organization if given.
    pub async fn template_list(
        &self,
        who: &Subject,
        organization: Option<&OrganizationRef>,
        query: &str,
    ) -> Result<Vec<Template>> {
        let mut by = parse(who, query)?;
        let conn = self.store().conn().await?;
        if let Some(organization) = organization {
            by.organization_id = Some(conn.organization_read(who, organization).await?.id);
        }
        let rows = conn.template_list(who, &by).await?;
        let ids: Vec<Uuid> = rows.iter().map(|r| r.api.id).collect();
        let times = conn.template_build_times(&ids).await?;
        let with_times = |row: &TemplateRow| {
            let mut row = row.clone();
            let own = times.iter().filter(|(id, ..)| *id == row.api.id);
            row.api
                .build_time_stats
                .extend(own.map(|(_, t, s)| (t.clone(), s.clone())));
            shown(&row)
        };
        Ok(rows.iter().map(with_times).collect())
    }
}

fn parse(who: &Subject, query: &str) -> Result<TemplateFilter> {
    let mut q = Query::parse(query, "display_name");
    let ids = q.list("ids");
    let parsed: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    if parsed.len() != ids.len() {
        q.error("ids", "Query param \"ids\" must be a list of UUIDs.");
    }
    let mut author = q.one("author");
    let mut author_id = q.parsed("author_id", "a UUID", |t| t.parse().ok());
    if author.as_deref() == Some("me") {
        author = None;
        author_id = who.user_id();
    }
    // Asked for by clients of older servers; the tasks it speaks of are no more.
    let _ = q.flag("has-ai-task");
    let by = TemplateFilter {
        organization_id: None,
        organization: q.one("organization"),
        name: q.one("name"),
        exact_name: q.one("exact_name"),
        display_name: q.one("display_name"),
        exact_display_name: q.one("exact_display_name"),
        ids: parsed,
        deleted: q.flag("deleted").unwrap_or(false),
        deprecated: q.flag("deprecated"),
        has_external_agent: q.flag("has_external_agent"),
        agents_allowed: q.flag("agents-allowed"),
        author_id,
        author,
    };
    q.finish().map_err(|validations| Error {
        validations,
        ..Error::invalid("Invalid template search query.")
    })?;
    Ok(by)
}
