# What can only be found out when it is planned, or read. Both providers must object to the same.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}
resource "coder_agent" "metadata" {
  arch = "amd64"
  os   = "linux"
  metadata {
    key      = "k"
    script   = "s"
    interval = 1
  }
  metadata {
    key      = "k"
    script   = "s"
    interval = 1
  }
}
resource "coder_agent" "volumes" {
  arch = "amd64"
  os   = "linux"
  resources_monitoring {
    volume {
      path      = "/"
      enabled   = true
      threshold = 3
    }
    volume {
      path      = "/"
      enabled   = true
      threshold = 4
    }
  }
}
resource "coder_metadata" "items" {
  resource_id = "x"
  item {
    key = "a"
  }
  item {
    key = "a"
  }
}
data "coder_parameter" "number" {
  name = "number"
  type = "number"
  validation {
    min = 1
  }
}
data "coder_parameter" "words" {
  name    = "words"
  type    = "number"
  default = "11"
  validation {
    min   = 1
    max   = 10
    error = "{min} to {max}, not {value}"
  }
}
data "coder_parameter" "regex" {
  name = "regex"
  validation {
    regex = "a"
    error = "be a"
  }
}
data "coder_parameter" "regex_without_error" {
  name    = "regex_without_error"
  default = "a"
  validation {
    regex = "a"
  }
}
data "coder_parameter" "list" {
  name    = "list"
  type    = "list(string)"
  default = "[1]"
}
data "coder_parameter" "bool" {
  name    = "bool"
  type    = "bool"
  default = "yes"
}
data "coder_parameter" "form" {
  name      = "form"
  type      = "number"
  form_type = "checkbox"
  default   = "1"
}
data "coder_parameter" "ephemeral" {
  name      = "ephemeral"
  ephemeral = true
  mutable   = true
}
data "coder_parameter" "immutable" {
  name      = "immutable"
  ephemeral = true
  default   = "x"
}
data "coder_parameter" "choice" {
  name    = "choice"
  default = "c"
  option {
    name  = "A"
    value = "a"
  }
}
data "coder_parameter" "unique" {
  name = "unique"
  option {
    name  = "A"
    value = "a"
  }
  option {
    name  = "B"
    value = "a"
  }
}
data "coder_parameter" "option_type" {
  name = "option_type"
  type = "number"
  option {
    name  = "A"
    value = "a"
  }
}
data "coder_workspace_preset" "overlap" {
  name = "overlap"
  prebuilds {
    instances = 1
    scheduling {
      timezone = "UTC"
      schedule {
        cron      = "* 1-3 * * *"
        instances = 3
      }
      schedule {
        cron      = "* 3 * * *"
        instances = 3
      }
    }
  }
}
data "coder_secret" "none" {
  help_message = "h"
}
data "coder_secret" "missing" {
  env          = "MISSING"
  help_message = "ask"
}
data "coder_external_auth" "empty" {
  id = ""
}
