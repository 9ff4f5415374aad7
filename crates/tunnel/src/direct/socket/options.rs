//! Options of a socket for which only Linux has names.

use std::os::fd::AsRawFd;

use socket2::Socket;

/// Asks the system to send packets whole or not at all, whatever it believes of the path.
pub(super) fn dont_fragment(socket: &Socket, v6: bool) {
    if v6 {
        let probe = libc::IPV6_PMTUDISC_PROBE;
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, probe);
    } else {
        let probe = libc::IP_PMTUDISC_PROBE;
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, probe);
    }
}

/// Asks for buffers, beyond the system's limit if this process may.
pub(super) fn buffers(socket: &Socket, receive: usize, send: usize) {
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, receive as _);
    set(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, send as _);
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, receive as _);
    set(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, send as _);
}

/// Sets an option. A failure leaves the system's default, which works too, only not as well.
fn set(socket: &Socket, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    // SAFETY: the descriptor is open, and the pointer and length are those of a living integer.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}
