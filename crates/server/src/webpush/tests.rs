//! Messages to a scripted push service, opened as a browser would.

use std::sync::Arc;

use parking_lot::Mutex;
use ring::agreement::{ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const AUTH: [u8; 16] = [7; 16];

/// Answers each message with the next of these heads; the messages, as they came.
async fn service(answers: &'static [&'static str]) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/send/abc?x=y", listener.local_addr().unwrap());
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = came.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let message = receive(&mut socket).await;
            kept.lock().push(message);
            let answer =
                format!("HTTP/1.1 {answer}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsaid");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, came)
}

async fn receive(socket: &mut TcpStream) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let mut piece = [0; 8192];
        let read = socket.read(&mut piece).await.unwrap();
        message.extend_from_slice(&piece[..read]);
        if read == 0 || is_whole(&message) {
            return message;
        }
    }
}

fn split(message: &[u8]) -> Option<(String, &[u8])> {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(message[..at].to_vec()).unwrap();
    Some((head.to_lowercase(), &message[at + 4..]))
}

fn is_whole(message: &[u8]) -> bool {
    let Some((head, body)) = split(message) else {
        return false;
    };
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.lines().next().unwrap().parse::<usize>().unwrap();
    body.len() == length
}

fn pusher(guard: Guard) -> WebPush {
    let tls = client::system_tls().unwrap();
    WebPush::new(Vapid::some(), guard, tls).unwrap()
}

fn this_machine() -> Guard {
    Guard::new(vec!["127.0.0.0/8".parse().unwrap()])
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn browser(url: &str) -> (WebpushSubscription, EphemeralPrivateKey, Vec<u8>) {
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    let public = private.compute_public_key().unwrap().as_ref().to_vec();
    let subscription = WebpushSubscription {
        endpoint: url.to_owned(),
        auth_key: encoded(&AUTH),
        p256dh_key: encoded(&public),
    };
    (subscription, private, public)
}

#[tokio::test]
async fn a_message_is_sealed_for_the_browser_and_signed() {
    let (url, came) = service(&["201 Created"]).await;
    let (subscription, private, public) = browser(&url);
    let push = pusher(this_machine());
    let message = WebpushMessage {
        title: "Fix the build".to_owned(),
        body: "Done".to_owned(),
        ..WebpushMessage::default()
    };
    push.deliver(&subscription, &message).await.unwrap();
    let came = came.lock();
    let (head, body) = split(&came[0]).unwrap();
    assert!(head.starts_with("post /send/abc?x=y "), "{head}");
    for line in [
        "content-encoding: aes128gcm",
        "ttl: 86400",
        "authorization: vapid t=",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let text = seal::open(body, private, &public, &AUTH).unwrap();
    assert_eq!(
        serde_json::from_slice::<WebpushMessage>(&text).unwrap(),
        message
    );
}

#[tokio::test]
async fn what_the_service_answers_decides() {
    let answers = [
        "410 Gone",
        "404 Not Found",
        "503 Busy",
        "307 There\r\nlocation: http://169.254.169.254/",
    ];
    let (url, came) = service(&[
        "410 Gone",
        "404 Not Found",
        "503 Busy",
        "307 There\r\nlocation: http://169.254.169.254/",
    ])
    .await;
    let push = pusher(this_machine());
    let mut gone = Vec::new();
    for _ in answers {
        let (subscription, ..) = browser(&url);
        let error = push
            .deliver(&subscription, &WebpushMessage::default())
            .await
            .unwrap_err();
        assert!(error.message.contains("said"), "{error}");
        gone.push(error.gone);
    }
    assert_eq!(gone, [true, true, false, false]);
    assert_eq!(came.lock().len(), answers.len(), "no redirect is followed");
}

#[tokio::test]
async fn networks_of_our_own_are_not_reached() {
    let (url, came) = service(&["201 Created"]).await;
    let push = pusher(Guard::default());
    for url in [
        &*url,
        "http://localhost:1/",
        "http://169.254.169.254/latest",
    ] {
        let (subscription, ..) = browser(url);
        let error = push
            .deliver(&subscription, &WebpushMessage::default())
            .await
            .unwrap_err();
        assert!(!error.gone, "{error}");
    }
    assert!(came.lock().is_empty());
}

#[tokio::test]
async fn keys_that_are_none_are_gone() {
    let push = pusher(this_machine());
    let (mut subscription, ..) = browser("http://127.0.0.1:1/");
    subscription.p256dh_key = "AAAA".to_owned();
    let error = push
        .deliver(&subscription, &WebpushMessage::default())
        .await
        .unwrap_err();
    assert!(error.gone, "{error}");
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_read() {
    /// Far more than the buffers of a connection hold.
    const ALL: usize = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (subscription, ..) = browser(&format!("http://{}/", listener.local_addr().unwrap()));
    let wrote_all = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        receive(&mut socket).await;
        let head = format!("HTTP/1.1 503 Busy\r\ncontent-length: {ALL}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..ALL / piece.len() {
            if socket.write_all(&piece).await.is_err() {
                return false;
            }
        }
        true
    });
    let error = pusher(this_machine())
        .deliver(&subscription, &WebpushMessage::default())
        .await
        .unwrap_err();
    let said = error.message.matches('x').count();
    assert_eq!(said, MAX_REASON, "{error}");
    assert!(!wrote_all.await.unwrap(), "all of it was read");
}
