# A workspace is a process on the machine that builds it, with a home directory of its own.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}

variable "directory" {
  description = "Directory of the workspaces' homes. Empty: ~/.local/share/coder/workspaces of the server's user."
  type        = string
  default     = ""
}

variable "user" {
  description = "User that workspaces run as. Only a server that runs as root can choose one. Empty: the server's user."
  type        = string
  default     = ""
}

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

locals {
  directory = var.directory != "" ? var.directory : pathexpand("~/.local/share/coder/workspaces")
  # Named by id: a workspace may be renamed.
  home = "${local.directory}/${data.coder_workspace.me.id}"
}

resource "coder_agent" "main" {
  os   = data.coder_provisioner.me.os
  arch = data.coder_provisioner.me.arch

  env = {
    GIT_AUTHOR_NAME     = data.coder_workspace_owner.me.full_name
    GIT_AUTHOR_EMAIL    = data.coder_workspace_owner.me.email
    GIT_COMMITTER_NAME  = data.coder_workspace_owner.me.full_name
    GIT_COMMITTER_EMAIL = data.coder_workspace_owner.me.email
  }

  metadata {
    key          = "load"
    display_name = "Load of the machine"
    script       = "uptime | sed 's/.*average[s]*: *//'"
    interval     = 15
    timeout      = 5
  }

  metadata {
    key          = "disk"
    display_name = "Home directory"
    script       = "du -sh \"$HOME\" | cut -f1"
    interval     = 300
    timeout      = 60
  }
}

# The home directory lives as long as the workspace.
resource "terraform_data" "home" {
  input = {
    path = local.home
    user = var.user
  }

  # Another `directory` or `user` is for new workspaces; existing ones stay where, and whose, their files are.
  lifecycle {
    ignore_changes = [input]
  }

  provisioner "local-exec" {
    command = <<-EOT
      set -eu
      mkdir -p "$WORKSPACE_HOME"
      chmod 700 "$WORKSPACE_HOME"
      if [ -n "$WORKSPACE_USER" ]; then chown "$WORKSPACE_USER" "$WORKSPACE_HOME"; fi
    EOT
    environment = {
      WORKSPACE_HOME = self.input.path
      WORKSPACE_USER = self.input.user
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "rm -rf -- \"$WORKSPACE_HOME\""
    environment = {
      WORKSPACE_HOME = self.input.path
    }
  }
}

# The process lives as long as the workspace runs.
resource "terraform_data" "process" {
  count = data.coder_workspace.me.start_count

  input = terraform_data.home.output
  # Each build hands the agent a new token, so a running process is replaced.
  triggers_replace = sha256(coder_agent.main.token)

  provisioner "local-exec" {
    command = "sh '${path.module}/start.sh'"
    environment = {
      WORKSPACE_HOME  = self.input.path
      WORKSPACE_USER  = self.input.user
      WORKSPACE_TOKEN = coder_agent.main.token
      WORKSPACE_INIT  = coder_agent.main.init_script
    }
  }

  # Of the configuration, only the resource itself can be seen when it is destroyed.
  provisioner "local-exec" {
    when    = destroy
    command = "sh '${path.module}/stop.sh'"
    environment = {
      WORKSPACE_HOME = self.input.path
      WORKSPACE_USER = self.input.user
    }
  }
}

resource "coder_metadata" "process" {
  count       = data.coder_workspace.me.start_count
  resource_id = terraform_data.process[0].id

  item {
    key   = "home"
    value = terraform_data.home.output.path
  }
}
