//! What one row of the table of options says.

/// Form of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; the bare flag means `true`.
    Bool,
    /// Any text.
    Text,
    /// Several texts: separated by commas, or the flag repeated.
    List,
    /// A time such as `90s`, `1h30m` or `7d`.
    Duration,
    /// A whole number.
    Int,
    /// An absolute `http` or `https` URL.
    Url,
    /// `host:port`; empty switches the listener off.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// JSON text.
    Json,
}

impl Kind {
    /// How help and docs name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Text => "string",
            Kind::List => "strings",
            Kind::Duration => "duration",
            Kind::Int => "int",
            Kind::Url => "url",
            Kind::Address => "host:port",
            Kind::Choice(_) => "choice",
            Kind::Json => "json",
        }
    }
}

/// Which values this version honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// All of them.
    Full,
    /// Only these, beside the default: what the option would switch on is not there.
    Only(&'static [&'static str]),
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The long flag, without dashes; also the option's name in code.
    pub flag: &'static str,
    /// The one-letter flag.
    pub short: Option<char>,
    /// The environment variable; empty if there is none.
    env: Option<&'static str>,
    /// Key within `section`; empty if YAML cannot set it.
    key: Option<&'static str>,
    /// YAML path of the section, dots between; empty at the top.
    pub section: &'static str,
    /// Form of the value.
    pub kind: Kind,
    /// Value when nobody sets it.
    pub default: &'static str,
    /// One or two sentences for help and docs.
    pub help: &'static str,
    /// Not shown by `--help`.
    pub hidden: bool,
    /// The value must not be shown.
    pub secret: bool,
    /// What of it is honoured.
    pub support: Support,
    /// An older name of the flag.
    pub alias: Option<&'static str>,
}

impl Spec {
    /// A row with the usual names and full support.
    pub const fn new(
        section: &'static str,
        flag: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Spec {
            flag,
            short: None,
            env: None,
            key: None,
            section,
            kind,
            default,
            help,
            hidden: false,
            secret: false,
            support: Support::Full,
            alias: None,
        }
    }

    /// Another environment variable than the flag's name gives; empty for none.
    #[must_use]
    pub const fn env_name(mut self, env: &'static str) -> Self {
        self.env = Some(env);
        self
    }

    /// Another YAML key than the flag's name gives; empty for none.
    #[must_use]
    pub const fn yaml_key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// A one-letter flag.
    #[must_use]
    pub const fn short_flag(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// An older name.
    #[must_use]
    pub const fn also(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Keeps it out of `--help`.
    #[must_use]
    pub const fn hide(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Marks the value as secret and keeps it out of YAML.
    #[must_use]
    pub const fn secret_value(mut self) -> Self {
        self.secret = true;
        self.key = Some("");
        self
    }

    /// Only the default and these values are honoured yet.
    #[must_use]
    pub const fn only(mut self, values: &'static [&'static str]) -> Self {
        self.support = Support::Only(values);
        self
    }

    /// The environment variable; empty if there is none.
    pub fn env(&self) -> String {
        match self.env {
            Some(env) => env.to_owned(),
            None => format!("CODER_{}", self.flag.replace('-', "_").to_uppercase()),
        }
    }

    /// The path in the YAML file, section first; `None` if YAML cannot set it.
    pub fn yaml_path(&self) -> Option<Vec<String>> {
        let key = match self.key {
            Some("") => return None,
            Some(key) => key.to_owned(),
            None => camel(self.flag, self.section),
        };
        let mut path: Vec<String> = self
            .section
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        path.push(key);
        Some(path)
    }
}

/// `httpAddress` of `http-address`; abbreviations keep their capitals, and the
/// part of the flag that only repeats the section is left out.
fn camel(flag: &str, section: &str) -> String {
    let stripped = flag
        .strip_prefix(prefix(section))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(flag);
    if section.contains('_') {
        return stripped.replace('-', "_");
    }
    let mut out = String::new();
    for (index, word) in stripped.split('-').enumerate() {
        let upper = matches!(word, "url" | "id" | "ca" | "tls" | "csp" | "ai");
        if index == 0 {
            out.push_str(word);
        } else if upper {
            out.push_str(&word.to_uppercase());
        } else {
            let mut letters = word.chars();
            out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
            out.push_str(letters.as_str());
        }
    }
    out
}

/// What the flags of a section have in front that its YAML keys leave out.
fn prefix(section: &str) -> &'static str {
    match section {
        "networking.tls" => "tls-",
        "networking.derp" => "derp-",
        "introspection.logging" => "log-",
        "introspection.prometheus" => "prometheus-",
        "introspection.pprof" => "pprof-",
        "introspection.tracing" => "trace-",
        "introspection.healthcheck" => "health-check-",
        "telemetry" => "telemetry-",
        "oauth2.github" => "oauth2-github-",
        "oidc" => "oidc-",
        "provisioning" => "provisioner-",
        "email" => "email-",
        "email.emailAuth" => "email-auth-",
        "email.emailTLS" => "email-tls-",
        "notifications" => "notifications-",
        "notifications.webhook" => "notifications-webhook-",
        "notifications.inbox" => "notifications-inbox-",
        "workspace_prebuilds" => "workspace-prebuilds-",
        "chat" => "chat-",
        "ai_gateway" => "ai-gateway-",
        "ai_gateway_proxy" => "ai-gateway-proxy-",
        "templateBuilder" => "template-builder-",
        _ => "\0",
    }
}
