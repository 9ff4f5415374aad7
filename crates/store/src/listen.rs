//! Word of changes between replicas: LISTEN/NOTIFY over one connection that
//! all listeners of the process share.
//!
//! Delivery is "at least a hint": after a lost connection or an overrun
//! listener an empty payload says that something may have been missed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc as stream;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_postgres::{AsyncMessage, Client, Config};

use crate::tls::Tls;

use crate::{Result, StoreError};

/// Notifications that a slow listener may lag behind before it gets a hint
/// instead; one entry is an id.
const BACKLOG: usize = 256;
/// Longest name of a channel: PostgreSQL's limit on identifiers.
const MAX_CHANNEL: usize = 63;
/// Pause before reconnecting.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long the database may take to confirm a subscription.
const CONFIRM: Duration = Duration::from_secs(15);
/// How often a silent connection is asked whether it still lives: one that
/// broke half-way says nothing by itself.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long its answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests to (un)listen under way; callers wait beyond.
const REQUESTS: usize = 64;

/// A subscription to one channel.
pub struct Listener {
    /// Taken only by `drop`.
    receiver: Option<broadcast::Receiver<String>>,
    hub: Weak<Hub>,
    channel: String,
}

impl Listener {
    /// The next payload. An empty one means that notifications may have been
    /// missed: look at the rows again. Pends for ever once the store is closed.
    pub async fn recv(&mut self) -> String {
        let Some(receiver) = &mut self.receiver else {
            return std::future::pending().await;
        };
        match receiver.recv().await {
            Ok(payload) => payload,
            Err(broadcast::error::RecvError::Lagged(_)) => String::new(),
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.leave(&self.channel, self.receiver.take());
        }
    }
}

enum Request {
    Listen(String, oneshot::Sender<()>),
    Unlisten(String),
}

/// The shared connection and who listens on what.
pub(crate) struct Hub {
    config: Config,
    tls: Tls,
    channels: Mutex<HashMap<String, broadcast::Sender<String>>>,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    listening: AtomicBool,
}

impl Hub {
    pub(crate) fn new(config: Config, tls: Tls) -> Arc<Self> {
        Arc::new(Hub {
            config,
            tls,
            channels: Mutex::default(),
            requests: Mutex::default(),
            listening: AtomicBool::new(false),
        })
    }

    pub(crate) async fn listen(self: &Arc<Self>, channel: &str) -> Result<Listener> {
        if channel.is_empty() || channel.len() > MAX_CHANNEL || channel.contains(['"', '\0']) {
            return Err(StoreError::Invalid(format!(
                "{channel:?} is no channel name"
            )));
        }
        let receiver = self
            .channels
            .lock()
            .entry(channel.to_owned())
            .or_insert_with(|| broadcast::channel(BACKLOG).0)
            .subscribe();
        let listener = Listener {
            receiver: Some(receiver),
            hub: Arc::downgrade(self),
            channel: channel.to_owned(),
        };
        let (done, confirmed) = oneshot::channel();
        // The task ends with the last request sender, that is with the hub.
        let requests = self
            .requests
            .lock()
            .get_or_insert_with(|| self.start())
            .clone();
        let request = Request::Listen(channel.to_owned(), done);
        let asked = async { requests.send(request).await.is_ok() && confirmed.await.is_ok() };
        match tokio::time::timeout(CONFIRM, asked).await {
            Ok(true) => Ok(listener),
            Ok(false) => Err(StoreError::Unavailable(
                "the listening connection broke".to_owned(),
            )),
            Err(_) => Err(StoreError::Unavailable(
                "no connection to listen on".to_owned(),
            )),
        }
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        *self.requests.lock() = None;
        self.channels.lock().clear();
    }

    fn start(self: &Arc<Self>) -> mpsc::Sender<Request> {
        let (sender, receiver) = mpsc::channel(REQUESTS);
        tokio::spawn(run(
            Arc::downgrade(self),
            self.config.clone(),
            self.tls.clone(),
            receiver,
        ));
        sender
    }

