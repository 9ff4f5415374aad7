# Every resource and data source, with and without its optional parts. Both providers must plan and store the same.
terraform {
  required_providers {
    coder = { source = "coder/coder" }
  }
}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}
data "coder_provisioner" "me" {}
data "coder_parameter" "p" { 
  name = "p" 
  default = "x"
}
data "coder_parameter" "q" { 
  name = "q" 
  type = "number"
  default = 5
  validation { 
    min = 1
    max = 10
    monotonic = "increasing"
    error = "e"
  }
  option { 
    name = "a"
    value = 5
  }
}
data "coder_workspace_preset" "pre" {
  name = "foo"
  parameters = { p = "x" }
  prebuilds {
    instances = 1
    expiration_policy { ttl = 3600 }
    scheduling {
      timezone = "UTC"
      schedule {
        cron = "* 1-2 * * *"
        instances = 2
      }
    }
  }
}
data "coder_workspace_preset" "min" {
  name = "min"
}
data "coder_workspace_tags" "t" { tags = { a = "b" } }
data "coder_workspace_tags" "t2" { }
data "coder_external_auth" "e" { id = "github" }
data "coder_task" "t" {}
data "coder_secret" "s" { 
  env = "X"
  help_message = "h"
}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
  env = { A = "b" }
  metadata {
    key = "k"
    script = "echo"
    interval = 3
  }
  resources_monitoring {
    memory { 
      enabled = true
      threshold = 50
    }
    volume { 
      enabled = true
      threshold = 50
      path = "/"
    }
    volume { 
      enabled = true
      threshold = 50
      path = "/home"
    }
  }
}
resource "coder_agent" "second" {
  os   = "linux"
  arch = "arm64"
  dir = "/x"
  order = 0
  startup_script = ""
  display_apps {
    vscode = false
  }
  metadata {
    key = "k"
    script = ""
    display_name = ""
    interval = 3
    timeout = 0
  }
}
resource "coder_agent_instance" "i" { 
  agent_id = coder_agent.main.id 
  instance_id = "i"
}
resource "coder_app" "a" { 
  agent_id = coder_agent.main.id 
  slug = "a"
}
resource "coder_app" "b" { 
  agent_id = coder_agent.main.id 
  slug = "b"
  hidden = true
  display_name = "x"
  icon = "/x.svg"
  order = 2
  url = "http://localhost:1"
  healthcheck {
    url = "http://localhost:1"
    interval = 3
    threshold = 4
  }
}
resource "coder_app" "x" { 
  agent_id = coder_agent.main.id 
  slug = "x"
  url = "https://x"
  external = true
}
resource "coder_script" "s" { 
  agent_id = coder_agent.main.id 
  display_name = "s"
  script = "s"
  cron = "0 * * * * *"
}
resource "coder_env" "e" { 
  agent_id = coder_agent.main.id 
  name = "E"
}
resource "coder_metadata" "m" {
  resource_id = coder_agent.main.id
  item {
    key = "a"
    value = "b"
  }
  item {
    key = "n"
  }
  item {
    key = "e"
    value = ""
    sensitive = true
  }
  item {
    key = "tok"
    value = coder_agent.main.token
  }
}
resource "coder_metadata" "m2" {
  resource_id = coder_agent.main.id
  daily_cost = 3
}
resource "coder_devcontainer" "d" { 
  agent_id = coder_agent.main.id 
  workspace_folder = "/w"
}
resource "coder_external_agent" "d" { 
  agent_id = coder_agent.main.id 
}
resource "coder_ai_task" "d" { 
  app_id = coder_app.a.id 
}
resource "coder_ai_task" "s" { 
  sidebar_app { id = coder_app.a.id  }
}
data "coder_parameter" "list" {
  name      = "list"
  type      = "list(string)"
  form_type = "multi-select"
  default   = jsonencode(["a"])
  mutable   = true
  ephemeral = true
  styling   = jsonencode({ placeholder = "x" })
  option {
    name        = "A"
    value       = "a"
    icon        = "/icon/a.svg"
    description = "first"
  }
  option {
    name  = "B"
    value = "b"
  }
}
data "coder_parameter" "required" {
  name = "required"
  option {
    name  = "A"
    value = "a"
  }
}
data "coder_parameter" "regex" {
  name    = "regex"
  default = "abc"
  validation {
    regex = "^[\\w&]+$"
    error = "letters"
  }
}
data "coder_parameter" "switch" {
  name      = "switch"
  type      = "bool"
  form_type = "switch"
  default   = "T"
}
data "coder_workspace_preset" "instances" {
  name    = "instances"
  default = true
  prebuilds {
    instances = 0
  }
}
data "coder_secret" "file" {
  file         = "~/x"
  help_message = ""
}
resource "coder_metadata" "null" {
  resource_id = "x"
  item {
    key   = "a"
    value = null
  }
}
resource "coder_env" "dynamic" {
  for_each = toset(["A", "B"])
  agent_id = coder_agent.main.id
  name     = each.key
  value    = "${coder_agent.main.id}-suffix"
}
resource "coder_script" "blocking" {
  agent_id           = coder_agent.main.id
  display_name       = "s"
  script             = "s"
  run_on_start       = true
  run_on_stop        = true
  start_blocks_login = true
  timeout            = 5
  icon               = "/x"
  log_path           = "x.log"
}
resource "coder_agent" "full" {
  os                      = "windows"
  arch                    = "armv7"
  auth                    = "aws-instance-identity"
  api_key_scope           = "no_user_data"
  connection_timeout      = 0
  motd_file               = "/etc/motd"
  order                   = -3
  shutdown_script         = "x"
  startup_script          = "naïve 🙂"
  startup_script_behavior = "blocking"
  troubleshooting_url     = "https://x"
  env                     = {}
  display_apps {
    vscode                 = false
    vscode_insiders        = true
    web_terminal           = false
    port_forwarding_helper = false
    ssh_helper             = false
  }
  dynamic "metadata" {
    for_each = ["a", "b"]
    content {
      key          = metadata.value
      script       = "s"
      interval     = 1
      timeout      = 2
      order        = 3
      display_name = "d"
    }
  }
}
data "coder_parameter" "empty" {
  name         = "empty"
  default      = ""
  display_name = ""
  order        = 0
  option {
    name  = "none"
    value = ""
  }
}
data "coder_workspace_tags" "empty" {
  tags = {}
}
data "coder_workspace_preset" "empty" {
  name        = "empty"
  description = ""
  parameters  = {}
  prebuilds {
    instances = 1
    expiration_policy {
      ttl = 0
    }
    scheduling {
      timezone = ""
      schedule {
        cron      = "* 1 * * MON"
        instances = 0
      }
    }
  }
}
