terraform {
  required_providers {
    coder = { source = "coder/coder" }
  }
}
data "coder_workspace" "me" {}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
}
resource "terraform_data" "host" {
  count = data.coder_workspace.me.start_count
  input = { id = data.coder_workspace.me.id, script = coder_agent.main.init_script, token = coder_agent.main.token }
  provisioner "local-exec" {
    command     = "true"
    environment = { ID = self.input.id, SCRIPT = self.input.script, CODER_AGENT_TOKEN = self.input.token }
  }
  provisioner "local-exec" {
    when    = destroy
    command = "true ${self.input.id}"
  }
}
