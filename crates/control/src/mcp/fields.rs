//! What is asked for of a server, checked and put over what it is.

use std::collections::BTreeMap;

use api_types::{McpServerConfigRequest, Secret};
use http::{HeaderName, HeaderValue};
use store::mcp_servers::McpServerFields;
use url::Url;

use super::secrets::Secrets;
use crate::{Error, Result};

/// Bytes of a name, a slug, an address and other texts.
const MAX_NAME: usize = 128;
pub(crate) const MAX_SLUG: usize = 64;
pub(crate) const MAX_URL: usize = 2048;
const MAX_TEXT: usize = 4096;
/// Names of tools in a list: more than a server has tools.
const MAX_LIST: usize = 512;
/// Headers of a server.
const MAX_HEADERS: usize = 32;
/// Bytes of a secret: tokens of some kilobytes.
const MAX_SECRET: usize = 10_240;
/// What requests say of themselves, whatever a server wants.
const OUR_HEADERS: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Puts a request over a server, which is the empty one for a new server.
pub(super) fn merged(
    old: (&McpServerFields, &Secrets),
    request: &McpServerConfigRequest,
) -> Result<(McpServerFields, Secrets)> {
    let (mut fields, mut secrets) = (old.0.clone(), old.1.clone());
    let kind_before = fields.auth_type.clone();
    for (field, given, most) in [
        (&mut fields.display_name, &request.display_name, MAX_NAME),
        (&mut fields.slug, &request.slug, MAX_SLUG),
        (&mut fields.description, &request.description, MAX_TEXT),
        (&mut fields.icon_url, &request.icon_url, MAX_URL),
        (&mut fields.transport, &request.transport, MAX_NAME),
        (&mut fields.url, &request.url, MAX_URL),
        (&mut fields.auth_type, &request.auth_type, MAX_NAME),
        (
            &mut fields.oauth2_client_id,
            &request.oauth2_client_id,
            MAX_TEXT,
        ),
        (
            &mut fields.oauth2_auth_url,
            &request.oauth2_auth_url,
            MAX_URL,
        ),
        (
            &mut fields.oauth2_token_url,
            &request.oauth2_token_url,
            MAX_URL,
        ),
        (
            &mut fields.oauth2_revocation_url,
            &request.oauth2_revocation_url,
            MAX_URL,
        ),
        (&mut fields.oauth2_scopes, &request.oauth2_scopes, MAX_TEXT),
        (
            &mut fields.api_key_header,
            &request.api_key_header,
            MAX_NAME,
        ),
        (&mut fields.availability, &request.availability, MAX_NAME),
    ] {
        let Some(given) = given else { continue };
        let given = given.trim();
        if given.len() > most || given.contains('\0') {
            return Err(Error::invalid("Validation failed.")
                .with_detail(format!("A value is longer than {most} bytes.")));
        }
        given.clone_into(field);
    }
    for (field, given) in [
        (&mut fields.enabled, request.enabled),
        (&mut fields.model_intent, request.model_intent),
        (&mut fields.allow_in_plan_mode, request.allow_in_plan_mode),
        (
            &mut fields.forward_coder_headers,
            request.forward_coder_headers,
        ),
    ] {
        *field = given.unwrap_or(*field);
    }
    for (field, given) in [
        (&mut fields.tool_allow_list, &request.tool_allow_list),
        (&mut fields.tool_deny_list, &request.tool_deny_list),
    ] {
        if let Some(given) = given {
            *field = names(given)?;
        }
    }
    for (field, given) in [
        (
            &mut secrets.oauth2_client_secret,
            &request.oauth2_client_secret,
        ),
        (&mut secrets.api_key_value, &request.api_key_value),
    ] {
        if let Some(given) = given {
            let given = given.expose().trim();
            if given.len() > MAX_SECRET {
                return Err(too_long());
            }
            *field = given.to_owned().into();
        }
    }
    if let Some(given) = &request.custom_headers {
        secrets.custom_headers = headers(given)?;
    }
    if fields.auth_type != kind_before {
        forget_others(&mut fields, &mut secrets);
    }
    check(&fields, &secrets)?;
    Ok((fields, secrets))
}

fn too_long() -> Error {
    Error::invalid("Validation failed.")
        .with_detail(format!("A secret is longer than {MAX_SECRET} bytes."))
}

