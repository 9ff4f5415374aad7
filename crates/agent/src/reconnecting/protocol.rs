//! What a viewer sends: a start with a 16-bit little-endian length, then JSON
//! objects one after the other.

use std::io;

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use crate::pty::Size;

/// Bytes that an unfinished object of a viewer may have: a pasted text is one.
const MAX_INPUT: usize = 4 * 1024 * 1024;

/// What a viewer wants to see.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Init {
    /// The terminal.
    #[serde(rename = "ID")]
    pub id: Uuid,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    width: u32,
    /// What to run if the terminal is new; empty for a login shell.
    #[serde(default)]
    pub command: String,
    /// The container in which to run; empty for the workspace itself.
    #[serde(default)]
    pub container: String,
    /// The user there; empty for whom it runs as.
    #[serde(default)]
    pub container_user: String,
    /// What is to stand behind a new terminal; empty for the best there is.
    #[serde(default)]
    pub backend_type: String,
}

impl Init {
    /// The viewer's size.
    pub fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

/// Reads the start.
pub async fn read_init(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Init> {
    let length = reader.read_u16_le().await?;
    let mut text = vec![0; usize::from(length)];
    reader.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}

/// Something typed, or a new size.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Input {
    /// What was typed.
    pub data: String,
    /// Lines; with zero the size stays.
    pub height: u32,
    /// Characters per line; as above.
    pub width: u32,
}

/// The objects of a viewer.
pub struct Inputs<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Inputs<R> {
    /// Reads from here on.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
        }
    }

    /// The next object; `None` at the end, and after nonsense.
    pub async fn next(&mut self) -> Option<Input> {
        loop {
            let mut objects =
                serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Input>();
            match objects.next() {
                Some(Ok(input)) => {
                    let used = objects.byte_offset();
                    self.buffer.advance(used);
                    return Some(input);
                }
                Some(Err(error)) if !error.is_eof() => return None,
                _ if self.buffer.len() > MAX_INPUT => return None,
                _ => {}
            }
            if !matches!(self.reader.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
    }
}
