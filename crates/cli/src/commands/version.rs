//! `coder version`.

use anyhow::Result;
use api_types::VERSION;
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;

use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;

/// Show the version of this program.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Form of the output.
    #[arg(short, long, value_name = "format", default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Prints the version; needs no server.
pub fn run(args: &Args, _session: &Session) -> Result<()> {
    let slim = !cfg!(feature = "full");
    match args.output {
        Output::Json => print_json(&json!({
            "version": VERSION,
            "build_time": serde_json::Value::Null,
            "external_url": "",
            "slim": slim,
            "agpl": false,
            "boring_crypto": false,
        })),
        Output::Text => {
            let kind = if slim { "Slim build" } else { "Full build" };
            say!(
                "Coder {VERSION}\n{kind} of coder, {}.",
                if slim {
                    "without the server command"
                } else {
                    "supports the server command"
                }
            )
        }
    }
}
