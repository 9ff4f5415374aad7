//! User authentication (RFC 4252): there is none. Whoever reaches this server
//! came through the tunnel, which knows both ends; user names are not looked at.

use super::numbers::{
    SERVICE_ACCEPT, SERVICE_REQUEST, USERAUTH_FAILURE, USERAUTH_REQUEST, USERAUTH_SUCCESS,
};
use super::wire::{Malformed, Reader, Write};

/// What to do about a message before authentication.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this; `done` when the client is let in with it.
    Reply { payload: Vec<u8>, done: bool },
    /// Nothing.
    Ignore,
}

/// Answers one message of a client that is not let in yet.
pub fn answer(payload: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(payload);
    match reader.byte()? {
        SERVICE_REQUEST => {
            let service = reader.string()?;
            if service != b"ssh-userauth" {
                return Err(Malformed);
            }
            let mut payload = vec![SERVICE_ACCEPT];
            payload.put_string(service);
            Ok(Answer::Reply {
                payload,
                done: false,
            })
        }
        USERAUTH_REQUEST => {
            reader.string()?;
            if reader.string()? == b"ssh-connection" {
                return Ok(Answer::Reply {
                    payload: vec![USERAUTH_SUCCESS],
                    done: true,
                });
            }
            let mut payload = vec![USERAUTH_FAILURE];
            payload.put_string(b"none");
            payload.put_bool(false);
            Ok(Answer::Reply {
                payload,
                done: false,
            })
        }
        // Channels before authentication are no client's right.
        80..=127 => Err(Malformed),
        _ => Ok(Answer::Ignore),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(service: &[u8], method: &[u8]) -> Vec<u8> {
        let mut payload = vec![USERAUTH_REQUEST];
        for part in [b"anyone", service, method] {
            payload.put_string(part);
        }
        payload
    }

    #[test]
    fn everyone_is_let_in_by_every_method() {
        for method in ["none", "publickey", "password"] {
            let answer = answer(&request(b"ssh-connection", method.as_bytes())).unwrap();
            assert!(
                matches!(answer, Answer::Reply { done: true, .. }),
                "{method}"
            );
        }
    }

    #[test]
    fn other_services_and_early_channels_are_refused() {
        assert!(matches!(
            answer(&request(b"x", b"none")),
            Ok(Answer::Reply { done: false, .. })
        ));
        assert_eq!(answer(&[90]), Err(Malformed));
        assert_eq!(answer(&[SERVICE_REQUEST, 0, 0, 0, 1, b'x']), Err(Malformed));
        assert_eq!(answer(&[]), Err(Malformed));
    }
}
