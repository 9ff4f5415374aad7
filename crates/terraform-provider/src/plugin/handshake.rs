//! go-plugin's handshake: what the host says in the environment, and the one line that it is answered on standard
//! output.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::socket::SocketOptions;

/// Shown by hosts of providers, so that nobody starts a provider by hand by mistake. Not a secret.
const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// Version of the handshake line itself.
const CORE_VERSION: u32 = 1;
/// Version of Terraform's plugin protocol. A host that does not speak it says so itself on reading the line.
const PROTOCOL_VERSION: u32 = 5;
/// Source address of the provider, for hosts that are told to attach to a running one.
const ADDRESS: &str = "registry.terraform.io/coder/coder";

/// What the host asked for.
pub(super) struct Handshake {
    /// The certificate that the host will show, as PEM. Without it the connection is plain.
    pub(super) client_certificate: Option<String>,
    /// Where to listen.
    pub(super) socket: SocketOptions,
    /// Whether there is no host yet: one attaches later.
    pub(super) debug: bool,
    /// Whether the host asked if several plugin connections may share one (they may not).
    multiplex_asked: bool,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error(
        "This is the coder provider of Terraform and OpenTofu. It is not run by hand: put it where they look for \
         providers and run `tofu` or `terraform`, which start it. (To debug it, start it with -debug.)"
    )]
    NoHost,
}

impl Handshake {
    /// Reads what the host put into the environment.
    pub(super) fn from_host(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, HandshakeError> {
        if variable(COOKIE_NAME).as_deref() != Some(COOKIE) {
            return Err(HandshakeError::NoHost);
        }
        let non_empty = |name| variable(name).filter(|value| !value.is_empty());
        Ok(Self {
            client_certificate: non_empty("PLUGIN_CLIENT_CERT"),
            socket: SocketOptions {
                directory: non_empty("PLUGIN_UNIX_SOCKET_DIR")
                    .map_or_else(std::env::temp_dir, PathBuf::from),
                group: non_empty("PLUGIN_UNIX_SOCKET_GROUP"),
            },
            debug: false,
            multiplex_asked: non_empty("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }

    /// Serves without a host.
    pub(super) fn debug() -> Self {
        Self {
            client_certificate: None,
            socket: SocketOptions {
                directory: std::env::temp_dir(),
                group: None,
            },
            debug: true,
            multiplex_asked: false,
        }
    }

    /// Tells the host where to connect, and what certificate to expect (DER).
    pub(super) fn announce(
        &self,
        socket: &Path,
        certificate: Option<&[u8]>,
    ) -> std::io::Result<()> {
        let text = if self.debug {
            reattach(socket)
        } else {
            self.line(socket, certificate)
        };
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    fn line(&self, socket: &Path, certificate: Option<&[u8]>) -> String {
        let certificate = certificate
            .map(|der| STANDARD_NO_PAD.encode(der))
            .unwrap_or_default();
        let multiplex = if self.multiplex_asked { "|false" } else { "" };
        format!(
            "{CORE_VERSION}|{PROTOCOL_VERSION}|unix|{}|grpc|{certificate}{multiplex}\n",
            socket.display()
        )
    }
}

fn reattach(socket: &Path) -> String {
    let providers = serde_json::json!({
        ADDRESS: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL_VERSION,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": "unix", "String": socket },
        }
    });
    format!("Attach to this provider by setting\n\nTF_REATTACH_PROVIDERS='{providers}'\n")
}

#[cfg(test)]
mod tests {
    use super::{COOKIE, COOKIE_NAME, Handshake};
    use std::path::Path;

    fn from(variables: &[(&str, &str)]) -> Option<Handshake> {
        let lookup = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Handshake::from_host(&lookup).ok()
    }

    #[test]
    fn without_the_cookie_there_is_no_host() {
        assert!(from(&[]).is_none());
        assert!(from(&[(COOKIE_NAME, "x")]).is_none());
    }

    #[test]
    fn the_line_has_six_parts_and_a_seventh_for_those_who_ask() {
        let plain = from(&[(COOKIE_NAME, COOKIE)]).unwrap();
        assert_eq!(plain.line(Path::new("/s"), None), "1|5|unix|/s|grpc|\n");
        let asked = [
            (COOKIE_NAME, COOKIE),
            ("PLUGIN_MULTIPLEX_GRPC", "true"),
            ("PLUGIN_UNIX_SOCKET_DIR", "/d"),
        ];
        let asked = from(&asked).unwrap();
        assert_eq!(
            asked.line(Path::new("/s"), Some(&[255, 254])),
            "1|5|unix|/s|grpc|//4|false\n"
        );
        assert_eq!(asked.socket.directory, Path::new("/d"));
    }
}
