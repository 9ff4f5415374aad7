//! The `coder-slim` binary: command line and agent, without the control plane.

fn main() -> std::process::ExitCode {
    cli::main()
}
