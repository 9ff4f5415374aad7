//! Programs and init scripts.

use http::StatusCode;
use server::{Binaries, BinarySource};

use crate::world::{with_binaries, world};

async fn get(url: &str, headers: &[(&str, &str)]) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let url: url::Url = url.parse().unwrap();
    let address = format!("127.0.0.1:{}", url.port().unwrap());
    let mut io = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
        url.path()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    io.write_all(format!("{request}\r\n").as_bytes())
        .await
        .unwrap();
    let mut all = Vec::new();
    io.read_to_end(&mut all).await.unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut map = http::HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        map.insert(
            name.parse::<http::HeaderName>().unwrap(),
            value.parse().unwrap(),
        );
    }
    (status, map, all[end + 4..].to_vec())
}

#[tokio::test]
async fn programs_are_handed_out_whole_packed_or_not_at_all() {
    let program: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let packed: &'static [u8] = zstd::encode_all(&program[..], 3).unwrap().leak();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    std::fs::write(&path, &program).unwrap();
    let w = with_binaries(Binaries::new([
        ("coder-linux-amd64".to_owned(), BinarySource::Zstd(packed)),
        ("coder-linux-arm64".to_owned(), BinarySource::File(path)),
        (
            "coder-linux-armv7".to_owned(),
            BinarySource::File("/nowhere".into()),
        ),
    ]))
    .await;
    let mut tags = Vec::new();
    for name in ["coder-linux-amd64", "coder_linux_arm64"] {
        let url = format!("{}bin/{name}", w.url);
        let (status, headers, body) = get(&url, &[("Accept-Encoding", "identity")]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body == program, "{name}");
        assert_eq!(headers["x-original-content-length"], "800000");
        tags.push(headers["etag"].to_str().unwrap().to_owned());
        let (status, headers, body) = get(&url, &[("Accept-Encoding", "gzip, zstd")]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-encoding"], "zstd");
        assert!(body.len() < program.len(), "{name}");
        let known = [("If-None-Match", tags[0].as_str())];
        assert_eq!(get(&url, &known).await.0, StatusCode::NOT_MODIFIED);
    }
    // The same bytes have the same tag wherever they come from.
    assert_eq!(tags[0], tags[1]);
    let url = |name: &str| format!("{}bin/{name}", w.url);
    let (status, _, body) = get(&url(""), &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("coder-linux-amd64")
    );
    assert_eq!(
        get(&url("coder-plan9-mips"), &[]).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&url("..%2f..%2fetc%2fpasswd"), &[]).await.0,
        StatusCode::NOT_FOUND
    );
    let broken = get(&url("coder-linux-armv7"), &[]).await.0;
    assert_eq!(broken, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn init_scripts_name_the_server() {
    let w = world().await;
    let url = |rest: &str| format!("{}api/v2/init-script/{rest}", w.url);
    let (status, headers, body) = get(&url("linux/amd64"), &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains(&format!("{}bin/coder-linux-amd64", w.url)));
    assert_eq!(
        get(&url("linux/mips"), &[]).await.0,
        StatusCode::BAD_REQUEST
    );
}
