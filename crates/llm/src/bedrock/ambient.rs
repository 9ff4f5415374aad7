//! Credentials of AWS that the place where a program runs gives it: in variables, by a token of its
//! cluster, from the agent of its container, or from the machine. Source: the AWS SDKs and tools
//! reference, "Standardized credential providers", whose order and names of variables these are.

use api_types::Secret;
use url::{Host, Url};

use super::metadata;
use super::sts::{self, AwsRole, AwsRoleKeys};
use crate::endpoint::{AwsKeys, Credential};
use crate::wire::http::Http;
use crate::{Error, ErrorKind};

/// Where agents of containers answer that are named by a path only.
const CONTAINER: &str = "http://169.254.170.2";
/// Where a machine of EC2 learns about itself.
const MACHINE: &str = "http://169.254.169.254/";
/// Longest token that is read from a file.
const MAX_TOKEN: u64 = 64 << 10;

/// A place that gives credentials.
#[derive(Debug, Clone)]
pub enum AwsSource {
    /// Given as they are.
    Fixed(Credential),
    /// A role, for a token that a cluster keeps fresh in a file (Kubernetes' service accounts).
    WebIdentity {
        /// The role.
        arn: String,
        /// Name of the session in AWS's logs.
        session: String,
        /// The file.
        token_file: String,
        /// The service's address, if it is not AWS's own.
        service: Option<Url>,
    },
    /// The agent of a container (ECS, pod identities of EKS).
    Container {
        /// Its address.
        url: Url,
        /// What it wants to be shown.
        token: Option<Secret<String>>,
        /// The file in which that stands, if it changes.
        token_file: Option<String>,
    },
    /// The machine (EC2), by the second version of its service, which no redirect or forwarding
    /// proxy of ours can be talked into.
    Machine {
        /// The service's address.
        service: Url,
    },
    /// A variable names a place in a way that cannot be used: whoever needs it is told so. A server
    /// may have it set for something else and never call AWS.
    Unusable(Error),
}

impl AwsSource {
    /// The places that variables name, in the order in which they are asked; the machine is the last.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Vec<Self> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut all = Vec::new();
        if let Some(token) = get("AWS_BEARER_TOKEN_BEDROCK") {
            all.push(Self::Fixed(Credential::Key(token.into())));
        }
        if let (Some(id), Some(key)) = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            all.push(Self::Fixed(Credential::Aws(AwsKeys {
                access_key: id.into(),
                secret_key: key.into(),
                session_token: get("AWS_SESSION_TOKEN").map(Secret::new),
            })));
        }
        if let (Some(arn), Some(token_file)) =
            (get("AWS_ROLE_ARN"), get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            all.push(
                role_service(get).map_or_else(Self::Unusable, |service| Self::WebIdentity {
                    arn,
                    session: get("AWS_ROLE_SESSION_NAME")
                        .unwrap_or_else(|| sts::SESSION.to_owned()),
                    token_file,
                    service,
                }),
            );
        }
        if let Some(url) = container(&get).transpose() {
            all.push(url.map_or_else(Self::Unusable, |url| Self::Container {
                url,
                token: get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new),
                token_file: get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            }));
        }
        let off = get("AWS_EC2_METADATA_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        if !off {
            let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
            let url = get(name).unwrap_or_else(|| MACHINE.to_owned());
            let service = address(name, &url);
            all.push(service.map_or_else(Self::Unusable, |service| Self::Machine { service }));
        }
        all
    }

    /// What the place gives, with its end if it has one; `None` if it gives nothing: the next may.
    ///
    /// # Errors
    /// `auth` when it refuses, `config` when what it names is not there or makes no sense, and what
    /// keeps it from being reached.
    pub async fn keys(
        &self,
        http: &Http,
        region: &str,
    ) -> Result<Option<(Credential, Option<chrono::DateTime<chrono::Utc>>)>, Error> {
        let ending = |keys: AwsRoleKeys| Some((Credential::Aws(keys.keys), Some(keys.until)));
        match self {
            Self::Fixed(credential) => Ok(Some((credential.clone(), None))),
            Self::WebIdentity {
                arn,
                session,
                token_file,
                service,
            } => {
                let role = AwsRole {
                    arn: arn.clone(),
                    external_id: String::new(),
                    region: region.to_owned(),
                    service: service.clone(),
                };
                let token = read(token_file).await?;
                let keys = sts::assume_by_token(http, &role, session, &token).await?;
                Ok(ending(keys))
            }
            Self::Container {
                url,
                token,
                token_file,
            } => {
                let token = match token_file {
                    Some(file) => Some(read(file).await?),
                    None => token.clone(),
                };
                metadata::of_container(url, token.as_ref())
                    .await
                    .map(ending)
            }
            Self::Unusable(error) => Err(error.clone()),
            Self::Machine { service } => Ok(metadata::of_machine(service).await?.and_then(ending)),
        }
    }
}

