//! Packets inside a tunnel as a capture file that Wireshark and tcpdump read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tunnel::Conn;

/// Packets that wait to be written. More are left out: the tunnel does not wait
/// for a disk.
const QUEUE: usize = 16 << 10;
/// Says that times are in microseconds, and the order of bytes.
const MAGIC: u32 = 0xa1b2_c3d4;
/// Packets begin with their IP header.
const LINKTYPE_RAW: u32 = 101;
/// No packet inside a tunnel is longer.
const SNAP_LEN: u32 = 65_535;

/// A capture that goes on until it is dropped.
pub struct Capture {
    conn: Conn,
    writing: Option<JoinHandle<()>>,
}

/// Begins to write each packet of `conn` to `path`.
pub fn start(conn: &Conn, path: &Path) -> Result<Capture> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    header(&mut out).with_context(|| format!("cannot write {}", path.display()))?;
    let (packets, queue) = mpsc::sync_channel::<(Duration, Vec<u8>)>(QUEUE);
    let writing = std::thread::Builder::new()
        .name("capture".to_owned())
        .spawn(move || {
            for (at, packet) in queue {
                // A full disk ends the capture, not the test.
                if record(&mut out, at, &packet).is_err() {
                    break;
                }
            }
            let _ = out.flush();
        })
        .context("start a thread for the capture")?;
    conn.capture(tap(packets));
    Ok(Capture {
        conn: conn.clone(),
        writing: Some(writing),
    })
}

fn tap(packets: SyncSender<(Duration, Vec<u8>)>) -> impl FnMut(&[u8]) + Send {
    move |packet| {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let _ = packets.try_send((at.unwrap_or_default(), packet.to_vec()));
    }
}

impl Drop for Capture {
    /// Waits until everything is written.
    fn drop(&mut self) {
        // The queue ends with its only sender.
        self.conn.capture(|_| {});
        if let Some(writing) = self.writing.take() {
            let _ = writing.join();
        }
    }
}

fn header(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&MAGIC.to_le_bytes())?;
    // Version 2.4; times are in UTC.
    out.write_all(&2u16.to_le_bytes())?;
    out.write_all(&4u16.to_le_bytes())?;
    out.write_all(&[0; 8])?;
    out.write_all(&SNAP_LEN.to_le_bytes())?;
    out.write_all(&LINKTYPE_RAW.to_le_bytes())
}

fn record(out: &mut impl Write, at: Duration, packet: &[u8]) -> io::Result<()> {
    // Until 2106.
    let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let len = u32::try_from(packet.len())
        .unwrap_or(SNAP_LEN)
        .min(SNAP_LEN);
    out.write_all(&seconds.to_le_bytes())?;
    out.write_all(&at.subsec_micros().to_le_bytes())?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&packet[..len as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_published_form() {
        let mut out = Vec::new();
        header(&mut out).unwrap();
        assert_eq!(out.len(), 24);
        assert_eq!(out[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
        assert_eq!(out[20..], [101, 0, 0, 0]);
        out.clear();
        record(&mut out, Duration::from_micros(2_000_003), &[0x60, 1]).unwrap();
        assert_eq!(
            out,
            [2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0x60, 1]
        );
    }
}
