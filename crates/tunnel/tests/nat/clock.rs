//! The clocks as this program sees them: those of the system, and what a test adds to them. Takes the
//! place of the C library's function for the whole test program, so that a jump of the time of day and a
//! sleep of the machine can be had without either.

use std::sync::atomic::{AtomicI64, Ordering};

/// Seconds that the time of day has jumped.
pub static TIME_OF_DAY: AtomicI64 = AtomicI64::new(0);
/// Seconds that the machine has slept, beyond what it truly has.
pub static SLEEP: AtomicI64 = AtomicI64::new(0);

/// clock_gettime(2).
// SAFETY: it does what the function of this name promises, for every clock.
#[unsafe(no_mangle)]
pub extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller's pointer is passed on as it came; the kernel checks it.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    let jump = match clock {
        libc::CLOCK_REALTIME => &TIME_OF_DAY,
        libc::CLOCK_BOOTTIME => &SLEEP,
        _ => return result as libc::c_int,
    };
    if result == 0 {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += jump.load(Ordering::Relaxed) };
    }
    result as libc::c_int
}
