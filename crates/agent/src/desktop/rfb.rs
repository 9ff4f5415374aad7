//! The client's half of the remote framebuffer protocol (RFC 6143), as far as looking at a screen and
//! acting on it needs: no authentication, raw pixels. The server is a program of this workspace; what
//! it says is bounded all the same.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::picture::Picture;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest name of a screen, or reason of a refusal, in bytes.
const MAX_TEXT: u32 = 64 << 10;
/// Longest text of a clipboard that is passed over, in bytes.
const MAX_CLIPBOARD: u32 = 64 << 20;
/// Most pixels of a screen: two of 8K.
const MAX_PIXELS: usize = 2 * 7680 * 4320;

/// Pixels come as they are.
const RAW: i32 = 0;
/// The screen has another size from now on.
const DESKTOP_SIZE: i32 = -223;
/// Where the pointer is.
const POINTER_POSITION: i32 = 0x574d_5666;

/// A stream of bytes to the server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A session with the server.
pub(super) struct Rfb {
    io: Box<dyn Io>,
    width: u16,
    height: u16,
    pointer: (u16, u16),
    buttons: u8,
}

fn odd(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| {
        let text = format!("the desktop did not answer within {} s", PATIENCE.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

impl Rfb {
    /// Greets the server.
    pub(super) async fn open(io: impl Io + 'static) -> io::Result<Self> {
        in_time(Self::greet(Box::new(io))).await
    }

    async fn greet(mut io: Box<dyn Io>) -> io::Result<Self> {
        let mut version = [0; 12];
        io.read_exact(&mut version).await?;
        if !version.starts_with(b"RFB 003.") && !version.starts_with(b"RFB 004.") {
            return Err(odd(
                "the desktop does not speak the remote framebuffer protocol",
            ));
        }
        let is_old = version[8..11] < b"007"[..];
        let has_result = version[8..11] >= b"008"[..];
        if is_old {
            return Err(odd(
                "the desktop speaks a version of the protocol before 3.7",
            ));
        }
        io.write_all(if has_result {
            b"RFB 003.008\n"
        } else {
            b"RFB 003.007\n"
        })
        .await?;
        let count = io.read_u8().await?;
        if count == 0 {
            return Err(odd(format!(
                "the desktop refuses: {}",
                text(&mut io, MAX_TEXT).await?
            )));
        }
        let mut kinds = vec![0; usize::from(count)];
        io.read_exact(&mut kinds).await?;
        // 1 is "none".
        if !kinds.contains(&1) {
            return Err(odd("the desktop asks for a password, and there is none"));
        }
        io.write_all(&[1]).await?;
        if has_result && io.read_u32().await? != 0 {
            return Err(odd(format!(
                "the desktop refuses: {}",
                text(&mut io, MAX_TEXT).await?
            )));
        }
        // Others may look at the same time.
        io.write_all(&[1]).await?;
        let (width, height) = (io.read_u16().await?, io.read_u16().await?);
        io.read_exact(&mut [0; 16]).await?;
        text(&mut io, MAX_TEXT).await?;
        // 32 bits, little-endian: blue, green, red and a byte of nothing.
        let format = [
            0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0,
        ];
        io.write_all(&format).await?;
        let mut encodings = vec![2, 0, 0, 3];
        for encoding in [RAW, DESKTOP_SIZE, POINTER_POSITION] {
            encodings.extend(encoding.to_be_bytes());
        }
        io.write_all(&encodings).await?;
        let mut rfb = Self {
            io,
            width: 0,
            height: 0,
            pointer: (0, 0),
            buttons: 0,
        };
        rfb.resize(width, height)?;
        Ok(rfb)
    }

    fn resize(&mut self, width: u16, height: u16) -> io::Result<()> {
        let pixels = usize::from(width) * usize::from(height);
        if pixels == 0 || pixels > MAX_PIXELS {
            return Err(odd(format!("a screen of {width} × {height} pixels")));
        }
        (self.width, self.height) = (width, height);
        Ok(())
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Where the pointer is, as far as that is known.
    pub(super) fn pointer(&self) -> (u16, u16) {
        self.pointer
    }

    /// Buttons that are held, a bit each.
    pub(super) fn buttons(&self) -> u8 {
        self.buttons
    }

    /// Moves the pointer with these buttons held.
    pub(super) async fn point(&mut self, at: (u16, u16), buttons: u8) -> io::Result<()> {
        let at = (at.0.min(self.width - 1), at.1.min(self.height - 1));
        let mut message = vec![5, buttons];
        message.extend(at.0.to_be_bytes());
        message.extend(at.1.to_be_bytes());
        in_time(async { self.io.write_all(&message).await }).await?;
        (self.pointer, self.buttons) = (at, buttons);
        Ok(())
    }

    /// Presses or releases a key.
    pub(super) async fn key(&mut self, key: u32, down: bool) -> io::Result<()> {
        let mut message = vec![4, u8::from(down), 0, 0];
        message.extend(key.to_be_bytes());
        in_time(async { self.io.write_all(&message).await }).await
    }

    /// What is to be seen.
    pub(super) async fn screen(&mut self) -> io::Result<Picture> {
        in_time(self.look()).await
    }

    async fn look(&mut self) -> io::Result<Picture> {
        loop {
            let (width, height) = (usize::from(self.width), usize::from(self.height));
            let mut rgb = vec![0; width * height * 3];
            let mut ask = vec![3, 0, 0, 0, 0, 0];
            ask.extend(self.width.to_be_bytes());
            ask.extend(self.height.to_be_bytes());
            self.io.write_all(&ask).await?;
            // Updates of what was asked before may come first; together they cover the screen.
            let mut covered = 0;
            while covered < width * height {
                covered += self.message(&mut rgb).await?;
                if (width, height) != (usize::from(self.width), usize::from(self.height)) {
                    break;
                }
            }
            if covered >= width * height {
                return Ok(Picture { width, height, rgb });
            }
        }
    }

    /// Takes the next message; how many pixels it told.
    async fn message(&mut self, rgb: &mut [u8]) -> io::Result<usize> {
        match self.io.read_u8().await? {
            0 => {
                self.io.read_u8().await?;
                self.update(rgb).await
            }
            // Colours of a palette, which we did not ask for.
            1 => {
                self.io.read_exact(&mut [0; 3]).await?;
                let count = self.io.read_u16().await?;
                skip(&mut self.io, u64::from(count) * 6).await?;
                Ok(0)
            }
            // A bell.
            2 => Ok(0),
            // What was cut.
            3 => {
                self.io.read_exact(&mut [0; 3]).await?;
                let length = self.io.read_u32().await?;
                if length > MAX_CLIPBOARD {
                    return Err(odd("a text of the clipboard that is too long"));
                }
                skip(&mut self.io, length.into()).await?;
                Ok(0)
            }
            other => Err(odd(format!("a message of the unknown kind {other}"))),
        }
    }

    async fn update(&mut self, rgb: &mut [u8]) -> io::Result<usize> {
        let count = self.io.read_u16().await?;
        let stride = usize::from(self.width);
        let mut told = 0;
        for _ in 0..count {
            let mut head = [0; 12];
            self.io.read_exact(&mut head).await?;
            let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
            let (x, y, width, height) = (number(0), number(2), number(4), number(6));
            let encoding = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
            match encoding {
                RAW => {
                    let [x, y, width, height] = [x, y, width, height].map(usize::from);
                    if x + width > stride || y + height > usize::from(self.height) {
                        return Err(odd("pixels outside of the screen"));
                    }
                    let mut line = vec![0; width * 4];
                    for row in y..y + height {
                        self.io.read_exact(&mut line).await?;
                        let to = (row * stride + x) * 3;
                        // After a change of size this picture is not wanted any more.
                        let Some(to) = rgb.get_mut(to..to + width * 3) else {
                            continue;
                        };
                        for (pixel, out) in line.chunks_exact(4).zip(to.chunks_exact_mut(3)) {
                            out.copy_from_slice(&[pixel[2], pixel[1], pixel[0]]);
                        }
                    }
                    told += width * height;
                }
                DESKTOP_SIZE => self.resize(width, height)?,
                POINTER_POSITION => self.pointer = (x, y),
                other => return Err(odd(format!("pixels in the unknown encoding {other}"))),
            }
        }
        Ok(told)
    }
}

/// A text behind its length.
async fn text(io: &mut (impl AsyncRead + Unpin), limit: u32) -> io::Result<String> {
    let length = io.read_u32().await?;
    if length > limit {
        return Err(odd("a text that is too long"));
    }
    let mut bytes = vec![0; length as usize];
    io.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn skip(io: &mut (impl AsyncRead + Unpin), bytes: u64) -> io::Result<()> {
    let skipped = tokio::io::copy(&mut io.take(bytes), &mut tokio::io::sink()).await?;
    if skipped < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[cfg(test)]
#[path = "rfb_tests.rs"]
pub(super) mod tests;
