//! The `coder` binary: control plane, command line and agent in one.

fn main() -> std::process::ExitCode {
    cli::main()
}
