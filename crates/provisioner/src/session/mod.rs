//! One job's directory: the unpacked template, Terraform's state, and what runs print.

pub mod alive;
mod directory;
mod files;
mod recovery;
mod state;

pub use directory::{Session, Workshop, is_full};
pub use files::configuration_files;
pub use recovery::{Kind, Left};
