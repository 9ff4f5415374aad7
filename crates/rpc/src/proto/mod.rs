//! The messages of every RPC service, generated from `proto/*.proto`.
//!
//! One module per protocol package; field meanings stand in the `.proto` files.

mod redacted;

#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    rustdoc::all,
    reason = "generated code"
)]
mod generated {
    pub mod coder {
        pub mod agent {
            pub mod v2 {
                include!(concat!(env!("OUT_DIR"), "/coder.agent.v2.rs"));
            }
        }
        pub mod agentsocket {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/coder.agentsocket.v1.rs"));
            }
        }
        pub mod tailnet {
            pub mod v2 {
                include!(concat!(env!("OUT_DIR"), "/coder.tailnet.v2.rs"));
            }
        }
    }
    pub mod provisioner {
        include!(concat!(env!("OUT_DIR"), "/provisioner.rs"));
    }
    pub mod provisionerd {
        include!(concat!(env!("OUT_DIR"), "/provisionerd.rs"));
    }
}

pub use generated::coder::agent::v2 as agent;
pub use generated::coder::agentsocket::v1 as agentsocket;
pub use generated::coder::tailnet::v2 as tailnet;
pub use generated::{provisioner, provisionerd};
