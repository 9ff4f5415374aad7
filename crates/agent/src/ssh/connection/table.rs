//! The table of a connection's channels.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::super::channel::{
    Channel, ChannelHandle, ChannelReader, Inbox, Outlet, Request, WINDOW,
};
use super::{Connection, MAX_REQUESTS};

/// How far a channel is.
pub(super) enum State {
    /// The client wants it, the service has not answered yet.
    Asked,
    /// We want it, the client has not answered yet.
    Wanted(oneshot::Sender<Option<Channel>>, Box<Channel>),
    Open,
}

/// A channel as its connection knows it.
pub(super) struct Entry {
    pub(super) state: State,
    /// The client's number for the channel.
    pub(super) remote: u32,
    pub(super) inbox: Arc<Inbox>,
    pub(super) outlet: Arc<Outlet>,
    /// Bytes that the client may still send.
    pub(super) window: u32,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) sent_eof: bool,
    pub(super) sent_close: bool,
}

impl Entry {
    /// Nothing more comes or goes.
    pub(super) fn end(&self) {
        self.inbox.end();
        self.outlet.close();
    }
}

impl<H> Connection<H> {
    /// Makes the two ends of a channel.
    pub(super) fn new_channel(
        &mut self,
        remote: u32,
        window: u32,
        max_packet: u32,
    ) -> (Entry, Channel) {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let inbox = Arc::new(Inbox::default());
        let outlet = Arc::new(Outlet::new(window, max_packet));
        let (requests, received) = mpsc::channel(MAX_REQUESTS);
        let entry = Entry {
            state: State::Asked,
            remote,
            inbox: inbox.clone(),
            outlet: outlet.clone(),
            window: WINDOW,
            requests,
            sent_eof: false,
            sent_close: false,
        };
        let channel = Channel {
            reader: ChannelReader {
                channel: id,
                inbox,
                credits: self.credits.clone(),
            },
            handle: ChannelHandle {
                id,
                outlet,
                outgoing: self.outgoing.clone(),
            },
            requests: received,
        };
        (entry, channel)
    }
}
