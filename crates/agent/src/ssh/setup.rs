//! What a client states about a session before it starts something in it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::channel::Request;
use super::wire::{Malformed, Reader};
use super::x11::X11Request;
use crate::pty::Size;
use crate::sessions::Kind;

/// Names and values of a client's variables, in bytes together. Linux itself
/// takes 128 KiB for one and a few megabytes for all.
const MAX_ENVIRONMENT: usize = 256 * 1024;

/// A terminal that the client wants.
#[derive(Debug, Clone)]
pub struct PtyRequest {
    /// Value for `TERM`.
    pub term: OsString,
    /// Its size.
    pub size: Size,
    /// Its modes, as encoded in RFC 4254 section 8.
    pub modes: Vec<u8>,
}

/// What has been stated so far.
#[derive(Debug, Default)]
pub struct Setup {
    /// Variables, in the order in which they came.
    pub environment: Vec<(OsString, OsString)>,
    size: usize,
    /// The terminal, if one is wanted.
    pub pty: Option<PtyRequest>,
    /// The client's display, if it offers one.
    pub x11: Option<X11Request>,
    /// The client's keys may be used.
    pub agent: bool,
    /// Text of `CODER_SSH_SESSION_TYPE`, if the client sent one.
    kind: Option<String>,
    /// The container in which to run, if not in the workspace itself.
    pub container: Option<String>,
    /// The user there; empty for whom the container runs as.
    pub container_user: String,
}

/// What a request of a client comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Taken note of.
    Done,
    /// Nothing of the kind is possible.
    Refused,
    /// Start this command line; empty for a login shell.
    Start(OsString),
    /// Start this subsystem.
    Subsystem(String),
}

impl Setup {
    /// Takes one request.
    pub fn take(&mut self, request: &Request) -> Result<Step, Malformed> {
        let mut data = Reader::new(&request.data);
        Ok(match request.kind.as_str() {
            "env" => self.variable(data.string()?, data.string()?),
            "pty-req" => {
                let term = OsStr::from_bytes(data.string()?).to_owned();
                let size = size(&mut data)?;
                let modes = data.string()?.to_vec();
                self.pty = Some(PtyRequest { term, size, modes });
                Step::Done
            }
            "window-change" => {
                let size = size(&mut data)?;
                if let Some(pty) = &mut self.pty {
                    pty.size = size;
                }
                Step::Done
            }
            "x11-req" => {
                self.x11 = Some(X11Request::read(&mut data)?);
                Step::Done
            }
            "auth-agent-req@openssh.com" => {
                self.agent = true;
                Step::Done
            }
            "shell" => Step::Start(OsString::new()),
            "exec" => Step::Start(OsStr::from_bytes(data.string()?).to_owned()),
            "subsystem" => Step::Subsystem(data.text()?.to_owned()),
            _ => Step::Refused,
        })
    }

    /// Takes a variable; those that are meant for the agent itself go no further.
    fn variable(&mut self, name: &[u8], value: &[u8]) -> Step {
        self.size += name.len() + value.len();
        if self.size > MAX_ENVIRONMENT {
            return Step::Refused;
        }
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b"CODER_SSH_SESSION_TYPE" => self.kind = Some(text()),
            b"CODER_CONTAINER" => self.container = Some(text()).filter(|c| !c.is_empty()),
            b"CODER_CONTAINER_USER" => self.container_user = text(),
            name => {
                let owned = |bytes| OsStr::from_bytes(bytes).to_owned();
                self.environment.push((owned(name), owned(value)));
            }
        }
        Step::Done
    }

    /// What the session is used for; `None` if the client names a kind that we do not count.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
            .as_deref()
            .filter(|k| !k.is_empty())
            .map_or(Some(Kind::Ssh), Kind::from_client)
    }
}

/// Columns and rows, before the same in pixels.
pub fn size(data: &mut Reader<'_>) -> Result<Size, Malformed> {
    let size = Size::new(data.u32()?, data.u32()?);
    data.bytes(8)?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::wire::Write;

    fn request(kind: &str, strings: &[&str]) -> Request {
        let mut data = Vec::new();
        for string in strings {
            data.put_string(string.as_bytes());
        }
        Request {
            kind: kind.into(),
            want_reply: true,
            data,
        }
    }

    #[test]
    fn variables_for_the_agent_are_kept_from_the_session() {
        let mut setup = Setup::default();
        assert_eq!(setup.kind(), Some(Kind::Ssh));
        for (name, value) in [
            ("A", "1"),
            ("CODER_SSH_SESSION_TYPE", "ssh"),
            ("CODER_SSH_SESSION_TYPE", "JetBrains"),
        ] {
            assert_eq!(setup.take(&request("env", &[name, value])), Ok(Step::Done));
        }
        assert_eq!(setup.environment, [("A".into(), "1".into())]);
        assert_eq!(setup.kind(), Some(Kind::JetBrains));
        setup
            .take(&request("env", &["CODER_SSH_SESSION_TYPE", "zed"]))
            .unwrap();
        assert_eq!(setup.kind(), None);
    }

    #[test]
    fn an_endless_environment_is_refused() {
        let mut setup = Setup::default();
        let large = "x".repeat(MAX_ENVIRONMENT);
        assert_eq!(
            setup.take(&request("env", &["A", &large])),
            Ok(Step::Refused)
        );
        assert!(setup.environment.is_empty());
    }

    #[test]
    fn short_and_unknown_requests_are_refused() {
        let mut setup = Setup::default();
        assert_eq!(setup.take(&request("pty-req", &["xterm"])), Err(Malformed));
        assert_eq!(setup.take(&request("env", &["A"])), Err(Malformed));
        assert_eq!(setup.take(&request("nonsense", &[])), Ok(Step::Refused));
    }

    #[test]
    fn commands_keep_their_bytes() {
        let mut setup = Setup::default();
        let mut data = Vec::new();
        data.put_string(b"echo \xff");
        let request = Request {
            kind: "exec".into(),
            want_reply: true,
            data,
        };
        let expected = OsStr::from_bytes(b"echo \xff").to_owned();
        assert_eq!(setup.take(&request), Ok(Step::Start(expected)));
    }
}
