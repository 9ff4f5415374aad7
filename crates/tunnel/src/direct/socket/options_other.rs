//! Options of a socket where the system is not Linux: what every system has.

use socket2::Socket;

/// Left to the system.
pub(super) fn dont_fragment(_: &Socket, _: bool) {}

/// Asks for buffers.
pub(super) fn buffers(socket: &Socket, receive: usize, send: usize) {
    // Smaller buffers work too, only not as fast.
    let _ = socket.set_recv_buffer_size(receive);
    let _ = socket.set_send_buffer_size(send);
}
