//! The provider as a binary of its own, for tests. The product serves it from its one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    terraform_provider::serve()
}
