//! The options of `config-ssh`, and their form in the section's comment by
//! which the next run knows them.

use api_types::SshConfigResponse;
use std::fmt::Write as _;

use super::Args;
use crate::csv;
use crate::follow::agent::Wait;
use crate::session::Session;

/// Options that the section remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// `yes` or `no`; empty is as the template says.
    pub wait: String,
    /// Prefix of host names, if not the deployment's.
    pub prefix: Option<String>,
    /// Suffix of host names, if not the deployment's.
    pub suffix: Option<String>,
    /// Do not start what is stopped.
    pub disable_autostart: bool,
    /// One host for each workspace.
    pub no_wildcard: bool,
    /// Options of OpenSSH.
    pub ssh: Vec<String>,
    /// Extra headers.
    pub headers: Vec<String>,
    /// Command that prints extra headers.
    pub header_command: String,
}

impl Remembered {
    /// What the flags say.
    pub fn from_flags(args: &Args, session: &Session) -> Self {
        Self {
            wait: match args.wait {
                Wait::Yes => "yes".to_owned(),
                Wait::No => "no".to_owned(),
                Wait::Auto => String::new(),
            },
            prefix: args.ssh_host_prefix.clone(),
            suffix: args.hostname_suffix.clone(),
            disable_autostart: args.disable_autostart,
            no_wildcard: args.no_wildcard,
            ssh: csv::split_all(&args.ssh_option)
                .into_iter()
                .filter(|o| !o.is_empty())
                .collect(),
            headers: session.globals.header.clone(),
            header_command: session.globals.header_command.clone().unwrap_or_default(),
        }
    }

    /// Reads the comment of a section.
    pub fn parse(section: &str) -> Self {
        let mut found = Self::default();
        for line in section.lines() {
            let Some((key, value)) = line.strip_prefix("# :").and_then(|l| l.split_once('='))
            else {
                continue;
            };
            match key {
                "wait" => value.clone_into(&mut found.wait),
                "ssh-host-prefix" => found.prefix = Some(value.to_owned()),
                "hostname-suffix" => found.suffix = Some(value.to_owned()),
                "disable-autostart" => found.disable_autostart = value == "true",
                "no-wildcard" => found.no_wildcard = value == "true",
                "ssh-option" => found.ssh.push(value.to_owned()),
                "header" => found.headers.push(value.to_owned()),
                "header-command" => value.clone_into(&mut found.header_command),
                // Options of newer versions.
                _ => {}
            }
        }
        found
    }

    /// The comment's lines.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "# :{key}={value}");
        };
        if !self.wait.is_empty() {
            line("wait", &self.wait);
        }
        if let Some(prefix) = &self.prefix {
            line("ssh-host-prefix", prefix);
        }
        if let Some(suffix) = &self.suffix {
            line("hostname-suffix", suffix);
        }
        if self.disable_autostart {
            line("disable-autostart", "true");
        }
        if self.no_wildcard {
            line("no-wildcard", "true");
        }
        self.ssh.iter().for_each(|o| line("ssh-option", o));
        self.headers.iter().for_each(|h| line("header", h));
        if !self.header_command.is_empty() {
            line("header-command", &self.header_command);
        }
        out
    }

    /// Prefix and suffix that hold; either may be empty.
    pub fn names<'a>(&'a self, deployment: &'a SshConfigResponse) -> (&'a str, &'a str) {
        (
            self.prefix
                .as_deref()
                .unwrap_or(&deployment.hostname_prefix),
            self.suffix
                .as_deref()
                .unwrap_or(&deployment.hostname_suffix)
                .trim_start_matches('.'),
        )
    }

    /// A host name to show.
    pub fn example(&self, deployment: &SshConfigResponse, workspace: &str) -> String {
        match self.names(deployment) {
            (prefix, "") => format!("{prefix}{workspace}"),
            (_, suffix) => format!("{workspace}.{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let options = Remembered {
            wait: "no".into(),
            prefix: Some(String::new()),
            suffix: Some("dev".into()),
            disable_autostart: true,
            no_wildcard: true,
            ssh: vec!["ForwardAgent=yes".into(), "Port=1".into()],
            headers: vec!["X=a=b".into()],
            header_command: "echo x=y".into(),
        };
        assert_eq!(Remembered::parse(&options.lines()), options);
        assert_eq!(
            Remembered::parse("Host x\n# :unknown=1\n"),
            Remembered::default()
        );
    }
}
