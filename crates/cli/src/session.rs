//! What every command works with: settings, the client, what a person sees.

use std::cell::{Cell, OnceCell};
use std::io::IsTerminal;

use anyhow::{Context, Result};
use api_types::{Organization, Secret};
use client::{Client, TlsFiles};
use http::HeaderMap;
use url::Url;

use crate::config_dir::ConfigDir;
use crate::failure::Advice;
use crate::globals::Globals;
use crate::ui::style::Style;

/// One run of one command.
#[derive(Debug)]
pub struct Session {
    /// Global flags.
    pub globals: Globals,
    /// Where settings are stored.
    pub config: ConfigDir,
    /// Colours of standard output.
    pub style: Style,
    /// Colours of standard error.
    pub style_err: Style,
    /// Full name of the command, such as `coder templates push`.
    pub command: String,
    client: OnceCell<Client>,
    progress_on_stderr: Cell<bool>,
}

impl Session {
    /// Reads the settings that `globals` point to.
    pub fn new(globals: Globals, command: String) -> Result<Self> {
        Ok(Self {
            config: ConfigDir::new(globals.global_config.as_deref())?,
            globals,
            style: Style::of(&std::io::stdout()),
            style_err: Style::of(&std::io::stderr()),
            command,
            client: OnceCell::new(),
            progress_on_stderr: Cell::new(false),
        })
    }

    /// Address of the deployment, from flag, environment or settings.
    pub fn url(&self) -> Result<Option<Url>> {
        let text = match self.globals.url.clone().filter(|u| !u.is_empty()) {
            Some(given) => Some(given),
            None => self.config.url()?,
        };
        text.map(|t| parse_url(&t)).transpose()
    }

    /// The token to act with, from flag, environment or settings.
    pub fn token(&self) -> Result<Option<Secret<String>>> {
        let token = match self.globals.token.clone().filter(|t| !t.is_empty()) {
            Some(given) => Some(given),
            None => self.config.session()?,
        };
        Ok(token.map(Secret::new))
    }

    /// The client of a person who is signed in.
    pub fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let not_signed_in = || {
            Advice::error(
                "you are not signed in",
                "Try logging in using 'coder login <address>'.",
            )
        };
        let url = self.url()?.ok_or_else(not_signed_in)?;
        let token = self.token()?.ok_or_else(not_signed_in)?;
        let client = self.client_for(url, token)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// A client for any address and token, with the transport of this run.
    pub fn client_for(&self, url: Url, token: Secret<String>) -> Result<Client> {
        self.client_with_headers(url, token, &HeaderMap::new())
    }

    /// The same with headers beside those of the global flags.
    pub fn client_with_headers(
        &self,
        url: Url,
        token: Secret<String>,
        more: &HeaderMap,
    ) -> Result<Client> {
        let globals = &self.globals;
        let mut headers = more.clone();
        for pair in crate::csv::split_all(&globals.header) {
            client::parse_header(&pair, &mut headers)?;
        }
        if let Some(command) = globals.header_command.as_deref().filter(|c| !c.is_empty()) {
            client::run_header_command(command, &url, &mut headers)?;
        }
        let file =
            |path: &Option<std::path::PathBuf>| path.clone().filter(|p| !p.as_os_str().is_empty());
        let tls = TlsFiles {
            ca: file(&globals.client_tls_ca_file),
            cert: file(&globals.client_tls_cert_file),
            key: file(&globals.client_tls_key_file),
        };
        let agent = format!(
            "coder-cli/{} ({}/{}; {})",
            api_types::VERSION,
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.command
        );
        Ok(Client::builder(url)
            .token(token)
            .headers(headers)
            .tls(tls)
            .user_agent(agent)
            .build()?)
    }

    /// The organization to act in: the one that was asked for, else the stored
    /// one, else the only one, else the default one.
    pub async fn organization(&self, asked: Option<&str>) -> Result<Organization> {
        let mine = self
            .client()?
            .user_organizations("me")
            .await
            .context("list your organizations")?;
        let stored = self.config.organization()?;
        let wanted = asked.filter(|n| !n.is_empty()).or(stored.as_deref());
        if let Some(found) = client::preferred_organization(&mine, wanted) {
            return Ok(found.clone());
        }
        Err(match wanted {
            Some(name) => {
                let names: Vec<&str> = mine.iter().map(|o| o.name.as_str()).collect();
                Advice::error(
                    format!("you are not a member of an organization {name:?}"),
                    format!("Choose one of yours with --org: {}.", names.join(", ")),
                )
            }
            None => Advice::error(
                "you are not a member of any organization",
                "Ask an administrator to add you to one.",
            ),
        })
    }

