//! Ports of the agent on its own machine: for metrics, and for those who look for
//! a fault.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result};

/// Opens `wanted`, or the usual address, or none for an empty text. That the usual
/// one is taken is no mistake: another agent may run here.
pub fn open(wanted: Option<&str>, usual: &str) -> Result<Option<Arc<TcpListener>>> {
    match wanted {
        Some("") => Ok(None),
        Some(address) => {
            let listener = TcpListener::bind(address)
                .with_context(|| format!("listen on {address}: choose another address"))?;
            Ok(Some(Arc::new(listener)))
        }
        None => Ok(TcpListener::bind(usual).ok().map(Arc::new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_was_asked_for_must_be_free() {
        let taken = open(Some("127.0.0.1:0"), "").unwrap().unwrap();
        let address = taken.local_addr().unwrap().to_string();
        assert!(open(Some(&address), "").is_err());
        assert!(open(None, &address).unwrap().is_none());
        assert!(open(Some(""), &address).unwrap().is_none());
    }
}
