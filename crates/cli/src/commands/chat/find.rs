//! Which chat, which model: what arguments name.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context, Result, bail};
use api_types::Chat;
use client::{Client, UsableServer};
use uuid::Uuid;

use crate::failure::Advice;
use crate::session::Session;

/// The longest message that is read; the server takes no longer one.
pub const MAX_MESSAGE: u64 = 256 << 10;
/// Chats among which a short name is looked for.
const RECENT: u32 = 100;
/// Characters of an id that tell chats apart for a person.
const SHORT: usize = 8;

/// The beginning of a chat's id, enough to name it.
pub fn short(id: Uuid) -> String {
    id.to_string()[..SHORT].to_owned()
}

/// The chat that `name` means: an id, the beginning of one, `last`, or a title.
pub async fn chat(client: &Client, name: &str) -> Result<Chat> {
    if let Ok(id) = name.parse::<Uuid>() {
        return match client.chat(id).await {
            Err(e) if e.is_not_found() => Err(unknown(name)),
            other => Ok(other?),
        };
    }
    let mut all = client.chats("", RECENT, 0).await?;
    all.extend(client.chats("archived:true", RECENT, 0).await?);
    let found = pick(all, name)?;
    // The list leaves out what a single chat tells.
    Ok(client.chat(found).await?)
}

fn pick(mut all: Vec<Chat>, name: &str) -> Result<Uuid> {
    if name == "last" {
        return all
            .iter()
            .max_by_key(|c| c.updated_at)
            .map(|c| c.id)
            .ok_or_else(|| {
                Advice::error("you have no chats", "Begin one with 'coder chat start'.")
            });
    }
    let lower = name.to_lowercase();
    if lower.is_empty() {
        return Err(unknown(name));
    }
    all.retain(|c| c.id.to_string().starts_with(&lower) || c.title.to_lowercase() == lower);
    all.dedup_by_key(|c| c.id);
    match &all[..] {
        [one] => Ok(one.id),
        [] => Err(unknown(name)),
        many => {
            let names: Vec<String> = many
                .iter()
                .map(|c| format!("{} ({})", short(c.id), c.title))
                .collect();
            bail!("{name:?} could be several chats: {}", names.join(", "))
        }
    }
}

fn unknown(name: &str) -> anyhow::Error {
    Advice::error(
        format!("there is no chat {name:?}, or you may not see it"),
        "'coder chat list' shows yours. A chat is named by its id, the beginning of its id, its title, or 'last'.",
    )
}

/// The MCP servers of these names in an organization; without names those that are on by default.
pub async fn mcp_servers(
    client: &Client,
    organization: Uuid,
    names: &[String],
) -> Result<Vec<Uuid>> {
    let all = client
        .chat_mcp_servers(&organization.to_string())
        .await
        .context("list the MCP servers of the organization")?;
    chosen(&all, names)
}

fn chosen(all: &[UsableServer], names: &[String]) -> Result<Vec<Uuid>> {
    let usable: Vec<_> = all.iter().filter(|server| server.enabled).collect();
    if names.is_empty() {
        let on = usable.iter().filter(|one| one.availability == "default_on");
        return Ok(on.map(|one| one.id).collect());
    }
    let find = |name: &String| {
        let is = |one: &&&UsableServer| {
            one.slug == *name
                || one.id.to_string() == *name
                || one.display_name.eq_ignore_ascii_case(name)
        };
        usable.iter().find(is).map(|one| one.id).ok_or_else(|| {
            let known: Vec<&str> = usable.iter().map(|one| one.slug.as_str()).collect();
            Advice::error(
                format!("there is no MCP server {name:?} here, or you may not use it"),
                format!("There are: {}.", known.join(", ")),
            )
        })
    };
    names.iter().map(find).collect()
}

