//! The agent's reconnecting terminal (port 2): a 16-bit length and a JSON head, then JSON messages
//! one way and raw bytes the other.

use std::io;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::{AgentConn, AgentStream};

/// Port of the terminal service.
const PORT: u16 = 2;
/// Longest head: the length has 16 bits.
const MAX_HEAD: usize = u16::MAX as usize;

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PtySize {
    /// Lines.
    pub(crate) height: u16,
    /// Columns.
    pub(crate) width: u16,
}

/// Which terminal is attached to, or begun.
#[derive(Debug, Clone)]
pub(crate) struct PtyRequest {
    /// Names the terminal; the same name attaches to it again.
    pub(crate) id: Uuid,
    /// Size at the start.
    pub(crate) size: PtySize,
    /// What runs; a login shell if empty.
    pub(crate) command: String,
    /// Container to run in; the agent's own machine if empty.
    pub(crate) container: String,
    /// User in the container.
    pub(crate) container_user: String,
    /// `screen`, `buffered`, or the agent's choice if empty.
    pub(crate) backend_type: String,
}

/// The head, with the field names of the agent's side.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Head<'r> {
    #[serde(rename = "ID")]
    id: Uuid,
    height: u16,
    width: u16,
    command: &'r str,
    container: &'r str,
    container_user: &'r str,
    backend_type: &'r str,
}

impl PtyRequest {
    /// Length and head as they go on the wire.
    fn encode(&self) -> io::Result<Vec<u8>> {
        let head = Head {
            id: self.id,
            height: self.size.height,
            width: self.size.width,
            command: &self.command,
            container: &self.container,
            container_user: &self.container_user,
            backend_type: &self.backend_type,
        };
        let json = serde_json::to_vec(&head)?;
        let length = u16::try_from(json.len()).map_err(|_| {
            let text = format!("the terminal's command is too long: at most {MAX_HEAD} bytes");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        // Little-endian, unlike the rest of the protocols; in one piece, as it is read by one read.
        let mut wire = length.to_le_bytes().to_vec();
        wire.extend(json);
        Ok(wire)
    }
}

impl AgentConn {
    /// Attaches to a terminal. Afterwards, JSON objects `{data, height, width}` go to the agent,
    /// and what the terminal shows comes back as it is.
    ///
    /// # Errors
    /// Those of [`AgentConn::dial_tcp`], and `InvalidInput` if the command is too long.
    pub(crate) async fn pty(&self, request: &PtyRequest) -> io::Result<AgentStream> {
        let head = request.encode()?;
        let mut stream = self.dial_tcp(PORT).await?;
        stream.write_all(&head).await?;
        stream.flush().await?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(command: String) -> PtyRequest {
        PtyRequest {
            id: Uuid::nil(),
            size: PtySize {
                height: 24,
                width: 80,
            },
            command,
            container: String::new(),
            container_user: String::new(),
            backend_type: "buffered".to_owned(),
        }
    }

    #[test]
    fn heads_are_as_the_agent_reads_them() {
        let wire = request("top".to_owned()).encode().unwrap();
        let length = usize::from(u16::from_le_bytes([wire[0], wire[1]]));
        assert_eq!(length, wire.len() - 2);
        let head: serde_json::Value = serde_json::from_slice(&wire[2..]).unwrap();
        let expected = serde_json::json!({
            "ID": Uuid::nil(), "Height": 24, "Width": 80, "Command": "top",
            "Container": "", "ContainerUser": "", "BackendType": "buffered",
        });
        assert_eq!(head, expected);
        assert!(request("x".repeat(70_000)).encode().is_err());
    }
}
