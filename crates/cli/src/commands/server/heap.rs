//! Memory goes back to the system after bursts: fifty agents at once, or a large upload.
//!
//! The allocator keeps what was freed for later, per thread and for ever. A server that was busy
//! once need not stay large.

#[cfg(target_env = "gnu")]
use std::time::Duration;

/// How soon after a burst.
#[cfg(target_env = "gnu")]
const EVERY: Duration = Duration::from_secs(10);
/// Less is not worth the walk through the heap, and will be wanted again soon.
const WORTH: usize = 2 << 20;

/// Watches the heap from now on. Call it within a runtime.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: reads counters of the allocator, which locks them itself.
    let free = || unsafe { libc::mallinfo2() }.fordblks;
    tokio::spawn(async move {
        let mut heap = Heap::default();
        loop {
            tokio::time::sleep(EVERY).await;
            if heap.is_worth_it(free()) {
                // SAFETY: takes a number and may be called at any time, by any thread.
                unsafe { libc::malloc_trim(0) };
                heap.given_back(free());
            }
        }
    });
}

/// Other allocators give back what they do not need by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

/// What lies free in the heap. The allocator goes on counting as free what it has no memory for any
/// more, so what matters is how much more there is than at the least since it was given back.
#[derive(Debug, Default)]
struct Heap {
    least: usize,
}

impl Heap {
    fn is_worth_it(&mut self, free: usize) -> bool {
        self.least = self.least.min(free);
        free - self.least > WORTH
    }

    fn given_back(&mut self, free: usize) {
        self.least = free;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_freed_since_is_given_back() {
        let mut heap = Heap::default();
        assert!(!heap.is_worth_it(WORTH));
        assert!(heap.is_worth_it(5 * WORTH));
        heap.given_back(5 * WORTH);
        assert!(!heap.is_worth_it(5 * WORTH));
        // A burst takes some of it, and frees it.
        assert!(!heap.is_worth_it(WORTH));
        assert!(heap.is_worth_it(5 * WORTH));
    }
}
