//! The collector of orphans as a real process: this test starts itself as one.
//! It has no harness, because that brings threads.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// First argument of the process that collects.
const AS_INIT: &str = "as-init";

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(command) = arguments.strip_prefix(&[AS_INIT.into()]) {
        let mut child = Command::new(&command[0]);
        child.args(&command[1..]);
        let status = agent::reap::run(child)?;
        std::process::exit(status.code().unwrap_or(255));
    }
    codes_pass_through()?;
    signals_reach_the_child()?;
    println!("init: ok");
    Ok(())
}

fn init(script: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([AS_INIT, "sh", "-c", script]);
    Ok(command)
}

fn codes_pass_through() -> std::io::Result<()> {
    assert_eq!(init("exit 7")?.status()?.code(), Some(7));
    assert_eq!(init("kill -9 $$")?.status()?.code(), Some(255));
    Ok(())
}

fn signals_reach_the_child() -> std::io::Result<()> {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = init(script)?.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let Some(output) = child.stdout.take() else {
        panic!("it is piped")
    };
    BufReader::new(output).read_line(&mut line)?;
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM)?;
    assert_eq!(child.wait()?.code(), Some(5));
    Ok(())
}
