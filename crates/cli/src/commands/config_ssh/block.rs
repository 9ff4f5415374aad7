//! The section of an OpenSSH configuration that belongs to us.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use anyhow::{Result, bail};
use api_types::SshConfigResponse;

use super::options::Remembered;

/// First line of the section.
const START: &str = "# ------------START-CODER-----------";
/// Last line of the section.
const END: &str = "# ------------END-CODER------------";

/// What the section says.
pub struct Section<'a> {
    /// Program that OpenSSH calls.
    pub binary: &'a str,
    /// Its settings.
    pub config_dir: &'a str,
    /// Options of this run.
    pub options: &'a Remembered,
    /// What the deployment wants.
    pub deployment: &'a SshConfigResponse,
    /// Workspaces to name one by one; patterns instead when absent.
    pub hosts: Option<&'a [String]>,
}

/// Where the section stands in `config`. Half a section or two of them are
/// left to the person: nobody can tell what belongs to whom.
pub fn find(config: &str) -> Result<Option<Range<usize>>> {
    let positions = |token: &str| {
        config
            .match_indices(token)
            .map(|(at, _)| at)
            .filter(|at| *at == 0 || config.as_bytes()[*at - 1] == b'\n')
            .collect::<Vec<_>>()
    };
    match (positions(START).as_slice(), positions(END).as_slice()) {
        ([], []) => Ok(None),
        ([start], [end]) if start < end => {
            let after = config[*end..]
                .find('\n')
                .map_or(config.len(), |n| end + n + 1);
            Ok(Some(*start..after))
        }
        ([_], [_]) => {
            bail!("its coder section ends before it starts: remove the lines {START:?} and {END:?}")
        }
        ([_], []) | ([], [_]) => bail!("it has half a coder section: remove it by hand"),
        _ => bail!("it has several coder sections: remove all but one by hand"),
    }
}

/// `config` with `section` in place of the old one, or at its end.
pub fn replace(config: &str, old: Option<Range<usize>>, section: &str) -> String {
    match old {
        Some(range) => format!(
            "{}{section}{}",
            &config[..range.start],
            &config[range.end..]
        ),
        None if config.is_empty() => section.to_owned(),
        None => format!("{}\n\n{section}", config.trim_end_matches('\n')),
    }
}

/// The text of a section.
pub fn render(section: &Section<'_>) -> Result<String> {
    let mut out = format!(
        "{START}\n\
         # This section is managed by coder. DO NOT EDIT.\n\
         #\n\
         # Change it by running \"coder config-ssh\" again; whatever is written\n\
         # here by hand is lost then.\n\
         #\n"
    );
    let remembered = section.options.lines();
    if !remembered.is_empty() {
        out.push_str("# Last config-ssh options:\n");
        out.push_str(&remembered);
        out.push_str("#\n");
    }
    let settings = settings(section)?;
    let (prefix, suffix) = section.options.names(section.deployment);
    if !prefix.is_empty() {
        let proxy = proxy_command(section, &format!("--ssh-host-prefix {prefix}"));
        for name in names(section.hosts) {
            let _ = writeln!(
                out,
                "Host {prefix}{name}\n{settings}\tProxyCommand {proxy}\n"
            );
        }
    }
    if !suffix.is_empty() {
        let proxy = proxy_command(section, &format!("--hostname-suffix {suffix}"));
        let exists = format!("{} connect exists %h", quoted(section.binary)).replace('"', "\\\"");
        for name in names(section.hosts) {
            let host = format!("{name}.{suffix}");
            let _ = writeln!(out, "Host {host}\n{settings}");
            // A VPN that resolves the name needs no help.
            let _ = writeln!(
                out,
                "Match host {host} !exec \"{exists}\"\n\tProxyCommand {proxy}\n"
            );
        }
    }
    out.push_str(END);
    out.push('\n');
    Ok(out)
}

/// The names to write a block for: each workspace, or the pattern of all.
fn names(hosts: Option<&[String]>) -> Vec<&str> {
    hosts.map_or_else(
        || vec!["*"],
        |hosts| hosts.iter().map(String::as_str).collect(),
    )
}