pub(crate) fn names(given: &[String]) -> Result<Vec<String>> {
    if given.len() > MAX_LIST {
        return Err(Error::invalid("Validation failed.")
            .with_detail(format!("A list of tools has more than {MAX_LIST} names.")));
    }
    let names = given.iter().map(|name| name.trim());
    let names = names.filter(|name| !name.is_empty() && name.len() <= MAX_TEXT);
    Ok(names.map(str::to_owned).collect())
}

pub(crate) fn headers(
    given: &BTreeMap<String, Secret<String>>,
) -> Result<BTreeMap<String, Secret<String>>> {
    let bad = |detail: String| Error::invalid("Invalid custom headers.").with_detail(detail);
    if given.len() > MAX_HEADERS {
        return Err(bad(format!("There are more than {MAX_HEADERS} of them.")));
    }
    for (name, value) in given {
        if let Some(fault) = header_fault(name, value.expose()) {
            return Err(bad(fault));
        }
    }
    Ok(given.clone())
}

/// Why a header cannot be sent.
fn header_fault(name: &str, value: &str) -> Option<String> {
    let shown: String = name.chars().take(64).collect();
    if HeaderName::try_from(name).is_err() {
        return Some(format!("{shown:?} is no name of a header."));
    }
    if OUR_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Some(format!("{shown} is set by the protocol itself."));
    }
    if value.len() > MAX_SECRET || HeaderValue::try_from(value).is_err() {
        return Some(format!("The value of {shown} cannot stand in a header."));
    }
    None
}

/// What belongs to another way of signing in must not linger.
fn forget_others(fields: &mut McpServerFields, secrets: &mut Secrets) {
    if fields.auth_type != "oauth2" {
        for field in [
            &mut fields.oauth2_client_id,
            &mut fields.oauth2_auth_url,
            &mut fields.oauth2_token_url,
            &mut fields.oauth2_revocation_url,
            &mut fields.oauth2_scopes,
        ] {
            field.clear();
        }
        secrets.oauth2_client_secret = Secret::default();
    }
    if fields.auth_type != "api_key" {
        fields.api_key_header.clear();
        secrets.api_key_value = Secret::default();
    }
    if fields.auth_type != "custom_headers" {
        secrets.custom_headers.clear();
    }
}

fn check(fields: &McpServerFields, secrets: &Secrets) -> Result<()> {
    for (name, value) in [
        ("display_name", &fields.display_name),
        ("slug", &fields.slug),
        ("url", &fields.url),
    ] {
        if value.is_empty() {
            return Err(Error::field(name, "must not be empty"));
        }
    }
    for (name, value, all) in [
        (
            "transport",
            &fields.transport,
            &["streamable_http", "sse"][..],
        ),
        (
            "auth_type",
            &fields.auth_type,
            &["none", "oauth2", "api_key", "custom_headers", "user_oidc"],
        ),
        (
            "availability",
            &fields.availability,
            &["force_on", "default_on", "default_off"],
        ),
    ] {
        if !all.contains(&value.as_str()) {
            let detail = format!("must be one of {}", all.join(", "));
            return Err(Error::field(name, detail));
        }
    }
    for (name, value) in [
        ("url", &fields.url),
        ("oauth2_auth_url", &fields.oauth2_auth_url),
        ("oauth2_token_url", &fields.oauth2_token_url),
        ("oauth2_revocation_url", &fields.oauth2_revocation_url),
    ] {
        if !value.is_empty() && web_address(value).is_none() {
            return Err(Error::field(name, "must be an http or https address"));
        }
    }
    if let Some(url) = web_address(&fields.oauth2_revocation_url) {
        ::mcp::oauth::check_revocation(&url)
            .map_err(|fault| Error::invalid("Invalid OAuth2 revocation URL.").with_detail(fault))?;
    }
    match fields.auth_type.as_str() {
        "api_key" => {
            let value = secrets.api_key_value.expose();
            if fields.api_key_header.is_empty() || value.is_empty() {
                return Err(Error::invalid(
                    "API key auth type requires api_key_header and api_key_value.",
                ));
            }
            match header_fault(&fields.api_key_header, value) {
                Some(fault) => Err(Error::invalid("Invalid API key.").with_detail(fault)),
                None => Ok(()),
            }
        }
        "custom_headers" if secrets.custom_headers.is_empty() => Err(Error::invalid(
            "Custom headers auth type requires at least one custom header.",
        )),
        _ => Ok(()),
    }
}

/// An address of a web server.
pub(crate) fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}
