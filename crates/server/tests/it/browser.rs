//! A browser as far as tests need one: requests with a host of their own, cookies by hand.

use http::{HeaderMap, HeaderName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Cookies that were set, as lines.
    pub fn cookies(&self) -> Vec<&str> {
        let lines = self.headers.get_all("set-cookie").iter();
        lines.map(|line| line.to_str().unwrap()).collect()
    }

    /// `name=value` of a cookie whose name begins like this.
    pub fn cookie(&self, name: &str) -> String {
        let found = self.cookies().into_iter().find(|c| c.starts_with(name));
        let line = found.unwrap_or_else(|| panic!("no cookie {name}: {self:?}"));
        line.split(';').next().unwrap().to_owned()
    }
}

/// A request to a server at `port` of this machine.
pub struct Ask {
    port: u16,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
}

/// `GET` of a page.
pub fn get(port: u16, host: &str, path: &str) -> Ask {
    Ask {
        port,
        method: "GET",
        path: path.to_owned(),
        headers: vec![("Host".to_owned(), host.to_owned())],
    }
    .header("Accept", "text/html,*/*")
}

impl Ask {
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens the connection and sends the request.
    pub async fn open(self) -> TcpStream {
        let mut io = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        io.write_all(text.as_bytes()).await.unwrap();
        io
    }

    /// The whole answer.
    pub async fn send(self) -> Answer {
        let mut io = self.header("Connection", "close").open().await;
        let mut all = Vec::new();
        io.read_to_end(&mut all).await.unwrap();
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let (status, headers) = head(&all[..end]);
        Answer {
            status,
            headers,
            body: String::from_utf8_lossy(&all[end + 4..]).into_owned(),
        }
    }
}

/// Status and headers of an answer's head.
pub fn head(bytes: &[u8]) -> (u16, HeaderMap) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut lines = text.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, value.trim().parse().unwrap());
    }
    (status.parse().unwrap(), headers)
}
