//! Temporary keys of a role, from AWS's Security Token Service. Source: the API reference of STS,
//! `AssumeRole` and `AssumeRoleWithWebIdentity`.

use api_types::Secret;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::sigv4;
use crate::endpoint::AwsKeys;
use crate::wire::Outgoing;
use crate::wire::http::Http;
use crate::{Error, ErrorKind};

/// Version of the interface.
const VERSION: &str = "2011-06-15";
/// Names the session in AWS's own logs.
pub(super) const SESSION: &str = "coder-aigateway";
/// Service in signatures.
const SERVICE: &str = "sts";
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// A role to take on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AwsRole {
    /// Its name (ARN).
    pub arn: String,
    /// What its owner demands to be told; may be empty.
    pub external_id: String,
    /// Where it is asked for.
    pub region: String,
    /// The address of the service, if it is not AWS's own of that region.
    pub service: Option<Url>,
}

/// Keys of a role, for a time.
#[derive(Debug, Clone)]
pub struct AwsRoleKeys {
    /// The keys.
    pub keys: AwsKeys,
    /// When they end.
    pub until: DateTime<Utc>,
}

/// Takes on a role with the keys of someone who may.
///
/// # Errors
/// `config` for a region that is none, `auth` when AWS does not allow it, and what keeps AWS from
/// being reached.
pub async fn assume_role(http: &Http, own: &AwsKeys, role: &AwsRole) -> Result<AwsRoleKeys, Error> {
    let outgoing = request(own, role, Utc::now())?;
    let secrets: Vec<Secret<String>> = [Some(&own.secret_key), own.session_token.as_ref()]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    taken(http, outgoing, &secrets).await
}

/// Takes on a role with a token by which a cluster vouches for this program.
///
/// # Errors
/// As those of [`assume_role`].
pub(super) async fn assume_by_token(
    http: &Http,
    role: &AwsRole,
    session: &str,
    token: &Secret<String>,
) -> Result<AwsRoleKeys, Error> {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", session),
        ("Version", VERSION),
        ("WebIdentityToken", token.expose()),
    ];
    let outgoing = outgoing(role, &fields)?;
    taken(http, outgoing, std::slice::from_ref(token)).await
}

async fn taken(
    http: &Http,
    outgoing: Outgoing,
    secrets: &[Secret<String>],
) -> Result<AwsRoleKeys, Error> {
    let answer = http
        .send_raw(outgoing, "bedrock", secrets, MAX_ANSWER)
        .await?;
    let text = String::from_utf8_lossy(&answer.body);
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer.status, &text, secrets));
    }
    parse(&text).ok_or_else(|| {
        Error::new(
            ErrorKind::Timeout,
            "AWS sent keys of the role in a form that cannot be read.",
        )
        .provider("bedrock")
    })
}

/// What a refusal means. The code says more than the status: 400 may ask for patience too.
fn refused(status: u16, text: &str, secrets: &[Secret<String>]) -> Error {
    let code = tag(text, "Code").unwrap_or_default();
    let message = tag(text, "Message").unwrap_or_default();
    let kind = match (code, status) {
        ("RequestLimitExceeded" | "TooManyRequestsException", _) | (_, 429) => ErrorKind::RateLimit,
        (code, _) if code.starts_with("Throttl") => ErrorKind::RateLimit,
        // The cluster that vouches for the token did not answer AWS.
        ("IDPCommunicationError", _) => ErrorKind::Overloaded,
        (_, 400 | 401 | 403) => ErrorKind::Auth,
        _ => ErrorKind::Overloaded,
    };
    let said = if kind == ErrorKind::Auth {
        "AWS did not let the server take on the role of this provider. An administrator can check \
         the role, its trust policy and external id."
    } else {
        "AWS cannot give keys of the role of this provider at the moment. Try again in a while."
    };
    Error::new(kind, said)
        .detail(&crate::wire::redact::redact(
            &format!("{code}: {message}"),
            secrets,
        ))
        .status(status)
        .provider("bedrock")
}

fn request(own: &AwsKeys, role: &AwsRole, now: DateTime<Utc>) -> Result<Outgoing, Error> {
    let mut fields = vec![
        ("Action", "AssumeRole"),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", SESSION),
        ("Version", VERSION),
    ];
    if !role.external_id.is_empty() {
        fields.insert(1, ("ExternalId", &role.external_id));
    }
    let mut outgoing = outgoing(role, &fields)?;
    sigv4::sign(&mut outgoing, own, &role.region, SERVICE, now)?;
    Ok(outgoing)
}