fn container(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Url>, Error> {
    if let Some(path) = get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        let name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        if !path.starts_with('/') {
            return Err(wrong(name, "it is no path"));
        }
        return Ok(Some(address(name, &format!("{CONTAINER}{path}"))?));
    }
    let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let Some(text) = get(name) else {
        return Ok(None);
    };
    let url = address(name, &text)?;
    // A token in the open is for this machine and its agents only.
    let near = match url.host() {
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || [[169, 254, 170, 2], [169, 254, 170, 23]].contains(&ip.octets())
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]
        }
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !near {
        return Err(wrong(
            name,
            "without TLS only an agent of this machine may be asked",
        ));
    }
    Ok(Some(url))
}

/// Where roles are asked for, if the variable that all programs which speak to AWS know names another
/// place than AWS's own service.
///
/// # Errors
/// `config` when it names none.
pub fn role_service(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Url>, Error> {
    let name = "AWS_ENDPOINT_URL_STS";
    let named = variable(name).filter(|value| !value.is_empty());
    named.map(|url| address(name, &url)).transpose()
}

fn address(name: &str, text: &str) -> Result<Url, Error> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| wrong(name, "it is no address of HTTP"))
}

fn wrong(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "{name} in the server's environment cannot be used: {why}. Correct or remove it, and \
             restart the server."
        ),
    )
    .provider("bedrock")
}

async fn read(file: &str) -> Result<Secret<String>, Error> {
    use tokio::io::AsyncReadExt as _;
    let text = async {
        let file = tokio::fs::File::open(file).await?;
        let mut text = String::new();
        file.take(MAX_TOKEN).read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    match text.await {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim().to_owned())),
        other => {
            let why = other.map_or_else(|e| e.to_string(), |_| "it is empty".to_owned());
            Err(Error::new(
                ErrorKind::Config,
                "The file with the server's token for AWS cannot be read. An administrator can check \
                 what the cluster mounts there.",
            )
            .detail(&format!("{file}: {why}"))
            .provider("bedrock"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Vec<AwsSource> {
        AwsSource::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn places_are_asked_in_a_stated_order() {
        let all = of(&[
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "sssh-it-is-secret"),
            ("AWS_BEARER_TOKEN_BEDROCK", "sssh-a-token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            (
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "/v2/credentials/1",
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "sssh-shown-to-the-agent",
            ),
        ]);
        assert!(matches!(
            &all[..],
            [
                AwsSource::Fixed(Credential::Key(_)),
                AwsSource::Fixed(Credential::Aws(_)),
                AwsSource::WebIdentity { .. },
                AwsSource::Container { url, .. },
                AwsSource::Machine { service },
            ] if url.as_str() == "http://169.254.170.2/v2/credentials/1"
                && service.as_str() == "http://169.254.169.254/"
        ));
        assert!(!format!("{all:?}").contains("sssh"), "{all:?}");
        // Half of a pair is nothing; an empty variable is none.
        let all = of(&[
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_ROLE_ARN", "arn"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
            ("AWS_EC2_METADATA_DISABLED", "TRUE"),
        ]);
        assert!(all.is_empty());
    }

    #[test]
    fn tokens_are_not_shown_to_strangers() {
        let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        for (url, fine) in [
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://127.0.0.1:8080/", true),
            ("http://LOCALHOST:8080/v1", true),
            ("http://localhost.example.com/", false),
            ("https://agent.example.com/", true),
            ("http://agent.example.com/", false),
            ("http://169.254.169.254/", false),
            ("ftp://127.0.0.1/", false),
            ("credentials", false),
        ] {
            match &of(&[(full, url)])[..] {
                [AwsSource::Container { .. }, AwsSource::Machine { .. }] => assert!(fine, "{url}"),
                [AwsSource::Unusable(error), AwsSource::Machine { .. }] => {
                    assert!(!fine && error.message.contains(full), "{url}: {error}");
                }
                other => panic!("{url}: {other:?}"),
            }
        }
        let evil = of(&[(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "@evil.example.com/",
        )]);
        assert!(matches!(evil[0], AwsSource::Unusable(_)), "{evil:?}");
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_told_to_who_needs_it() {
        let http = Http::new("test").unwrap();
        for name in [
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ] {
            let error = of(&[(name, "no address")])[0]
                .keys(&http, "eu-west-1")
                .await;
            let error = error.err().unwrap();
            assert_eq!(error.kind, ErrorKind::Config);
            assert!(error.message.contains(name), "{error}");
        }
    }
}
