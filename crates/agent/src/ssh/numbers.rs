//! The message numbers and reason codes of SSH that are used here
//! (RFC 4250 section 4, RFC 5656, OpenSSH's PROTOCOL).

pub const DISCONNECT: u8 = 1;
pub const IGNORE: u8 = 2;
pub const UNIMPLEMENTED: u8 = 3;
pub const DEBUG: u8 = 4;
pub const SERVICE_REQUEST: u8 = 5;
pub const SERVICE_ACCEPT: u8 = 6;
pub const EXT_INFO: u8 = 7;
pub const KEXINIT: u8 = 20;
pub const NEWKEYS: u8 = 21;
/// `SSH_MSG_KEX_ECDH_INIT`, and `SSH_MSG_KEX_HYBRID_INIT` alike.
pub const KEX_INIT: u8 = 30;
/// `SSH_MSG_KEX_ECDH_REPLY`, and `SSH_MSG_KEX_HYBRID_REPLY` alike.
pub const KEX_REPLY: u8 = 31;
pub const USERAUTH_REQUEST: u8 = 50;
pub const USERAUTH_FAILURE: u8 = 51;
pub const USERAUTH_SUCCESS: u8 = 52;
pub const GLOBAL_REQUEST: u8 = 80;
pub const REQUEST_SUCCESS: u8 = 81;
pub const REQUEST_FAILURE: u8 = 82;
pub const CHANNEL_OPEN: u8 = 90;
pub const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
pub const CHANNEL_OPEN_FAILURE: u8 = 92;
pub const CHANNEL_WINDOW_ADJUST: u8 = 93;
pub const CHANNEL_DATA: u8 = 94;
pub const CHANNEL_EXTENDED_DATA: u8 = 95;
pub const CHANNEL_EOF: u8 = 96;
pub const CHANNEL_CLOSE: u8 = 97;
pub const CHANNEL_REQUEST: u8 = 98;
pub const CHANNEL_SUCCESS: u8 = 99;
pub const CHANNEL_FAILURE: u8 = 100;

/// Why a channel was not opened (RFC 4254 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenFailure {
    /// The agent's settings forbid it.
    Prohibited = 1,
    /// The target could not be reached.
    ConnectFailed = 2,
    /// No such channel type here.
    UnknownType = 3,
    /// Too many channels already.
    ResourceShortage = 4,
}

/// Data type code of standard error (RFC 4254 section 5.2).
pub const STDERR: u32 = 1;

/// Disconnect reasons (RFC 4253 section 11.1).
pub const DISCONNECT_PROTOCOL_ERROR: u32 = 2;
pub const DISCONNECT_KEY_EXCHANGE_FAILED: u32 = 3;
pub const DISCONNECT_BY_APPLICATION: u32 = 11;
