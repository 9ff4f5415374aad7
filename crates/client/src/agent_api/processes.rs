//! Processes that the agent runs on request.

use std::time::Duration;

use api_types::{
    ListProcessesResponse, ProcessOutputResponse, SignalProcessRequest, StartProcessRequest,
    StartProcessResponse,
};

use super::AgentApi;
use crate::Error;
use crate::call::segment;

/// An agent waits five minutes at most for the end of a process.
const WAIT: Duration = Duration::from_secs(330);

impl AgentApi {
    /// Starts a command, which goes on without its caller.
    pub async fn start_process(
        &self,
        request: &StartProcessRequest,
    ) -> Result<StartProcessResponse, Error> {
        self.post("/api/v0/processes/start")
            .json(request)?
            .decode()
            .await
    }

    /// What runs, and what has ended lately.
    pub async fn list_processes(&self) -> Result<ListProcessesResponse, Error> {
        self.get("/api/v0/processes/list").decode().await
    }

    /// What a process has written; with `wait`, after its end or five minutes.
    pub async fn process_output(
        &self,
        id: &str,
        wait: bool,
    ) -> Result<ProcessOutputResponse, Error> {
        let mut call = self.get(&format!("/api/v0/processes/{}/output", segment(id)));
        if wait {
            call = call.query("wait", "true").patience(WAIT);
        }
        call.decode().await
    }

    /// Sends `kill` or `terminate` to a process and all that it started.
    pub async fn signal_process(&self, id: &str, signal: &str) -> Result<(), Error> {
        let request = SignalProcessRequest {
            signal: signal.to_owned(),
        };
        let call = self.post(&format!("/api/v0/processes/{}/signal", segment(id)));
        call.json(&request)?.send().await.map(drop)
    }
}
