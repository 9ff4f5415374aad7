//! Who is asked for access to a server: the server names its authorization server (RFC 9728), and
//! that tells its addresses (RFC 8414, or as OpenID Connect has it).

use ::http::header::ACCEPT;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::json;
use crate::guard::Web;
use crate::{Error, protocol};

/// Addresses of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where people say yes.
    pub authorization: Url,
    /// Where tokens are.
    pub token: Url,
    /// Where programs become known.
    pub registration: Option<Url>,
    /// Where tokens are taken back.
    pub revocation: Option<Url>,
    /// What may be asked for, with spaces between.
    pub scopes: String,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    authorization_servers: Vec<Url>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Server {
    authorization_endpoint: Url,
    token_endpoint: Url,
    registration_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// Asks the server at `url`, and whom it names.
///
/// # Errors
/// What the last address that was tried answered.
pub async fn discover(web: &Web, url: &Url) -> Result<Found, Error> {
    let resource: Resource = first(web, &well_known(url, "oauth-protected-resource")?).await?;
    let issuer = resource.authorization_servers.first().ok_or_else(|| {
        Error::Protocol("its protected resource metadata name no authorization server".into())
    })?;
    let mut places = well_known(issuer, "oauth-authorization-server")?;
    let mut openid = issuer.clone();
    let path = issuer.path().trim_end_matches('/');
    openid.set_path(&format!("{path}/.well-known/openid-configuration"));
    places.push(openid);
    let server: Server = first(web, &places).await?;
    for url in [&server.authorization_endpoint, &server.token_endpoint] {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Protocol(format!(
                "its authorization server has an address of the kind {}:",
                url.scheme()
            )));
        }
    }
    // What this server needs is asked for before all that the authorization server knows.
    let scopes = if resource.scopes_supported.is_empty() {
        server.scopes_supported
    } else {
        resource.scopes_supported
    };
    Ok(Found {
        authorization: server.authorization_endpoint,
        token: server.token_endpoint,
        registration: server.registration_endpoint,
        revocation: server.revocation_endpoint,
        scopes: scopes.join(" "),
    })
}

/// Where a document is: before the path, and without it.
fn well_known(url: &Url, name: &str) -> Result<Vec<Url>, Error> {
    let mut root = url.clone();
    root.set_query(None);
    root.set_fragment(None);
    if root.set_username("").is_err() || root.set_password(None).is_err() {
        return Err(Error::Protocol("an address without a host".into()));
    }
    let path = url.path().trim_end_matches('/');
    root.set_path(&format!("/.well-known/{name}"));
    if path.is_empty() {
        return Ok(vec![root]);
    }
    let mut with = root.clone();
    with.set_path(&format!("/.well-known/{name}{path}"));
    Ok(vec![with, root])
}

async fn first<T: DeserializeOwned>(web: &Web, places: &[Url]) -> Result<T, Error> {
    let mut last = Error::Protocol("it has no address".into());
    for place in places {
        match fetch(web, place).await {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn fetch<T: DeserializeOwned>(web: &Web, place: &Url) -> Result<T, Error> {
    let request = web.get(place)?.header(ACCEPT, "application/json");
    let request = request.header("mcp-protocol-version", protocol::VERSION);
    let answer = request.send().await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(Error::Refused(format!(
            "{} answered {status}",
            place.path()
        )));
    }
    json(answer).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_looked_for_before_the_path() {
        let places = |text: &str| -> Vec<String> {
            let found = well_known(&text.parse().unwrap(), "x").unwrap();
            found.iter().map(Url::to_string).collect()
        };
        assert_eq!(
            places("https://u:p@a.example/mcp/?key=1"),
            [
                "https://a.example/.well-known/x/mcp",
                "https://a.example/.well-known/x"
            ]
        );
        assert_eq!(
            places("https://a.example"),
            ["https://a.example/.well-known/x"]
        );
    }
}
