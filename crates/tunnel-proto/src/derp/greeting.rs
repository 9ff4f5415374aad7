//! The sealed JSON by which relay client and server introduce themselves.

use crypto_box::SalsaBox;
use crypto_box::aead::Aead;
use serde::{Deserialize, Serialize};

use super::{NONCE_LEN, VERSION};
use crate::key::{NodePrivate, NodePublic};

/// What a client tells about itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// Protocol version, see [`VERSION`].
    pub version: u32,
    /// Proves a server of the same region; empty for clients. A secret: `Debug` leaves it out.
    #[serde(rename = "meshKey")]
    pub mesh_key: String,
    /// The client answers pings.
    #[serde(rename = "CanAckPings")]
    pub can_ack_pings: bool,
    /// The client only probes.
    #[serde(rename = "IsProber")]
    pub is_prober: bool,
}

impl std::fmt::Debug for ClientInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientInfo")
            .field("version", &self.version)
            .field("can_ack_pings", &self.can_ack_pings)
            .field("is_prober", &self.is_prober)
            .finish_non_exhaustive()
    }
}

impl Default for ClientInfo {
    fn default() -> Self {
        Self {
            version: VERSION,
            mesh_key: String::new(),
            can_ack_pings: true,
            is_prober: false,
        }
    }
}

/// What a server tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// Protocol version, see [`VERSION`].
    pub version: u32,
    /// Advertised rate limit in bytes per second; 0 for none.
    #[serde(rename = "TokenBucketBytesPerSecond", skip_serializing_if = "is_zero")]
    pub bytes_per_second: u64,
    /// Advertised burst in bytes; 0 for none.
    #[serde(rename = "TokenBucketBytesBurst", skip_serializing_if = "is_zero")]
    pub bytes_burst: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Default for ServerInfo {
    fn default() -> Self {
        Self {
            version: VERSION,
            bytes_per_second: 0,
            bytes_burst: 0,
        }
    }
}

/// Why a greeting was not understood.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// The box does not open with our key: the other end does not hold the key it claims.
    #[error("the relay greeting cannot be opened: it is not sealed by the key it names")]
    Sealed,
    /// The opened text is not the expected JSON.
    #[error("the relay greeting is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn shared(ours: &NodePrivate, theirs: &NodePublic) -> SalsaBox {
    SalsaBox::new(&theirs.0.into(), &ours.secret().to_bytes().into())
}

fn seal(ours: &NodePrivate, theirs: &NodePublic, nonce: [u8; NONCE_LEN], json: &[u8]) -> Vec<u8> {
    shared(ours, theirs)
        .encrypt(&nonce.into(), json)
        // Sealing fails only beyond 2^38 bytes; an empty box is refused by the other end.
        .unwrap_or_default()
}

fn open<T: for<'de> Deserialize<'de>>(
    ours: &NodePrivate,
    theirs: &NodePublic,
    nonce: [u8; NONCE_LEN],
    sealed: &[u8],
) -> Result<T, GreetingError> {
    let json = shared(ours, theirs)
        .decrypt(&nonce.into(), sealed)
        .map_err(|_| GreetingError::Sealed)?;
    Ok(serde_json::from_slice(&json)?)
}

/// Seals the client's introduction for the server.
pub fn seal_client_info(
    client: &NodePrivate,
    server: &NodePublic,
    nonce: [u8; NONCE_LEN],
    info: &ClientInfo,
) -> Vec<u8> {
    // A struct of plain fields always serialises.
    seal(
        client,
        server,
        nonce,
        &serde_json::to_vec(info).unwrap_or_default(),
    )
}

/// Opens a client's introduction.
pub fn open_client_info(
    server: &NodePrivate,
    client: &NodePublic,
    nonce: [u8; NONCE_LEN],
    sealed: &[u8],
) -> Result<ClientInfo, GreetingError> {
    open(server, client, nonce, sealed)
}

/// Seals the server's introduction for the client.
pub fn seal_server_info(
    server: &NodePrivate,
    client: &NodePublic,
    nonce: [u8; NONCE_LEN],
    info: &ServerInfo,
) -> Vec<u8> {
    // A struct of plain fields always serialises.
    seal(
        server,
        client,
        nonce,
        &serde_json::to_vec(info).unwrap_or_default(),
    )
}

/// Opens a server's introduction.
pub fn open_server_info(
    client: &NodePrivate,
    server: &NodePublic,
    nonce: [u8; NONCE_LEN],
    sealed: &[u8],
) -> Result<ServerInfo, GreetingError> {
    open(client, server, nonce, sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_right_key() {
        let (client, server) = (
            NodePrivate::from_bytes([1; 32]),
            NodePrivate::from_bytes([2; 32]),
        );
        let info = ClientInfo::default();
        let mut sealed = seal_client_info(&client, &server.public(), [3; 24], &info);
        let opened = open_client_info(&server, &client.public(), [3; 24], &sealed).unwrap();
        assert_eq!(opened, info);
        let other = NodePrivate::from_bytes([4; 32]);
        assert!(open_client_info(&server, &other.public(), [3; 24], &sealed).is_err());
        sealed[0] ^= 1;
        assert!(open_client_info(&server, &client.public(), [3; 24], &sealed).is_err());
        assert!(open_client_info(&server, &client.public(), [3; 24], b"").is_err());
    }

    #[test]
    fn server_info_omits_absent_limits() {
        let json = serde_json::to_string(&ServerInfo::default()).unwrap();
        assert_eq!(json, r#"{"version":2}"#);
    }
}
