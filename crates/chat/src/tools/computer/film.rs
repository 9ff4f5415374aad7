//! A film of what a helper does on the desktop, made while its chat waits for it. It is an addition: where
//! there is none, nothing fails.

use client::agent_api::AgentApi;
use serde_json::{Value, json};
use store::chats::ChatRow;

use super::MODE;
use crate::files;
use crate::tools::ToolContext;

/// A film that is being made.
pub(in crate::tools) struct Film(AgentApi);

impl Film {
    /// Begins one of the helper, or goes on with that of an earlier call. Its id is the helper's.
    pub(in crate::tools) async fn begin(context: &ToolContext, helper: &ChatRow) -> Option<Self> {
        if helper.mode.as_deref() != Some(MODE) {
            return None;
        }
        let api = context.workspace.connect().await.ok()?;
        match api.desktop_record(helper.id).await {
            Ok(()) => Some(Self(api)),
            Err(error) => {
                tracing::debug!(%error, chat = %helper.id, "chats: a desktop is not filmed");
                None
            }
        }
    }

    /// The film that an earlier call began, of a helper that rests by now; none if it is kept already.
    pub(in crate::tools) async fn left(context: &ToolContext, helper: &ChatRow) -> Option<Self> {
        if helper.mode.as_deref() != Some(MODE) {
            return None;
        }
        let conn = context.machine.store().conn().await.ok()?;
        let kept = conn.chat_files_of(context.chat.id).await.ok()?;
        drop(conn);
        if kept.iter().any(|file| file.name == name(helper, "mp4")) {
            return None;
        }
        context.workspace.connect().await.ok().map(Self)
    }

    /// Ends it and keeps it for the user; ids of the film and of its picture go to `report`.
    pub(in crate::tools) async fn end(
        self,
        context: &ToolContext,
        helper: &ChatRow,
        report: &mut Value,
    ) {
        let film = match self.0.desktop_recorded(helper.id).await {
            Ok(film) => film,
            Err(error) => {
                // There may never have been one.
                tracing::debug!(%error, chat = %helper.id, "chats: there is no film of a desktop");
                return;
            }
        };
        let video = Some((film.video, "recording_file_id", "video/mp4", "mp4"));
        let picture = film.picture;
        let picture = picture.map(|data| (data, "thumbnail_file_id", "image/jpeg", "jpg"));
        for (data, key, media_type, ending) in video.into_iter().chain(picture) {
            let name = name(helper, ending);
            let (machine, who, chat) = (&context.machine, &context.who, &context.chat);
            match files::keep(machine, who, chat, &name, media_type, &data).await {
                Ok(id) => report[key] = json!(id),
                Err(error) => tracing::warn!(%error, "chats: a film of a desktop is not kept"),
            }
        }
    }
}

/// What a helper's film is called.
fn name(helper: &ChatRow, ending: &str) -> String {
    format!("recording-{}.{ending}", helper.id)
}
