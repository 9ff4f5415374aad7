//! How soon the system lets a thread answer that has waited.
//!
//! A key and its echo pass through several processes, each of which has only moments of work. On a
//! machine whose processors are all busy, such as one that builds, each would wait for the time slice of
//! whoever runs to end. Linux 6.12 and later let a thread ask for short slices of its own: it then gets
//! its turn sooner, and not more of it. Earlier ones take no notice.

/// Threads that answer people ask for slices of so long, in nanoseconds: the shortest there are.
#[cfg(target_os = "linux")]
const SLICE: u64 = 100_000;

/// Asks for short time slices for the calling thread. Its children get those that are usual.
#[cfg(target_os = "linux")]
pub fn answer_soon() {
    if let Err(error) = linux::shorten(SLICE) {
        // A sandbox may forbid it.
        tracing::debug!(%error, "time slices stay as they are");
    }
}

/// Elsewhere there is no such wish.
#[cfg(not(target_os = "linux"))]
pub fn answer_soon() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    /// `struct sched_attr` of sched_setattr(2), in its first version.
    #[repr(C)]
    #[derive(Debug, Default)]
    pub(super) struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        pub(super) runtime: u64,
        deadline: u64,
        period: u64,
    }

    const SIZE: u32 = size_of::<Attributes>() as u32;
    /// Children start with what is usual (`SCHED_FLAG_RESET_ON_FORK`).
    const RESET_ON_FORK: u64 = 1;

    pub(super) fn shorten(slice: u64) -> io::Result<()> {
        let mut attributes = get(0)?;
        // Whoever chose another policy knows why.
        if attributes.policy != libc::SCHED_OTHER.cast_unsigned() {
            return Ok(());
        }
        attributes.size = SIZE;
        attributes.flags |= RESET_ON_FORK;
        attributes.runtime = slice;
        // SAFETY: the kernel reads `size` bytes, which are there.
        let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        told(done)
    }

    /// Those of a thread; 0 is the calling one.
    pub(super) fn get(thread: libc::pid_t) -> io::Result<Attributes> {
        let mut attributes = Attributes::default();
        // SAFETY: the kernel writes at most `SIZE` bytes, for which there is room.
        let done = unsafe {
            libc::syscall(
                libc::SYS_sched_getattr,
                thread,
                &raw mut attributes,
                SIZE,
                0,
            )
        };
        told(done).map(|()| attributes)
    }

    fn told(result: libc::c_long) -> io::Result<()> {
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn children_get_what_is_usual() {
        std::thread::spawn(|| {
            let usual = linux::get(0).unwrap().runtime;
            answer_soon();
            let short = linux::get(0).unwrap().runtime;
            // Systems without such slices tell none.
            assert!(usual == 0 || short == SLICE, "{usual} {short}");
            let mut child = Command::new("sleep").arg("10").spawn().unwrap();
            let of_child = linux::get(child.id().cast_signed()).unwrap().runtime;
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(of_child, usual);
        })
        .join()
        .unwrap();
    }
}
