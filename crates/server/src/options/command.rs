//! The flags of `coder server`, made from the table.

use clap::{Arg, ArgAction, builder::NonEmptyStringValueParser};

use super::{Kind, Support, table};

/// One clap argument for each option. The value's form is checked when the
/// options are resolved, so that flags, environment and file give the same errors.
pub fn arguments() -> Vec<Arg> {
    table()
        .iter()
        .map(|spec| {
            let mut help = spec.help.to_owned();
            if let Support::Only(_) = spec.support {
                help.push_str(" Not available in this version.");
            }
            let env = spec.env();
            if !env.is_empty() {
                help.push_str(&format!(" [env: {env}]"));
            }
            if !spec.default.is_empty() {
                help.push_str(&format!(" [default: {}]", spec.default));
            }
            let hidden = spec.hidden || matches!(spec.support, Support::Only(_));
            let mut arg = Arg::new(spec.flag)
                .long(spec.flag)
                .help(help)
                .hide(hidden)
                .help_heading(heading(spec.section));
            if let Some(short) = spec.short {
                arg = arg.short(short);
            }
            if let Some(alias) = spec.alias {
                arg = arg.alias(alias);
            }
            match spec.kind {
                Kind::Bool => arg
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
                    .value_name("BOOL")
                    .value_parser(NonEmptyStringValueParser::new()),
                Kind::List => arg.action(ArgAction::Append).value_name("LIST"),
                kind => arg
                    .action(ArgAction::Set)
                    .value_name(kind.name().to_uppercase()),
            }
        })
        .collect()
}

/// The heading that a section has in `--help`.
pub(super) fn heading(section: &'static str) -> &'static str {
    match section {
        "" => "General",
        "networking" | "networking.http" | "networking.cluster" => "Networking",
        "networking.tls" => "TLS",
        "networking.derp" => "Relay",
        "dangerous" => "Dangerous",
        "client" => "Clients",
        s if s.starts_with("introspection") => "Introspection",
        "telemetry" => "Telemetry",
        "oauth2.github" | "oidc" => "Sign-in",
        "provisioning" => "Provisioning",
        "userQuietHoursSchedule" => "Schedules",
        "email" | "email.emailAuth" | "email.emailTLS" => "E-mail",
        s if s.starts_with("notifications") => "Notifications",
        "workspace_prebuilds" => "Prebuilds",
        "chat" | "ai_gateway" | "ai_gateway_proxy" => "AI",
        "retention" => "Retention",
        "templateBuilder" => "Templates",
        _ => "Other",
    }
}
