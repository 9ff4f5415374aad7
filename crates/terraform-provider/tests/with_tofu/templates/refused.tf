# Every rule that a configuration can break before anything is planned. Both providers must object at the same places.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}
resource "coder_agent" "values" {
  arch                    = "x86"
  os                      = "plan9"
  auth                    = "none"
  api_key_scope           = "some"
  connection_timeout      = -1
  dir                     = "/work"
  startup_script_behavior = "maybe"
  order                   = 1.5
  resources_monitoring {
    memory {
      enabled   = true
      threshold = 101
    }
  }
}
resource "coder_agent" "unset" {
  arch  = "amd64"
  os    = null
  token = "x"
}
resource "coder_agent" "volume" {
  arch = "amd64"
  os   = "linux"
  resources_monitoring {
    volume {
      path      = "relative"
      enabled   = true
      threshold = 1
    }
  }
}
resource "coder_app" "conflicts" {
  agent_id  = "x"
  slug      = "a"
  url       = "http://x"
  command   = "y"
  subdomain = false
  healthcheck {
    url       = "x"
    interval  = 1
    threshold = 1
  }
}
resource "coder_app" "external" {
  agent_id = "x"
  slug     = "a"
  external = false
  share    = "owner"
}
resource "coder_app" "values" {
  agent_id     = "x"
  slug         = "a--b"
  display_name = join("", [for i in range(65) : "x"])
  group        = join("", [for i in range(65) : "x"])
  tooltip      = join("", [for i in range(2049) : "x"])
  icon         = "http://[::1"
  share        = "everybody"
  open_in      = "window"
}
resource "coder_script" "cron" {
  agent_id     = "x"
  display_name = "s"
  script       = "s"
  cron         = "0 22 * * 0"
  timeout      = 0
}
resource "coder_script" "five" {
  agent_id     = "x"
  display_name = "s"
  script       = "s"
  cron         = "0 22 * * 1"
}
resource "coder_script" "words" {
  for_each     = toset(["@daily", "@every 1h", "TZ=UTC 0 0 * * * *"])
  agent_id     = "x"
  display_name = "s"
  script       = "s"
  cron         = each.key
}
resource "coder_env" "values" {
  agent_id       = "x"
  name           = "1A"
  merge_strategy = "mix"
}
resource "coder_devcontainer" "values" {
  agent_id         = "x"
  workspace_folder = ""
}
resource "coder_metadata" "values" {
  resource_id = "x"
  icon        = ":x"
  item {
    key     = "a"
    is_null = true
  }
}
resource "coder_ai_task" "both" {
  app_id = "not a uuid"
}
resource "coder_ai_task" "conflict" {
  app_id = "6fc86ab6-2083-496f-b193-5b32f39beeef"
  sidebar_app {
    id = "6fc86ab6-2083-496f-b193-5b32f39beeef"
  }
}
data "coder_parameter" "values" {
  name      = "p"
  type      = "text"
  form_type = "wheel"
  icon      = "%zz"
  value     = "x"
  validation {
    min   = 1
    max   = 2
    regex = "x"
  }
}
data "coder_workspace_preset" "values" {
  name        = ""
  description = join("", [for i in range(129) : "x"])
  icon        = join("", [for i in range(257) : "x"])
  parameters  = { a = "" }
  prebuilds {
    instances = -1
    expiration_policy {
      ttl = 60
    }
    scheduling {
      timezone = "Europe/Nowhere"
      schedule {
        cron      = "0 1 * * *"
        instances = 1
      }
    }
  }
}
data "coder_secret" "values" {
  env          = "A-B"
  file         = "x"
  help_message = "h"
}
