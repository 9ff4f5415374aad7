//! Template archives: unpacking them safely, turning uploaded zips into tars, packing a directory.
//!
//! An archive comes from a person and may be hostile or broken. Everything here is bounded by
//! [`Limits`] and every refusal names the entry and the reason.

mod error;
mod extract;
mod limits;
mod pack;
mod zip;

pub use error::ArchiveError;
pub use extract::{check, extract, read_all, read_file};
pub use limits::Limits;
pub use pack::{PACK_LIMIT, Packed, pack_directory};
pub use zip::{tar_to_zip, zip_to_tar};
