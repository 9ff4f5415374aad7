terraform {
  required_providers {
    coder = { source = "coder/coder", version = "~> 2.0" }
  }
}
variable "names" {
  type      = list(string)
  sensitive = true
}
data "coder_workspace" "me" {}
data "coder_parameter" "label" {
  name    = "label"
  default = "none"
}
resource "coder_agent" "main" {
  os             = "linux"
  arch           = "amd64"
  startup_script = "echo hello"
}
resource "coder_script" "cron" {
  agent_id     = coder_agent.main.id
  display_name = "Cron"
  script       = "true"
  cron         = "0 0 * * * *"
}
resource "coder_env" "lang" {
  agent_id = coder_agent.main.id
  name     = "LANG"
  value    = join(",", nonsensitive(var.names))
}
resource "terraform_data" "machine" {
  count = data.coder_workspace.me.start_count
  input = coder_agent.main.token
}
resource "coder_metadata" "machine" {
  count       = data.coder_workspace.me.start_count
  resource_id = terraform_data.machine[0].id
  daily_cost  = 5
  icon        = "/icon/machine.svg"
  item {
    key   = "label"
    value = data.coder_parameter.label.value
  }
}