    fn leave(&self, channel: &str, receiver: Option<broadcast::Receiver<String>>) {
        let mut channels = self.channels.lock();
        // Under the lock: of two that leave at once, the second must see itself alone.
        drop(receiver);
        if channels
            .get(channel)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            channels.remove(channel);
            drop(channels);
            if let Some(requests) = &*self.requests.lock() {
                // Full or closed: a stray subscription costs little and ends
                // with the connection.
                let _ = requests.try_send(Request::Unlisten(channel.to_owned()));
            }
        }
    }

    fn deliver(&self, channel: &str, payload: &str) {
        if let Some(sender) = self.channels.lock().get(channel) {
            // No receiver left: nobody waits for it.
            let _ = sender.send(payload.to_owned());
        }
    }

    fn missed(&self) {
        for sender in self.channels.lock().values() {
            let _ = sender.send(String::new());
        }
    }
}

/// Keeps a listening connection up until the hub is gone.
async fn run(hub: Weak<Hub>, config: Config, tls: Tls, mut requests: mpsc::Receiver<Request>) {
    let mut first = true;
    loop {
        let result = session(&hub, &config, &tls, &mut requests, first).await;
        first = false;
        if let Some(hub) = hub.upgrade() {
            // Told at once, and again when the connection is back.
            hub.listening.store(false, Ordering::SeqCst);
            hub.missed();
        }
        match result {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "notifications: connection lost, reconnecting"),
        }
        if hub.upgrade().is_none() {
            return;
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// One connection's life. Ends well when the hub is gone.
async fn session(
    hub: &Weak<Hub>,
    config: &Config,
    tls: &Tls,
    requests: &mut mpsc::Receiver<Request>,
    first: bool,
) -> Result<()> {
    let (client, mut connection) = answered(config.connect(tls.clone())).await?;
    let (sender, mut messages) = stream::unbounded();
    let driver = tokio::spawn(async move {
        let mut incoming = futures::stream::poll_fn(|cx| connection.poll_message(cx));
        while let Some(message) = incoming.next().await {
            // An error is the last word: asked again, a broken connection would
            // repeat it for ever.
            let last = message.is_err();
            if sender.unbounded_send(message).is_err() || last {
                return;
            }
        }
    });
    let _stop = AbortOnDrop(driver);
    let channels: Vec<String> = hub
        .upgrade()
        .map(|hub| hub.channels.lock().keys().cloned().collect())
        .unwrap_or_default();
    for channel in channels {
        command(&client, "LISTEN", &channel).await?;
    }
    if let Some(hub) = hub.upgrade() {
        hub.listening.store(true, Ordering::SeqCst);
        if !first {
            hub.missed();
        }
    }
    let start = tokio::time::Instant::now() + PROBE_EVERY;
    let mut probe = tokio::time::interval_at(start, PROBE_EVERY);
    loop {
        tokio::select! {
            _ = probe.tick() => {
                answered(client.batch_execute("")).await?;
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(note))) => {
                    let Some(hub) = hub.upgrade() else { return Ok(()) };
                    hub.deliver(note.channel(), note.payload());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(StoreError::Unavailable("closed by the server".to_owned())),
            },
            request = requests.recv() => match request {
                Some(Request::Listen(channel, done)) => {
                    command(&client, "LISTEN", &channel).await?;
                    // The caller may have given up.
                    let _ = done.send(());
                }
                Some(Request::Unlisten(channel)) => {
                    let wanted = hub.upgrade().is_some_and(|h| h.channels.lock().contains_key(&channel));
                    if !wanted {
                        command(&client, "UNLISTEN", &channel).await?;
                    }
                }
                None => return Ok(()),
            },
        }
    }
}

async fn command(client: &Client, verb: &str, channel: &str) -> Result<()> {
    // Names with quotes were refused; an identifier cannot be a parameter.
    answered(client.batch_execute(&format!("{verb} \"{channel}\""))).await
}

/// What the database answers, unless it stays silent: then a connection is of no use to anyone.
async fn answered<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    match tokio::time::timeout(PROBE_TIMEOUT, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unavailable("it does not answer".to_owned())),
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
