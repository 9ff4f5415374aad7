# A workspace is a container with a volume for its home directory.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

variable "docker_host" {
  description = "Where the Docker Engine listens, for example unix:///var/run/docker.sock or ssh://user@host. Empty: as DOCKER_HOST says, else the local socket."
  type        = string
  default     = ""
}

variable "default_image" {
  description = "Image of workspaces whose owner chooses none."
  type        = string
  default     = "coder-base:latest"
}

provider "docker" {
  host = var.docker_host != "" ? var.docker_host : null
}

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

data "coder_parameter" "image" {
  name         = "image"
  display_name = "Image"
  description  = "Container image with a shell and curl or wget. It is pulled if the Docker Engine does not have it."
  icon         = "/icon/docker.svg"
  default      = var.default_image
  mutable      = true
  order        = 1

  validation {
    regex = "^[a-z0-9][A-Za-z0-9._:/@-]*$"
    error = "This is not the name of an image."
  }
}

locals {
  # A server that is only reached on this machine is reached from a container only over the machine's own network.
  loopback = can(regex("^https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])([:/]|$)", data.coder_workspace.me.access_url))
  name     = "coder-${lower(data.coder_workspace_owner.me.name)}-${lower(data.coder_workspace.me.name)}"
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = data.coder_provisioner.me.arch

  env = {
    GIT_AUTHOR_NAME     = data.coder_workspace_owner.me.full_name
    GIT_AUTHOR_EMAIL    = data.coder_workspace_owner.me.email
    GIT_COMMITTER_NAME  = data.coder_workspace_owner.me.full_name
    GIT_COMMITTER_EMAIL = data.coder_workspace_owner.me.email
  }

  metadata {
    key          = "memory"
    display_name = "Memory"
    script       = "awk '{ printf \"%.0f MiB\", $1 / 1048576 }' /sys/fs/cgroup/memory.current"
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

# The home directory lives as long as the workspace, whatever happens to the container.
resource "docker_volume" "home" {
  name = "coder-${data.coder_workspace.me.id}-home"

  # A change of the template must never cost anybody their files.
  lifecycle {
    ignore_changes = all
  }

  labels {
    label = "coder.workspace_id"
    value = data.coder_workspace.me.id
  }
  labels {
    label = "coder.workspace_name_at_creation"
    value = data.coder_workspace.me.name
  }
}

resource "docker_container" "workspace" {
  count = data.coder_workspace.me.start_count

  name         = local.name
  hostname     = local.loopback ? null : lower(data.coder_workspace.me.name)
  image        = data.coder_parameter.image.value
  network_mode = local.loopback ? "host" : "bridge"
  # Signals reach the agent and its children, and shutdown scripts have a minute to end.
  init                  = true
  destroy_grace_seconds = 60

  entrypoint = ["sh", "-c", coder_agent.main.init_script]
  env        = ["CODER_AGENT_TOKEN=${coder_agent.main.token}"]

  volumes {
    volume_name    = docker_volume.home.name
    container_path = "/home/coder"
  }

  labels {
    label = "coder.workspace_id"
    value = data.coder_workspace.me.id
  }
  labels {
    label = "coder.owner"
    value = data.coder_workspace_owner.me.name
  }
}

resource "coder_metadata" "container" {
  count       = data.coder_workspace.me.start_count
  resource_id = docker_container.workspace[0].id

  item {
    key   = "image"
    value = data.coder_parameter.image.value
  }
}
