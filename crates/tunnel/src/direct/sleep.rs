//! Notices that the machine slept: the clock that counts sleep has gone on, the other has not.

use std::time::Duration;

/// Differences below this are not sleep.
const MIN_SLEEP: Duration = Duration::from_secs(2);

/// Compares the clocks.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    offset: Option<Duration>,
}

impl SleepWatch {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { offset: offset() }
    }

    /// True if the machine slept since the last call.
    pub(crate) fn has_slept(&mut self) -> bool {
        self.compare(offset())
    }

    fn compare(&mut self, now: Option<Duration>) -> bool {
        let slept = match (self.offset, now) {
            (Some(before), Some(now)) => now.saturating_sub(before) >= MIN_SLEEP,
            _ => false,
        };
        self.offset = now.or(self.offset);
        slept
    }
}

/// How long the machine has slept since it was started; `None` if the system does not tell.
#[cfg(target_os = "linux")]
fn offset() -> Option<Duration> {
    let read = |clock| {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a living structure of the type that the call fills.
        let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanos = u32::try_from(time.tv_nsec).ok()?;
        (result == 0).then_some(Duration::new(seconds, nanos))
    };
    let monotonic = read(libc::CLOCK_MONOTONIC)?;
    let with_sleep = read(libc::CLOCK_BOOTTIME)?;
    Some(with_sleep.saturating_sub(monotonic))
}

#[cfg(not(target_os = "linux"))]
fn offset() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jump_is_sleep() {
        let mut watch = SleepWatch::new();
        assert!(!watch.has_slept(), "the machine did not sleep just now");
        let at = |millis| Some(Duration::from_millis(millis));
        watch.compare(at(1000));
        assert!(!watch.compare(at(1500)));
        assert!(watch.compare(at(3600 * 1000)));
        assert!(!watch.compare(at(3600 * 1000)));
        assert!(!watch.compare(None));
    }
}
