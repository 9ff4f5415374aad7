//! terraform-provider
