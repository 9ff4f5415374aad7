//! What is served on standard input and output: the tools of the user that is signed in, and the one by
//! which tasks are reported.

use futures::future::BoxFuture;
use mcp::serve::{Prompt, Service};
use mcp::{Called, Tool};
use serde_json::{Map, Value};
use toolbox::{Args, Tools, called};

use super::report::{self, Reporter};

/// Without a user only reports, without a reporter none of these.
pub struct Served {
    /// Tools of the user.
    pub tools: Option<Tools>,
    /// Tells people the state of a task.
    pub reporter: Option<Reporter>,
    /// Said to whoever uses the tools.
    pub instructions: String,
}

impl Service for Served {
    fn instructions(&self) -> String {
        self.instructions.clone()
    }

    fn tools(&self) -> Vec<Tool> {
        let mut all = self.tools.as_ref().map(Tools::tools).unwrap_or_default();
        if self.reporter.is_some() {
            all.push(report::offer());
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> Option<BoxFuture<'a, Called>> {
        if name == report::NAME {
            let reporter = self.reporter.as_ref()?;
            let done = reporter.report(Args::new(arguments));
            return Some(Box::pin(async move { called(done.await) }));
        }
        self.tools.as_ref()?.call(name, arguments)
    }

    fn prompts(&self) -> Vec<Prompt> {
        self.tools.as_ref().map(Tools::prompts).unwrap_or_default()
    }

    fn prompt(&self, name: &str, arguments: &Map<String, Value>) -> Option<Result<String, String>> {
        self.tools.as_ref()?.prompt(name, arguments)
    }
}