/// What turns `before` into `after`, line by line, for reading: sections are
/// replaced as a whole, so what the two share stands at both ends.
pub fn changes(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut old.iter().zip(&new));
    let rest = old.len().min(new.len()) - head;
    let tail = same(&mut old.iter().rev().zip(new.iter().rev())).min(rest);
    let mut out = String::new();
    for line in &old[head..old.len() - tail] {
        let _ = writeln!(out, "- {line}");
    }
    for line in &new[head..new.len() - tail] {
        let _ = writeln!(out, "+ {line}");
    }
    out
}

/// Lines of options, from one source after the other.
#[derive(Default)]
struct Settings {
    /// Names, in lower case, about which later sources have no say.
    settled: HashSet<String>,
    /// Those of the source that is being read.
    current: HashSet<String>,
    text: String,
}

impl Settings {
    /// Adds an option of the current source. OpenSSH takes some names several times (LocalForward,
    /// SendEnv), so each stays; without a value it leaves the name out from here on.
    fn add(&mut self, name: &str, value: &str, line: &str) {
        let name = name.to_ascii_lowercase();
        if self.settled.contains(&name) {
            return;
        }
        if value.trim().is_empty() {
            self.settled.insert(name);
        } else {
            let _ = writeln!(self.text, "\t{line}");
            self.current.insert(name);
        }
    }

    /// The next source begins.
    fn next_source(&mut self) {
        self.settled.extend(self.current.drain());
    }
}

/// The person's options, then the deployment's, then ours; the first source that knows a name counts.
fn settings(section: &Section<'_>) -> Result<String> {
    let mut settings = Settings::default();
    for option in &section.options.ssh {
        let parts = option.trim_start().split_once(['=', ' ']);
        let Some((name, value)) = parts.filter(|(name, _)| !name.is_empty()) else {
            bail!("SSH option {option:?} is not of the form name=value");
        };
        if option.contains(['\n', '\r']) {
            bail!("SSH option {option:?} has more than one line");
        }
        // Between the two may stand both a space and the sign.
        let value = value.trim_start();
        let value = value.strip_prefix('=').unwrap_or(value);
        settings.add(name, value, option);
    }
    settings.next_source();
    for (name, value) in &section.deployment.ssh_config_options {
        let value = value.replace(['\n', '\r'], " ");
        settings.add(name, &value, &format!("{name} {value}"));
    }
    settings.next_source();
    for (name, value, line) in [
        ("ConnectTimeout", "0", "ConnectTimeout=0"),
        // The tunnel knows the workspace by its key; host keys change with it.
        ("StrictHostKeyChecking", "no", "StrictHostKeyChecking=no"),
        (
            "UserKnownHostsFile",
            "/dev/null",
            "UserKnownHostsFile=/dev/null",
        ),
        ("LogLevel", "ERROR", "LogLevel ERROR"),
    ] {
        settings.add(name, value, line);
    }
    Ok(settings.text)
}

fn proxy_command(section: &Section<'_>, how: &str) -> String {
    let options = section.options;
    let mut command = format!(
        "{} --global-config {}",
        quoted(section.binary),
        quoted(section.config_dir)
    );
    for header in &options.headers {
        let _ = write!(command, " --header {}", quoted(header));
    }
    if !options.header_command.is_empty() {
        let _ = write!(
            command,
            " --header-command {}",
            quoted(&options.header_command)
        );
    }
    command.push_str(" ssh --stdio");
    if !options.wait.is_empty() {
        let _ = write!(command, " --wait={}", options.wait);
    }
    if options.disable_autostart {
        command.push_str(" --disable-autostart=true");
    }
    format!("{command} {how} %h")
}

