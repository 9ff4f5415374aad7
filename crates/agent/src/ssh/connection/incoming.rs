//! What a client sends on a connection: global requests and everything on its
//! channels.

use std::sync::Arc;

use bytes::BytesMut;

use super::super::auth;
use super::super::channel::{Credit, Outlet, Request};
use super::super::numbers::{
    CHANNEL_CLOSE, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_EXTENDED_DATA, CHANNEL_FAILURE, CHANNEL_OPEN,
    CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, CHANNEL_REQUEST, CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST, GLOBAL_REQUEST, OpenFailure, REQUEST_FAILURE, REQUEST_SUCCESS,
    UNIMPLEMENTED,
};
use super::super::transport::Incoming;
use super::super::wire::{Reader, Write};
use super::table::{Entry, State};
use super::{Connection, ConnectionError, MAX_CHANNELS, MAX_REQUEST, OpenRequest, Service};

impl<H: Service> Connection<H> {
    /// Handles everything complete in `input`; `false` once the client has left.
    pub(super) fn receive(&mut self, input: &mut BytesMut) -> Result<bool, ConnectionError> {
        while let Some(incoming) = self.transport.receive(input)? {
            match incoming {
                Incoming::Disconnected => return Ok(false),
                Incoming::Payload(payload) if self.authenticated => self.handle(&payload)?,
                Incoming::Payload(payload) => match auth::answer(&payload)? {
                    auth::Answer::Reply { payload, done } => {
                        self.authenticated = done;
                        self.transport.send(|out| out.put_raw(&payload));
                    }
                    auth::Answer::Ignore => {}
                },
            }
            self.transport.check_stalled()?;
        }
        Ok(true)
    }

    pub(super) fn handle(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        let mut reader = Reader::new(payload);
        let kind = reader.byte()?;
        match kind {
            GLOBAL_REQUEST => {
                let name = reader.text()?;
                let want_reply = reader.boolean()?;
                let answer = self.service.global(name, reader.rest(), &self.peer);
                if want_reply {
                    self.transport.send(|out| match answer {
                        Some(data) => {
                            out.put_byte(REQUEST_SUCCESS);
                            out.put_raw(&data);
                        }
                        None => out.put_byte(REQUEST_FAILURE),
                    });
                }
            }
            // Answers to keepalives; that something came is all that matters.
            REQUEST_SUCCESS | REQUEST_FAILURE => {}
            CHANNEL_OPEN => self.opened_by_client(reader)?,
            CHANNEL_OPEN_CONFIRMATION..=CHANNEL_FAILURE => {
                let id = reader.u32()?;
                self.channel_message(kind, id, reader)?;
            }
            // A late authentication request is to be ignored (RFC 4252 section 5.1).
            50..=79 => {}
            _ => self.transport.send(|out| {
                out.put_byte(UNIMPLEMENTED);
                out.put_number(0);
            }),
        }
        Ok(())
    }

    pub(super) fn channel_message(
        &mut self,
        kind: u8,
        id: u32,
        mut reader: Reader<'_>,
    ) -> Result<(), ConnectionError> {
        let Some(entry) = self.channels.get_mut(&id) else {
            // Some clients say a last word on channels that both sides have closed.
            let existed = id < self.next;
            return if existed {
                Ok(())
            } else {
                Err(ConnectionError::Channel("no such channel"))
            };
        };
        match (kind, &entry.state) {
            (CHANNEL_OPEN_CONFIRMATION, State::Wanted(..)) => {
                entry.remote = reader.u32()?;
                let window = reader.u32()?;
                let max_packet = reader.u32()?;
                self.confirmed(id, window, max_packet);
            }
            (CHANNEL_OPEN_FAILURE, State::Wanted(..)) => {
                if let Some(Entry {
                    state: State::Wanted(opened, _),
                    ..
                }) = self.channels.remove(&id)
                {
                    // The task that asked may have given up.
                    let _ = opened.send(None);
                }
            }
            (_, State::Asked | State::Wanted(..)) => {
                return Err(ConnectionError::Channel(
                    "message before the channel is open",
                ));
            }
            (CHANNEL_WINDOW_ADJUST, _) => entry.outlet.grow(reader.u32()?),
            (CHANNEL_DATA, _) => self.data(id, reader.string()?)?,
            (CHANNEL_EXTENDED_DATA, _) => {
                // No extended data is defined from clients to servers.
                reader.u32()?;
                let bytes = reader.string()?.len();
                self.consume(id, bytes)?;
                self.grant(Credit {
                    channel: id,
                    bytes: bytes as u32,
                });
            }
            (CHANNEL_EOF, _) => entry.inbox.end(),
            (CHANNEL_CLOSE, _) => {
                self.close(id);
                if let Some(entry) = self.channels.remove(&id) {
                    entry.end();
                }
            }
            (CHANNEL_REQUEST, _) => {
                let request = Request {
                    kind: reader.text()?.to_owned(),
                    want_reply: reader.boolean()?,
                    data: reader.rest().to_vec(),
                };
                let want_reply = request.want_reply;
                let taken =
                    request.data.len() <= MAX_REQUEST && entry.requests.try_send(request).is_ok();
                if !taken && want_reply {
                    self.reply(id, false);
                }
            }
            // Answers to requests of ours, of which none wants one.
            (CHANNEL_SUCCESS | CHANNEL_FAILURE, _) => {}
            _ => return Err(ConnectionError::Channel("message out of order")),
        }
        Ok(())
    }

    pub(super) fn consume(&mut self, id: u32, bytes: usize) -> Result<(), ConnectionError> {
        if let Some(entry) = self.channels.get_mut(&id) {
            entry.window = u32::try_from(bytes)
                .ok()
                .and_then(|n| entry.window.checked_sub(n))
                .ok_or(ConnectionError::Channel("more data than the window allows"))?;
        }
        Ok(())
    }

    pub(super) fn data(&mut self, id: u32, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.consume(id, bytes.len())?;
        let read = self
            .channels
            .get(&id)
            .is_some_and(|entry| entry.inbox.push(bytes));
        if !read {
            // Nobody reads any more; the client may go on all the same.
            self.grant(Credit {
                channel: id,
                bytes: bytes.len() as u32,
            });
        }
        Ok(())
    }

    pub(super) fn opened_by_client(
        &mut self,
        mut reader: Reader<'_>,
    ) -> Result<(), ConnectionError> {
        let kind = reader.text()?.to_owned();
        let remote = reader.u32()?;
        let window = reader.u32()?;
        let max_packet = reader.u32()?;
        let data = reader.rest().to_vec();
        if self.channels.len() >= MAX_CHANNELS {
            self.refuse(remote, OpenFailure::ResourceShortage, "too many channels");
            return Ok(());
        }
        let (entry, channel) = self.new_channel(remote, window, max_packet);
        self.channels.insert(channel.handle.id, entry);
        self.service.open(
            OpenRequest {
                channel,
                kind,
                data,
            },
            &self.peer,
        );
        Ok(())
    }

    /// The client has confirmed a channel of ours.
    pub(super) fn confirmed(&mut self, id: u32, window: u32, max_packet: u32) {
        let Some(entry) = self.channels.get_mut(&id) else {
            return;
        };
        let State::Wanted(opened, mut channel) = std::mem::replace(&mut entry.state, State::Open)
        else {
            return;
        };
        let outlet = Arc::new(Outlet::new(window, max_packet));
        entry.outlet = outlet.clone();
        channel.handle.outlet = outlet;
        if opened.send(Some(*channel)).is_err() {
            self.close(id);
        }
    }
}
