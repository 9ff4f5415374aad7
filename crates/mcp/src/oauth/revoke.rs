//! Taking a token back at its authorization server (RFC 7009).

use api_types::Secret;
use serde::Deserialize;
use url::{Host, Url};

use super::{Client, json, token::encoded};
use crate::Error;
use crate::guard::Web;

/// Refuses an address that tokens must not be sent to: they travel over TLS, but within a machine.
///
/// # Errors
/// In words.
pub fn check_revocation(url: &Url) -> Result<(), String> {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err("the address has no host".to_owned()),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_local => Ok(()),
        _ => Err("the address must use https (of this machine itself, http will do)".to_owned()),
    }
}

/// Takes the tokens back: the one that gets others if there is one, for with it goes the rest.
///
/// # Errors
/// What the server answered, by its status alone: its words may repeat secrets.
pub async fn revoke(
    web: &Web,
    endpoint: &Url,
    client: &Client,
    access: &Secret<String>,
    refresh: &Secret<String>,
) -> Result<(), Error> {
    check_revocation(endpoint).map_err(Error::Refused)?;
    if refresh.expose().is_empty() {
        return ask(web, endpoint, client, access, "access_token")
            .await
            .map_err(|(_, error)| error);
    }
    match ask(web, endpoint, client, refresh, "refresh_token").await {
        Ok(()) => Ok(()),
        // Any other success would hide that the stronger token lives on.
        Err((code, _)) if code == "unsupported_token_type" && !access.expose().is_empty() => {
            let other = ask(web, endpoint, client, access, "access_token").await;
            other.map_err(|(_, error)| error)
        }
        Err((_, error)) => Err(error),
    }
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
}

async fn ask(
    web: &Web,
    endpoint: &Url,
    client: &Client,
    token: &Secret<String>,
    hint: &str,
) -> Result<(), (String, Error)> {
    let failed = |error: Error| (String::new(), error);
    let mut form = vec![
        ("token", token.expose().as_str()),
        ("token_type_hint", hint),
    ];
    let mut request = web.post(endpoint).map_err(failed)?;
    let secret = client.secret.expose();
    if secret.is_empty() {
        form.push(("client_id", &client.id));
    } else {
        request = request.basic_auth(encoded(&client.id), Some(encoded(secret)));
    }
    let answer = request.form(&form).send().await;
    let answer = answer.map_err(|error| failed(error.into()))?;
    let status = answer.status();
    if matches!(status.as_u16(), 200 | 204) {
        return Ok(());
    }
    let code = json::<Refusal>(answer).await.map(|refusal| refusal.error);
    let error = Error::Refused(format!("the revocation endpoint answered {status}"));
    Err((code.unwrap_or_default(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_travel_in_the_open() {
        let check = |text: &str| check_revocation(&text.parse().unwrap());
        assert!(check("https://a.example/revoke").is_ok());
        assert!(check("http://localhost:1/r").is_ok() && check("http://127.0.0.1/r").is_ok());
        for bad in ["http://a.example/r", "ftp://a.example/", "data:x"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
