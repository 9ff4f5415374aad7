//! For tests of crashes, in development builds only: the process dies at a chosen commit of a
//! chat, without a word to anyone, as by `kill -9`.
//!
//! `CODER_TEST_DIE_AT_COMMIT=before:N` dies before the N-th commit since the start, `after:N`
//! behind it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static COMMITS: AtomicU64 = AtomicU64::new(0);
static AT: LazyLock<Option<(bool, u64)>> = LazyLock::new(|| {
    let text = std::env::var("CODER_TEST_DIE_AT_COMMIT").ok()?;
    let (when, commit) = text.split_once(':')?;
    Some((when == "before", commit.parse().ok()?))
});

pub(super) fn before_commit() {
    if AT.is_some() {
        let commit = COMMITS.fetch_add(1, Ordering::SeqCst) + 1;
        die_if(true, commit);
    }
}

pub(super) fn after_commit() {
    if AT.is_some() {
        die_if(false, COMMITS.load(Ordering::SeqCst));
    }
}

fn die_if(before: bool, commit: u64) {
    if *AT == Some((before, commit)) {
        std::process::abort();
    }
}
