//! A server that is reached by HTTP, by either transport.

use ::http::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::http::Http;
use crate::sse::Sse;
use crate::{Channel, Error};

/// How a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Each message is a request.
    #[default]
    StreamableHttp,
    /// One stream brings all answers.
    Sse,
}

impl Transport {
    /// By its name in the API.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "streamable_http" => Some(Transport::StreamableHttp),
            "sse" => Some(Transport::Sse),
            _ => None,
        }
    }
}

/// Where a server is, and what every request carries.
#[derive(Debug, Clone)]
pub struct Target {
    /// How it speaks.
    pub transport: Transport,
    /// Its address.
    pub url: Url,
    /// Credentials and the like.
    pub headers: HeaderMap,
}

/// A server. Requests may be made at once.
#[derive(Debug)]
pub struct Remote(Way);

#[derive(Debug)]
enum Way {
    Http(Http),
    Sse(Sse),
}

impl Remote {
    /// A way to the server; of streamable HTTP nothing is sent yet.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn connect(client: reqwest::Client, target: Target) -> Result<Self, Error> {
        let Target {
            transport,
            url,
            headers,
        } = target;
        Ok(Remote(match transport {
            Transport::StreamableHttp => Way::Http(Http::new(client, url, headers)),
            Transport::Sse => Way::Sse(Sse::connect(client, url, headers).await?),
        }))
    }

    /// Says goodbye.
    pub async fn close(&self) {
        if let Way::Http(http) = &self.0 {
            http.close().await;
        }
    }
}

impl Channel for Remote {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        match &self.0 {
            Way::Http(http) => http.request(method, params).await,
            Way::Sse(sse) => sse.request(method, params).await,
        }
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        match &self.0 {
            Way::Http(http) => http.notify(method).await,
            Way::Sse(sse) => sse.notify(method).await,
        }
    }
}
