//! What goes to a client on its channels, by the wish of tasks and in answer.

use tokio::sync::oneshot;

use super::super::channel::{Channel, Credit, MAX_PACKET, Outgoing, WINDOW};
use super::super::numbers::{
    CHANNEL_CLOSE, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_EXTENDED_DATA, CHANNEL_FAILURE, CHANNEL_OPEN,
    CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, CHANNEL_REQUEST, CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST, GLOBAL_REQUEST, OpenFailure,
};
use super::super::wire::Write;
use super::table::State;
use super::{Connection, MAX_CHANNELS, Service};

impl<H: Service> Connection<H> {
    pub(super) fn grant(&mut self, credit: Credit) {
        let Some(entry) = self.channels.get_mut(&credit.channel) else {
            return;
        };
        if entry.sent_close || credit.bytes == 0 {
            return;
        }
        entry.window += credit.bytes;
        let remote = entry.remote;
        self.transport.send(|out| {
            out.put_byte(CHANNEL_WINDOW_ADJUST);
            out.put_number(remote);
            out.put_number(credit.bytes);
        });
    }

    pub(super) fn refuse(&mut self, remote: u32, reason: OpenFailure, text: &str) {
        self.transport.send(|out| {
            out.put_byte(CHANNEL_OPEN_FAILURE);
            out.put_number(remote);
            out.put_number(reason as u32);
            out.put_string(text.as_bytes());
            out.put_string(b"");
        });
    }

    pub(super) fn reply(&mut self, id: u32, success: bool) {
        if let Some(entry) = self.channels.get(&id) {
            let remote = entry.remote;
            self.transport.send(|out| {
                out.put_byte(if success {
                    CHANNEL_SUCCESS
                } else {
                    CHANNEL_FAILURE
                });
                out.put_number(remote);
            });
        }
    }

    /// Ends our side of a channel.
    pub(super) fn close(&mut self, id: u32) {
        let Some(entry) = self.channels.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut entry.sent_close, true) {
            return;
        }
        entry.outlet.close();
        let remote = entry.remote;
        self.transport.send(|out| {
            out.put_byte(CHANNEL_CLOSE);
            out.put_number(remote);
        });
    }

    /// Carries out what a task asks for. Requests for channels that are gone are dropped.
    pub(super) fn send(&mut self, message: Outgoing) {
        let channel = match message {
            Outgoing::Data { channel, .. }
            | Outgoing::Eof { channel }
            | Outgoing::Close { channel }
            | Outgoing::Reply { channel, .. }
            | Outgoing::ExitStatus { channel, .. }
            | Outgoing::ExitSignal { channel, .. }
            | Outgoing::Accept { channel }
            | Outgoing::Refuse { channel, .. } => channel,
            Outgoing::Open { kind, data, opened } => return self.open(kind, &data, opened),
        };
        let Some(entry) = self
            .channels
            .get_mut(&channel)
            .filter(|entry| !entry.sent_close)
        else {
            return;
        };
        let remote = entry.remote;
        if let Outgoing::Data { bytes, .. } = &message {
            self.unwritten.push((entry.outlet.clone(), bytes.len()));
        }
        match message {
            Outgoing::Data { code, bytes, .. } if !entry.sent_eof || code.is_some() => {
                self.transport.send(|out| {
                    out.put_byte(if code.is_some() {
                        CHANNEL_EXTENDED_DATA
                    } else {
                        CHANNEL_DATA
                    });
                    out.put_number(remote);
                    if let Some(code) = code {
                        out.put_number(code);
                    }
                    out.put_string(&bytes);
                });
            }
            Outgoing::Eof { .. } if !std::mem::replace(&mut entry.sent_eof, true) => {
                self.transport.send(|out| {
                    out.put_byte(CHANNEL_EOF);
                    out.put_number(remote);
                });
            }
            Outgoing::Close { .. } => self.close(channel),
            Outgoing::Reply { success, .. } => self.reply(channel, success),
            Outgoing::ExitStatus { code, .. } => self.transport.send(|out| {
                out.put_byte(CHANNEL_REQUEST);
                out.put_number(remote);
                out.put_string(b"exit-status");
                out.put_bool(false);
                out.put_number(code);
            }),
            Outgoing::ExitSignal {
                signal,
                core_dumped,
                ..
            } => self.transport.send(|out| {
                out.put_byte(CHANNEL_REQUEST);
                out.put_number(remote);
                out.put_string(b"exit-signal");
                out.put_bool(false);
                out.put_string(signal.as_bytes());
                out.put_bool(core_dumped);
                out.put_string(b"");
                out.put_string(b"");
            }),
            Outgoing::Accept { .. } => {
                entry.state = State::Open;
                self.transport.send(|out| {
                    out.put_byte(CHANNEL_OPEN_CONFIRMATION);
                    out.put_number(remote);
                    out.put_number(channel);
                    out.put_number(WINDOW);
                    out.put_number(MAX_PACKET);
                });
            }
            Outgoing::Refuse { reason, text, .. } => {
                self.channels.remove(&channel);
                self.refuse(remote, reason, &text);
            }
            _ => {}
        }
    }

    pub(super) fn open(
        &mut self,
        kind: &str,
        data: &[u8],
        opened: oneshot::Sender<Option<Channel>>,
    ) {
        if self.channels.len() >= MAX_CHANNELS || !self.authenticated {
            // The task that asked may have given up.
            let _ = opened.send(None);
            return;
        }
        let (mut entry, channel) = self.new_channel(0, 0, MAX_PACKET);
        let id = channel.handle.id;
        entry.state = State::Wanted(opened, Box::new(channel));
        self.channels.insert(id, entry);
        self.transport.send(|out| {
            out.put_byte(CHANNEL_OPEN);
            out.put_string(kind.as_bytes());
            out.put_number(id);
            out.put_number(WINDOW);
            out.put_number(MAX_PACKET);
            out.put_raw(data);
        });
    }

    pub(super) fn keepalive(&mut self) {
        self.transport.send(|out| {
            out.put_byte(GLOBAL_REQUEST);
            out.put_string(b"keepalive@openssh.com");
            out.put_bool(true);
        });
    }
}
