//! The `coder` binary.
fn main() {}