/// A form for the service of the role's region, not yet signed.
fn outgoing(role: &AwsRole, fields: &[(&str, &str)]) -> Result<Outgoing, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if role.region.is_empty() || !role.region.chars().all(plain) {
        return Err(Error::new(
            ErrorKind::Config,
            "This provider needs an AWS region. An administrator can set it in the provider's settings.",
        )
        .provider("bedrock"));
    }
    let url = match &role.service {
        Some(url) => url.clone(),
        None => {
            Url::parse(&format!("https://sts.{}.amazonaws.com/", role.region)).map_err(|e| {
                Error::new(ErrorKind::Config, "The AWS region is not valid.").detail(&e.to_string())
            })?
        }
    };
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
    );
    Ok(Outgoing {
        url,
        headers,
        body: body.into_bytes(),
    })
}

fn parse(text: &str) -> Option<AwsRoleKeys> {
    let keys = tag(text, "Credentials")?;
    let secret = |name| Some(Secret::new(tag(keys, name)?.to_owned()));
    Some(AwsRoleKeys {
        keys: AwsKeys {
            access_key: secret("AccessKeyId")?,
            secret_key: secret("SecretAccessKey")?,
            session_token: Some(secret("SessionToken")?),
        },
        until: tag(keys, "Expiration")?.parse().ok()?,
    })
}

/// What stands between a tag and its end. Nothing that is looked for here holds entities or
/// attributes: identifiers, base64 and times.
fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> AwsKeys {
        AwsKeys {
            access_key: Secret::new("AKIDEXAMPLE".to_owned()),
            secret_key: Secret::new("secret-of-the-server".to_owned()),
            session_token: None,
        }
    }

    #[test]
    fn the_role_is_asked_for_and_signed() {
        let role = AwsRole {
            arn: "arn:aws:iam::123456789012:role/llm use".to_owned(),
            external_id: "ex&1".to_owned(),
            region: "eu-west-1".to_owned(),
            service: None,
        };
        let sent = request(&own(), &role, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(sent.url.as_str(), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(
            String::from_utf8(sent.body).unwrap(),
            "Action=AssumeRole&ExternalId=ex%261&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fllm+use&RoleSessionName=coder-aigateway&Version=2011-06-15"
        );
        let signed = sent.headers["authorization"].to_str().unwrap();
        assert!(
            signed.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/19700101/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="
            ),
            "{signed}"
        );
    }

    #[test]
    fn a_region_is_no_address() {
        for region in ["", "evil.example.com/", "a b"] {
            let role = AwsRole {
                region: region.to_owned(),
                ..AwsRole::default()
            };
            let refused = request(&own(), &role, Utc::now());
            assert_eq!(refused.err().unwrap().kind, ErrorKind::Config, "{region}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_wish_for_patience() {
        for (status, code, kind, retryable) in [
            (400, "Throttling", ErrorKind::RateLimit, true),
            (400, "ThrottlingException", ErrorKind::RateLimit, true),
            (503, "RequestLimitExceeded", ErrorKind::RateLimit, true),
            (400, "IDPCommunicationError", ErrorKind::Overloaded, true),
            (429, "", ErrorKind::RateLimit, true),
            (500, "InternalFailure", ErrorKind::Overloaded, true),
            (403, "AccessDenied", ErrorKind::Auth, false),
            (400, "ExpiredTokenException", ErrorKind::Auth, false),
        ] {
            let text = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
            let error = refused(status, &text, &[]);
            assert_eq!((error.kind, error.retryable), (kind, retryable), "{code}");
            assert_eq!(error.message.contains("trust policy"), !retryable, "{code}");
        }
    }

    #[test]
    fn keys_are_read_and_damage_is_told() {
        let text = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\n<AccessKeyId>ASIA1</AccessKeyId>\
                    <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                    <Expiration>2026-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let read = parse(text).unwrap();
        assert_eq!(read.keys.access_key.expose(), "ASIA1");
        assert_eq!(read.until.to_rfc3339(), "2026-01-02T03:04:05+00:00");
        for at in 0..text.len() - "</Credentials></AssumeRoleResult></AssumeRoleResponse>".len() {
            assert!(parse(&text[..at]).is_none());
        }
    }
}
