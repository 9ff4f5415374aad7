//! What a terminal has shown lately, and who looks at it.
//!
//! The end of the output is kept and replayed to each new viewer. Output goes
//! on only as fast as the fastest viewer takes it, so that nothing is lost to
//! people who keep up; a viewer that falls too far behind misses a part and
//! does not stop the others. Without viewers, output flows freely.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bytes that are kept.
pub const KEPT: usize = 64 * 1024;
/// Bytes handed to a viewer at once.
const CHUNK: usize = 16 * 1024;

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<u8>,
    /// Number of the byte after the last one kept.
    end: u64,
    /// The next byte of each viewer.
    viewers: HashMap<u64, u64>,
    views: u64,
    ended: bool,
}

impl State {
    fn start(&self) -> u64 {
        self.end - self.kept.len() as u64
    }
}

/// The screen of a terminal.
#[derive(Debug, Default)]
pub struct Shown {
    state: Mutex<State>,
    /// Something was shown, or the terminal has ended.
    shown: Notify,
    /// A viewer has moved on, come or left.
    moved: Notify,
}

impl Shown {
    /// Shows more. Returns when the fastest viewer has room for as much again.
    pub async fn show(&self, bytes: &[u8]) {
        {
            let mut state = self.state.lock();
            let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
            let excess = (state.kept.len() + bytes.len()).saturating_sub(KEPT);
            state.kept.drain(..excess);
            state.kept.extend(bytes);
            state.end += bytes.len() as u64;
        }
        self.shown.notify_waiters();
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the check, so that no ring is missed.
            moved.as_mut().enable();
            {
                let state = self.state.lock();
                let behind = state.viewers.values().map(|next| state.end - next).min();
                if behind.is_none_or(|behind| behind <= (KEPT / 2) as u64) {
                    return;
                }
            }
            moved.await;
        }
    }

    /// Nothing more will be shown.
    pub fn end(&self) {
        self.state.lock().ended = true;
        self.shown.notify_waiters();
    }

    /// Whether nothing more will be shown.
    pub fn ended(&self) -> bool {
        self.state.lock().ended
    }

    /// A viewer that starts with what is kept.
    pub fn view(&self) -> Viewer<'_> {
        let mut state = self.state.lock();
        state.views += 1;
        let (number, start) = (state.views, state.start());
        state.viewers.insert(number, start);
        Viewer {
            screen: self,
            number,
        }
    }
}

/// Someone who looks at a screen.
#[derive(Debug)]
pub struct Viewer<'a> {
    screen: &'a Shown,
    number: u64,
}

impl Viewer<'_> {
    /// What comes next; `None` when the terminal has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let shown = self.screen.shown.notified();
            tokio::pin!(shown);
            // As in `Shown::show`.
            shown.as_mut().enable();
            {
                let mut state = self.screen.state.lock();
                let start = state.start();
                let next = state
                    .viewers
                    .get(&self.number)
                    .copied()
                    .unwrap_or(start)
                    .max(start);
                let from = (next - start) as usize;
                if from < state.kept.len() {
                    let to = state.kept.len().min(from + CHUNK);
                    let bytes: Bytes = state.kept.range(from..to).copied().collect();
                    state.viewers.insert(self.number, start + to as u64);
                    drop(state);
                    self.screen.moved.notify_waiters();
                    return Some(bytes);
                }
                if state.ended {
                    return None;
                }
            }
            shown.await;
        }
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        self.screen.state.lock().viewers.remove(&self.number);
        self.screen.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_kept_and_replayed() {
        let screen = Shown::default();
        screen.show(&vec![b'a'; KEPT]).await;
        screen.show(b"xyz").await;
        let mut viewer = screen.view();
        let mut all = Vec::new();
        while all.len() < KEPT {
            all.extend_from_slice(&viewer.next().await.unwrap());
        }
        assert!(all.ends_with(b"axyz") && all.len() == KEPT);
        screen.end();
        assert_eq!(viewer.next().await, None);
    }

    #[tokio::test]
    async fn output_waits_for_the_fastest_viewer_alone() {
        let screen = Shown::default();
        let _slow = screen.view();
        let mut fast = screen.view();
        let total = KEPT * 4;
        let (shown, seen) = tokio::join!(
            async {
                for _ in 0..total / 1024 {
                    screen.show(&[b'x'; 1024]).await;
                }
                screen.end();
            },
            async {
                let mut seen = 0;
                while let Some(bytes) = fast.next().await {
                    seen += bytes.len();
                }
                seen
            }
        );
        assert_eq!(((), seen), (shown, total));
    }

    #[tokio::test]
    async fn nobody_stops_output_that_nobody_sees() {
        let screen = Shown::default();
        for _ in 0..1000 {
            screen.show(&[b'x'; 1024]).await;
        }
        assert!(!screen.ended());
    }
}