/// `text` for the shell that OpenSSH starts; `%` is OpenSSH's own.
fn quoted(text: &str) -> String {
    let text = text.replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(options: &Remembered, hosts: Option<&[String]>) -> String {
        let deployment = SshConfigResponse {
            hostname_prefix: "coder.".into(),
            hostname_suffix: "coder".into(),
            ssh_config_options: [("ForwardAgent".to_owned(), "no".to_owned())].into(),
        };
        render(&Section {
            binary: "/opt/my coder",
            config_dir: "/c",
            options,
            deployment: &deployment,
            hosts,
        })
        .unwrap()
    }

    #[test]
    fn sections_are_replaced_in_place() {
        let text = section(&Remembered::default(), None);
        let config = format!("Host a\n\tUser x\n\n{text}\nHost b\n");
        let at = find(&config).unwrap();
        assert_eq!(replace(&config, at, &text), config);
        let added = replace("Host a\n", None, &text);
        assert_eq!(replace(&added, find(&added).unwrap(), ""), "Host a\n\n");
    }

    #[test]
    fn without_workspaces_no_host_is_named() {
        let text = section(&Remembered::default(), Some(&[]));
        assert!(!text.contains("\nHost "), "{text}");
        assert!(section(&Remembered::default(), None).contains("Host *.coder\n"));
    }

    #[test]
    fn changes_leave_out_what_stays() {
        assert_eq!(changes("a\nb\nc\n", "a\nx\ny\nc\n"), "- b\n+ x\n+ y\n");
        assert_eq!(changes("", "a\n"), "+ a\n");
        assert_eq!(changes("a\na\n", "a\n"), "- a\n");
    }

    #[test]
    fn damaged_sections_are_left_alone() {
        for config in [
            format!("{START}\nHost x\n"),
            format!("{END}\n"),
            format!("{END}\n{START}\n"),
            format!("{START}\n{END}\n{START}\n{END}\n"),
        ] {
            assert!(find(&config).is_err(), "{config}");
        }
        assert!(find("Host a\n").unwrap().is_none());
    }

    #[test]
    fn options_may_repeat_and_empty_ones_leave_a_name_out() {
        let options = Remembered {
            ssh: vec![
                "SendEnv=A".into(),
                "SendEnv=B".into(),
                "sendenv C".into(),
                "ForwardAgent=".into(),
                "loglevel ".into(),
                "UserKnownHostsFile = ".into(),
            ],
            ..Remembered::default()
        };
        let text = section(&options, Some(&["dev".to_owned()]));
        let block = text.split("Host dev.coder\n").nth(1).unwrap();
        let block = block.split("\n\n").next().unwrap();
        assert_eq!(
            block,
            "\tSendEnv=A\n\tSendEnv=B\n\tsendenv C\n\tConnectTimeout=0\n\tStrictHostKeyChecking=no"
        );
    }

    #[test]
    fn the_first_source_of_a_name_counts() {
        let options = Remembered {
            ssh: vec!["forwardagent=yes".into(), "LogLevel DEBUG".into()],
            ..Remembered::default()
        };
        let text = section(&options, None);
        assert!(text.contains("\tforwardagent=yes\n") && !text.contains("ForwardAgent no"));
        assert!(text.contains("\tLogLevel DEBUG\n") && !text.contains("LogLevel ERROR"));
        for bad in ["novalue", "=x", " x"] {
            let options = Remembered {
                ssh: vec![bad.into()],
                ..Remembered::default()
            };
            let rendered = render(&Section {
                binary: "c",
                config_dir: "/c",
                options: &options,
                deployment: &SshConfigResponse::default(),
                hosts: None,
            });
            assert!(rendered.is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_are_quoted_for_the_shell() {
        let options = Remembered {
            header_command: "echo 'x=%y'".into(),
            disable_autostart: true,
            ..Remembered::default()
        };
        let text = section(&options, Some(&["dev".to_owned(), "web".to_owned()]));
        for host in ["coder.dev", "coder.web", "dev.coder", "web.coder"] {
            assert!(text.contains(&format!("Host {host}\n")), "{text}");
        }
        assert!(
            text.contains("Match host web.coder !exec \"'/opt/my coder' connect exists %h\"\n")
        );
        assert!(text.contains("ProxyCommand '/opt/my coder' --global-config /c --header-command 'echo '\\''x=%%y'\\''' ssh --stdio --disable-autostart=true --hostname-suffix coder %h"), "{text}");
    }
}
