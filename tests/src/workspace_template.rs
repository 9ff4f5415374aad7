//! A template whose workspaces are processes on this machine, with the agent
//! binary chosen by the test.

use std::{fs, path::Path};

use anyhow::Result;

/// Writes the template into `dir`. Workspaces live under `root`; with
/// `agent` given, that binary is started instead of what the server hands out.
pub fn write(dir: &Path, root: &Path, agent: Option<&Path>) -> Result<()> {
    fs::create_dir_all(dir)?;
    let start = match agent {
        None => "sh -c \\\"$SCRIPT\\\"".to_owned(),
        Some(binary) => format!("{} agent", binary.display()),
    };
    let root = root.display();
    fs::write(
        dir.join("main.tf"),
        format!(
            r#"terraform {{
  required_providers {{
    coder = {{
      source = "coder/coder"
    }}
  }}
}}

data "coder_workspace" "me" {{}}
data "coder_provisioner" "me" {{}}

resource "coder_agent" "main" {{
  os   = "linux"
  arch = data.coder_provisioner.me.arch
  env = {{
    FROM_TEMPLATE = "yes it is"
  }}
  startup_script = "echo started > started"
}}

resource "terraform_data" "process" {{
  count = data.coder_workspace.me.start_count
  input = {{
    id     = data.coder_workspace.me.id
    url    = data.coder_workspace.me.access_url
    script = coder_agent.main.init_script
    token  = coder_agent.main.token
  }}
  provisioner "local-exec" {{
    command = "d={root}/$ID; mkdir -p $d && cd $d && (HOME=$d BINARY_DIR=$d CODER_AGENT_URL=$URL setsid {start} > agent.log 2>&1 < /dev/null & echo $! > pid)"
    environment = {{
      ID                = self.input.id
      URL               = self.input.url
      SCRIPT            = self.input.script
      CODER_AGENT_TOKEN = self.input.token
    }}
  }}
  provisioner "local-exec" {{
    when    = destroy
    command = "cd {root}/${{self.input.id}} && rm -f coder && kill -TERM -$(cat pid) || true"
  }}
}}
"#
        ),
    )?;
    fs::write(dir.join("README.md"), "# Process\n\nFor tests.\n")?;
    Ok(())
}
