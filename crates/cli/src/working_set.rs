//! What a process that stays keeps in memory of its own program.
//!
//! Starting runs much that never runs again: migrations, the reading of options, the unpacking of
//! what travels in the program. The system maps the pages of that code, and many around each, and
//! counts them as this process's for as long as it lives. Letting go of all of them costs some
//! hundred small faults for those in use, which come back from the page cache; the rest stays away.

use std::ptr::NonNull;
use std::time::Duration;

use nix::sys::mman::{MmapAdvise, madvise};

/// After this long, what runs is what goes on running.
const STARTED: Duration = Duration::from_secs(2);
/// Rare work, such as a build, an upload or a session, is forgotten soon after. What runs all the time
/// comes back for a millisecond of small faults.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps only what is in use in memory, from soon after the start on. Call it within a runtime, once
/// in a process.
pub fn keep_small() {
    tokio::spawn(async {
        tokio::time::sleep(STARTED).await;
        while phase_ends() {
            tokio::time::sleep(EVERY).await;
        }
    });
}

/// Says that what has run so far will hardly run again, such as the reading of arguments in a command
/// that then opens a tunnel: its pages need not stay. Costs about a tenth of a millisecond. False if
/// the system does not let go of them.
pub fn phase_ends() -> bool {
    match release() {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "the pages of the program stay in memory");
            false
        }
    }
}

/// Drops the pages of the program's code and constants from this process.
fn release() -> std::io::Result<()> {
    let program = std::fs::read_link("/proc/self/exe")?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for (start, end) in maps.lines().filter_map(|line| constant(line, &program)) {
        let Some(address) = NonNull::new(start as *mut std::ffi::c_void) else {
            continue;
        };
        // SAFETY: the range is a mapping of the program's file that nobody may write, and that
        // nobody could write earlier (see `constant`): its pages hold the file's bytes whenever
        // they are read, dropped or not.
        unsafe { madvise(address, end - start, MmapAdvise::MADV_DONTNEED) }?;
    }
    Ok(())
}

/// The range of a line of `/proc/self/maps`, if it is code, or the constants before it, of `program`.
/// Other readable parts were written before they were protected: relocations would be lost.
fn constant(line: &str, program: &std::path::Path) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (rights, offset) = (words.next()?, words.next()?);
    let path = words.nth(2)?;
    let first = offset.bytes().all(|digit| digit == b'0');
    let kept = rights == "r-xp" || (rights == "r--p" && first);
    (kept && program.as_os_str() == path).then_some((
        usize::from_str_radix(start, 16).ok()?,
        usize::from_str_radix(end, 16).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_what_nobody_wrote_is_let_go() {
        let of = |line| constant(line, Path::new("/bin/coder"));
        assert_eq!(
            of("00200000-00548000 r--p 00000000 fe:00 7 /bin/coder"),
            Some((0x20_0000, 0x54_8000))
        );
        assert_eq!(
            of("00548000-00fdb000 r-xp 00347000 fe:00 7 /bin/coder"),
            Some((0x54_8000, 0xfd_b000))
        );
        for other in [
            "00fdb000-00fe0000 r--p 00dd9000 fe:00 7 /bin/coder",
            "00fe0000-01017000 rw-p 00ddd000 fe:00 7 /bin/coder",
            "7f000000-7f001000 r-xp 00000000 fe:00 8 /lib/libc.so.6",
            "0101d000-01130000 rw-p 00000000 00:00 0 [heap]",
            "01130000-01140000 rw-p 00000000 00:00 0",
            "not a line",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_after_it() {
        let before = std::hint::black_box("a constant of the program").to_owned();
        release().unwrap();
        release().unwrap();
        assert_eq!(before, "a constant of the program");
    }
}
