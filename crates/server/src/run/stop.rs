//! How a server is asked to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What happens to jobs that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// They are waited for (SIGTERM, SIGHUP).
    Drain,
    /// They are cancelled (SIGINT).
    Cancel,
}

impl How {
    /// For the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            How::Drain => "waiting for running jobs",
            How::Cancel => "cancelling running jobs",
        }
    }
}

/// The wish to stop. A second signal while draining turns into a cancellation.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<How>>);

impl Stop {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// When the system refuses handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = signal(SignalKind::hangup())?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(relay(interrupt, terminate, hangup, sender));
        Ok(Self(receiver))
    }

    /// A wish in the hands of the caller, for tests and other hosts.
    pub fn by_hand() -> (watch::Sender<Option<How>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Returns once somebody wants the server to stop.
    pub(super) async fn asked(&self) -> How {
        wait(self.0.clone(), |how| how.is_some())
            .await
            .unwrap_or(How::Cancel)
    }

    /// Returns once jobs shall not be waited for any longer.
    pub(super) async fn asked_to_cancel(&self) {
        wait(self.0.clone(), |how| how == Some(How::Cancel)).await;
    }
}

/// The value that satisfies `wanted`; `None` never comes when the sender is gone.
async fn wait(
    mut receiver: watch::Receiver<Option<How>>,
    wanted: impl Fn(Option<How>) -> bool,
) -> Option<How> {
    match receiver.wait_for(|how| wanted(*how)).await {
        Ok(how) => *how,
        Err(_) => std::future::pending().await,
    }
}

async fn relay(
    mut interrupt: Signal,
    mut terminate: Signal,
    mut hangup: Signal,
    sender: watch::Sender<Option<How>>,
) {
    loop {
        let how = tokio::select! {
            _ = interrupt.recv() => How::Cancel,
            _ = terminate.recv() => How::Drain,
            _ = hangup.recv() => How::Drain,
        };
        sender.send_modify(|current| {
            // Asking again means that the wait takes too long.
            *current = Some(if current.is_some() { How::Cancel } else { how });
        });
    }
}
