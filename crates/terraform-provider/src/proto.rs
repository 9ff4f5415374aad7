//! The generated messages and service traits; see the `.proto` files for what each is.
#![allow(missing_docs, dead_code, clippy::pedantic, reason = "generated code")]

/// Terraform's plugin protocol 5.
pub mod tfplugin5 {
    tonic::include_proto!("tfplugin5");
}

/// go-plugin's own services.
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// The standard health check.
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