/// The model that `name` means in an organization; `None` leaves the choice to the server.
pub async fn model(
    client: &Client,
    organization: Uuid,
    name: Option<&str>,
) -> Result<Option<Uuid>> {
    let Some(name) = name.filter(|n| !n.is_empty()) else {
        return Ok(None);
    };
    let models = client
        .chat_models(&organization.to_string())
        .await
        .context("list the models of the organization")?;
    let usable: Vec<_> = models.iter().filter(|m| m.enabled).collect();
    if let Some(found) = usable.iter().find(|m| {
        m.id.to_string() == name
            || m.model.eq_ignore_ascii_case(name)
            || m.display_name.eq_ignore_ascii_case(name)
    }) {
        return Ok(Some(found.id));
    }
    let names: Vec<&str> = usable.iter().map(|m| m.model.as_str()).collect();
    Err(Advice::error(
        format!("there is no model {name:?} that you may use"),
        if names.is_empty() {
            "An administrator adds models to the organization.".to_owned()
        } else {
            format!("Choose one of: {}.", names.join(", "))
        },
    ))
}

/// The message: the words of the command line, else standard input, else what a person types.
pub fn message(words: &[String], session: &Session) -> Result<String> {
    let text = if !words.is_empty() {
        words.join(" ")
    } else if std::io::stdin().is_terminal() && session.interactive() {
        crate::ui::prompt::Question::new("What is to be done?").ask(|_| Ok(()))?
    } else {
        let mut text = String::new();
        let read = std::io::stdin()
            .take(MAX_MESSAGE + 1)
            .read_to_string(&mut text)
            .context("read the message from standard input")?;
        if read as u64 > MAX_MESSAGE {
            bail!("the message is longer than {} KiB", MAX_MESSAGE >> 10);
        }
        text
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Advice::error(
            "there is nothing to say",
            "Give the message as words, or by standard input.",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(id: u128, title: &str, age: i64) -> Chat {
        Chat {
            id: Uuid::from_u128(id),
            title: title.into(),
            updated_at: chrono::DateTime::from_timestamp(1000 - age, 0).unwrap(),
            ..Chat::default()
        }
    }

    #[test]
    fn servers_are_named_or_on_by_default() {
        let server = |id: u128, slug: &str, availability: &str, enabled| UsableServer {
            id: Uuid::from_u128(id),
            slug: slug.into(),
            availability: availability.into(),
            enabled,
            ..UsableServer::default()
        };
        let all = [
            server(1, "docs", "default_on", true),
            server(2, "tickets", "default_off", true),
            server(3, "old", "default_on", false),
        ];
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let ids =
            |ids: &[u128]| -> Vec<Uuid> { ids.iter().copied().map(Uuid::from_u128).collect() };
        assert_eq!(chosen(&all, &[]).unwrap(), ids(&[1]));
        assert_eq!(
            chosen(&all, &names(&["tickets", "docs"])).unwrap(),
            ids(&[2, 1])
        );
        assert!(chosen(&all, &names(&["old"])).is_err());
    }

    #[test]
    fn chats_are_named_by_id_title_or_age() {
        let a = 0xaaaa_0000_0000_0000_0000_0000_0000_0001;
        let b = 0xaabb_0000_0000_0000_0000_0000_0000_0002;
        let all = || vec![chat(a, "Fix the build", 5), chat(b, "Docs", 1)];
        assert_eq!(pick(all(), "aabb").unwrap(), Uuid::from_u128(b));
        assert_eq!(pick(all(), "fix the BUILD").unwrap(), Uuid::from_u128(a));
        assert_eq!(pick(all(), "last").unwrap(), Uuid::from_u128(b));
        let several = pick(all(), "aa").unwrap_err().to_string();
        assert!(
            several.contains("aaaa0000") && several.contains("Docs"),
            "{several}"
        );
        assert!(
            pick(all(), "none")
                .unwrap_err()
                .to_string()
                .contains("no chat")
        );
        assert!(pick(Vec::new(), "last").is_err());
    }
}