    /// Sends the progress of builds to standard error from now on, for commands
    /// whose standard output belongs to something else.
    pub fn keep_stdout_clean(&self) {
        self.progress_on_stderr.set(true);
    }

    /// Prints `text` as it is where progress goes.
    pub fn progress(&self, text: &str) -> Result<()> {
        if !self.progress_on_stderr.get() {
            return crate::ui::output::emit(text);
        }
        crate::ui::output::emit_err(text);
        Ok(())
    }

    /// Colours of the stream where progress goes.
    pub fn progress_style(&self) -> Style {
        if self.progress_on_stderr.get() {
            self.style_err
        } else {
            self.style
        }
    }

    /// Prints one line to standard error, for information beside the output.
    #[expect(
        clippy::unused_self,
        reason = "output goes through the session, which may come to direct it"
    )]
    pub fn note(&self, text: &str) {
        crate::ui::output::emit_err(&format!("{text}\n"));
    }

    /// Whether questions can be put to a person.
    pub fn interactive(&self) -> bool {
        self.globals.force_tty || std::io::stdin().is_terminal()
    }

    /// Tells an administrator what the server has said about its features.
    pub fn warn_of_features(&self) {
        let warnings = self.client.get().map_or(&[][..], Client::warnings);
        if !self.globals.no_feature_warning {
            for warning in warnings {
                self.note(&self.style_err.warn(warning));
            }
        }
    }

    /// Warns once when client and server do not speak the same API level. It
    /// costs a request only where they differ.
    pub async fn warn_of_version(&self) {
        let Some(client) = self.client.get() else {
            return;
        };
        let Some(server) = client.server_version() else {
            return;
        };
        if self.globals.no_version_warning || api_types::same_api_level(api_types::VERSION, server)
        {
            return;
        }
        let how = match client.build_info().await {
            Ok(info) if !info.upgrade_message.is_empty() => info.upgrade_message,
            Ok(info) if !info.dashboard_url.is_empty() => {
                format!(
                    "download {server} with: 'curl -fsSL {}/install.sh | sh'",
                    info.dashboard_url
                )
            }
            _ => format!("download {server} from your deployment"),
        };
        let text = format!(
            "version mismatch: client {}, server {server}\n{how}",
            api_types::VERSION
        );
        self.note(&self.style_err.warn(&text));
    }
}

/// Reads an address as people type it: without scheme it is HTTPS, or HTTP
/// for this machine.
pub fn parse_url(text: &str) -> Result<Url> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let full = if lower.starts_with("http://") || lower.starts_with("https://") {
        text.to_owned()
    } else if text.contains("://") {
        anyhow::bail!("invalid address {text:?}: only http:// and https:// are supported");
    } else {
        let host = lower.split(['/', ':']).next().unwrap_or_default();
        let local = host == "localhost" || host.starts_with("127.") || lower.starts_with("[::1]");
        format!("{}://{text}", if local { "http" } else { "https" })
    };
    // The parser would take the first part of the path for the host.
    let names_host = full
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.starts_with('/'));
    anyhow::ensure!(names_host, "invalid address {text:?}: it names no host");
    let url = Url::parse(&full).with_context(|| format!("invalid address {text:?}"))?;
    anyhow::ensure!(
        url.host_str().is_some_and(|h| !h.is_empty()),
        "invalid address {text:?}: it names no host"
    );
    Ok(url)
}

/// The address as it is stored: without the slash that an empty path has.
pub fn stored_form(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_guessed() {
        for (text, full) in [
            ("coder.example.com", "https://coder.example.com"),
            ("localhost:3000", "http://localhost:3000"),
            ("127.0.0.1:3000/", "http://127.0.0.1:3000"),
            ("localhost.example.com", "https://localhost.example.com"),
            ("HTTP://x/sub/", "http://x/sub"),
        ] {
            assert_eq!(stored_form(&parse_url(text).unwrap()), full);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "ftp://x", "http://", "https:///path", "a b"] {
            assert!(parse_url(text).is_err(), "{text:?}");
        }
    }
}
