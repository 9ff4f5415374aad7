//! The place of one terminal: what runs in it, and how many look at it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::OnceCell;

use super::backend::Screen;
use super::terminal::Terminal;

/// What runs.
#[derive(Debug)]
pub enum Session {
    /// A program whose last output is kept.
    Buffered(Terminal),
    /// A session of screen.
    Screen(Screen),
}

/// A place.
#[derive(Debug, Default)]
pub struct Slot {
    /// Started by the first viewer.
    pub session: OnceCell<Session>,
    viewers: AtomicUsize,
    views: AtomicU64,
    ended: AtomicBool,
}

impl Slot {
    /// Someone looks at it, until the guard is dropped.
    pub fn enter(&self) -> Viewer<'_> {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        self.views.fetch_add(1, Ordering::Relaxed);
        Viewer(self)
    }

    /// Whether someone looks at it.
    pub fn is_viewed(&self) -> bool {
        self.viewers.load(Ordering::Relaxed) > 0
    }

    /// How many have looked at it.
    pub fn views(&self) -> u64 {
        self.views.load(Ordering::Relaxed)
    }

    /// What ran has ended.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether what ran has ended.
    pub fn ended(&self) -> bool {
        match self.session.get() {
            Some(Session::Buffered(terminal)) => terminal.screen.ended(),
            _ => self.ended.load(Ordering::Relaxed),
        }
    }
}

/// Someone who looks.
#[derive(Debug)]
pub struct Viewer<'a>(&'a Slot);

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
