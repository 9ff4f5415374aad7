# A workspace is a Deployment of one pod with a volume for its home directory.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
    kubernetes = {
      source = "hashicorp/kubernetes"
    }
  }
}

variable "namespace" {
  description = "Namespace of the workspaces. It must exist."
  type        = string
  default     = "coder-workspaces"
}

variable "use_kubeconfig" {
  description = "Whether to use ~/.kube/config of the server's user. False: the server runs in the cluster and uses its service account."
  type        = bool
  default     = false
}

variable "image" {
  description = "Container image with a shell, curl or wget, and a user with id 1000."
  type        = string
  default     = "codercom/enterprise-base:ubuntu"
}

variable "storage_class" {
  description = "Storage class of the home volumes. Empty: the cluster's default."
  type        = string
  default     = ""
}

provider "kubernetes" {
  config_path = var.use_kubeconfig ? "~/.kube/config" : null
}

data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

data "coder_parameter" "cpu" {
  name         = "cpu"
  display_name = "CPU"
  description  = "Processor cores"
  type         = "number"
  default      = "2"
  mutable      = true
  icon         = "/icon/memory.svg"
  order        = 1

  option {
    name  = "2 cores"
    value = "2"
  }
  option {
    name  = "4 cores"
    value = "4"
  }
  option {
    name  = "8 cores"
    value = "8"
  }
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory"
  description  = "Memory in GiB"
  type         = "number"
  default      = "4"
  mutable      = true
  icon         = "/icon/memory.svg"
  order        = 2

  option {
    name  = "2 GiB"
    value = "2"
  }
  option {
    name  = "4 GiB"
    value = "4"
  }
  option {
    name  = "8 GiB"
    value = "8"
  }
  option {
    name  = "16 GiB"
    value = "16"
  }
}

data "coder_parameter" "disk" {
  name         = "disk"
  display_name = "Home directory"
  description  = "Size of the home directory in GiB. It cannot be changed later."
  type         = "number"
  default      = "10"
  mutable      = false
  icon         = "/icon/database.svg"
  order        = 3

  validation {
    min   = 1
    max   = 500
    error = "The home directory may have {min} to {max} GiB."
  }
}

locals {
  # Kubernetes allows 63 characters; the id is unique by itself.
  name = "coder-${data.coder_workspace.me.id}"
  labels = {
    "app.kubernetes.io/name"     = "coder-workspace"
    "app.kubernetes.io/instance" = local.name
    "app.kubernetes.io/part-of"  = "coder"
    "coder/workspace-id"         = data.coder_workspace.me.id
  }
  annotations = {
    "coder/workspace-name" = data.coder_workspace.me.name
    "coder/owner"          = data.coder_workspace_owner.me.name
  }
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"

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
    script       = "df -h \"$HOME\" | awk 'NR == 2 { print $3 \" of \" $2 }'"
    interval     = 60
    timeout      = 5
  }
}

# The home directory lives as long as the workspace.
resource "kubernetes_persistent_volume_claim_v1" "home" {
  metadata {
    name        = "${local.name}-home"
    namespace   = var.namespace
    labels      = local.labels
    annotations = local.annotations
  }
  # Many storage classes bind a volume only when a pod uses it.
  wait_until_bound = false

  spec {
    access_modes       = ["ReadWriteOnce"]
    storage_class_name = var.storage_class != "" ? var.storage_class : null
    resources {
      requests = {
        storage = "${data.coder_parameter.disk.value}Gi"
      }
    }
  }

  # A rename of the workspace, or a change of the template, must never cost anybody their files.
  lifecycle {
    ignore_changes = all
  }
}

resource "kubernetes_deployment_v1" "workspace" {
  count            = data.coder_workspace.me.start_count
  wait_for_rollout = false

  metadata {
    name        = local.name
    namespace   = var.namespace
    labels      = local.labels
    annotations = local.annotations
  }

  spec {
    replicas = 1
    selector {
      match_labels = {
        "app.kubernetes.io/instance" = local.name
      }
    }
    # The home volume can be used by one pod at a time.
    strategy {
      type = "Recreate"
    }

    template {
      metadata {
        labels      = local.labels
        annotations = local.annotations
      }
      spec {
        hostname                         = lower(data.coder_workspace.me.name)
        termination_grace_period_seconds = 60
        # Nothing in a workspace has business with the cluster's API.
        automount_service_account_token = false

        security_context {
          run_as_user     = 1000
          fs_group        = 1000
          run_as_non_root = true
        }

        container {
          name    = "workspace"
          image   = var.image
          command = ["sh", "-c", coder_agent.main.init_script]

          env {
            name  = "CODER_AGENT_TOKEN"
            value = coder_agent.main.token
          }

          resources {
            requests = {
              cpu    = "250m"
              memory = "512Mi"
            }
            limits = {
              cpu    = data.coder_parameter.cpu.value
              memory = "${data.coder_parameter.memory.value}Gi"
            }
          }

          volume_mount {
            name       = "home"
            mount_path = "/home/coder"
          }
        }

        volume {
          name = "home"
          persistent_volume_claim {
            claim_name = kubernetes_persistent_volume_claim_v1.home.metadata[0].name
          }
        }
      }
    }
  }
}
