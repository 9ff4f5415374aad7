//! A server that speaks what a test wants.

use tokio::io::DuplexStream;

use super::*;

/// Greets as a server of 2 × 2 pixels does; the settings of the client are read.
pub(in crate::desktop) async fn greet(io: &mut impl Io, version: &[u8], kinds: &[u8]) {
    io.write_all(version).await.unwrap();
    let mut answer = [0; 12];
    io.read_exact(&mut answer).await.unwrap();
    io.write_all(kinds).await.unwrap();
    if !kinds[1..].contains(&1) {
        return;
    }
    assert_eq!(io.read_u8().await.unwrap(), 1);
    if answer.ends_with(b"8\n") {
        io.write_u32(0).await.unwrap();
    }
    assert_eq!(io.read_u8().await.unwrap(), 1, "others may look too");
    io.write_all(&[0, 2, 0, 2]).await.unwrap();
    io.write_all(&[0; 16]).await.unwrap();
    io.write_all(b"\0\0\0\x04name").await.unwrap();
    io.read_exact(&mut [0; 20 + 16]).await.unwrap();
}

fn rectangle(x: u16, y: u16, width: u16, height: u16, encoding: i32, pixels: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for number in [x, y, width, height] {
        all.extend(number.to_be_bytes());
    }
    all.extend(encoding.to_be_bytes());
    all.extend(pixels);
    all
}

async fn asked(io: &mut DuplexStream) -> [u8; 10] {
    let mut ask = [0; 10];
    io.read_exact(&mut ask).await.unwrap();
    ask
}

#[tokio::test]
async fn a_screen_is_seen_and_acted_on() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(async move {
        greet(&mut theirs, b"RFB 003.008\n", &[2, 2, 1]).await;
        assert_eq!(asked(&mut theirs).await, [3, 0, 0, 0, 0, 0, 0, 2, 0, 2]);
        // A bell, a clipboard, and the screen in two updates, with the pointer between.
        theirs
            .write_all(&[2, 3, 0, 0, 0, 0, 0, 0, 1, b'x'])
            .await
            .unwrap();
        theirs.write_all(&[0, 0, 0, 2]).await.unwrap();
        let top = rectangle(0, 0, 2, 1, RAW, &[1, 2, 3, 0, 4, 5, 6, 0]);
        theirs.write_all(&top).await.unwrap();
        let pointer = rectangle(1, 1, 0, 0, POINTER_POSITION, &[]);
        theirs.write_all(&pointer).await.unwrap();
        theirs.write_all(&[0, 0, 0, 1]).await.unwrap();
        let bottom = rectangle(0, 1, 2, 1, RAW, &[7, 8, 9, 0, 10, 11, 12, 0]);
        theirs.write_all(&bottom).await.unwrap();
        let mut acts = [0; 14];
        theirs.read_exact(&mut acts).await.unwrap();
        acts
    });
    let mut rfb = Rfb::open(ours).await.unwrap();
    let picture = rfb.screen().await.unwrap();
    assert_eq!(picture.rgb, [3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]);
    assert_eq!((rfb.pointer(), rfb.size()), ((1, 1), (2, 2)));
    rfb.point((0, 99), 1).await.unwrap();
    rfb.key(0x61, true).await.unwrap();
    let acts = server.await.unwrap();
    assert_eq!(
        acts,
        [5, 1, 0, 0, 0, 1, 4, 1, 0, 0, 0, 0, 0, 0x61],
        "kept on the screen"
    );
    assert_eq!((rfb.pointer(), rfb.buttons()), ((0, 1), 1));
}

#[tokio::test]
async fn a_screen_that_changes_its_size_is_asked_for_again() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        greet(&mut theirs, b"RFB 003.007\n", &[1, 1]).await;
        asked(&mut theirs).await;
        theirs.write_all(&[0, 0, 0, 1]).await.unwrap();
        theirs
            .write_all(&rectangle(0, 0, 1, 1, DESKTOP_SIZE, &[]))
            .await
            .unwrap();
        assert_eq!(asked(&mut theirs).await, [3, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
        theirs.write_all(&[0, 0, 0, 1]).await.unwrap();
        theirs
            .write_all(&rectangle(0, 0, 1, 1, RAW, &[0, 0, 9, 0]))
            .await
            .unwrap();
        theirs
    });
    let mut rfb = Rfb::open(ours).await.unwrap();
    let picture = rfb.screen().await.unwrap();
    assert_eq!((picture.width, picture.rgb), (1, vec![9, 0, 0]));
}

#[tokio::test]
async fn what_is_no_screen_is_refused() {
    for (version, kinds, why) in [
        (&b"SSH-2.0-Open"[..], &[1, 1][..], "does not speak"),
        (b"RFB 003.003\n", &[1, 1], "before 3.7"),
        (b"RFB 003.008\n", &[1, 2], "password"),
        (
            b"RFB 003.008\n",
            &[0, 0, 0, 0, 2, b'n', b'o'],
            "refuses: no",
        ),
        (b"RFB 003.008\n", &[0, 255, 0, 0, 0], "too long"),
    ] {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(version).await.unwrap();
        theirs.write_all(kinds).await.unwrap();
        let error = Rfb::open(ours).await.err().unwrap();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn updates_that_lie_are_refused() {
    for lie in [
        vec![9],
        [vec![0, 0, 0, 1], rectangle(1, 0, 2, 1, RAW, &[0; 8])].concat(),
        [vec![0, 0, 0, 1], rectangle(0, 0, 1, 1, 16, &[])].concat(),
        [vec![0, 0, 0, 1], rectangle(0, 0, 0, 9, DESKTOP_SIZE, &[])].concat(),
        vec![3, 0, 0, 0, 255, 255, 255, 255],
    ] {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let sent = lie.clone();
        let server = tokio::spawn(async move {
            greet(&mut theirs, b"RFB 003.008\n", &[1, 1]).await;
            asked(&mut theirs).await;
            theirs.write_all(&sent).await.unwrap();
            theirs
        });
        let mut rfb = Rfb::open(ours).await.unwrap();
        let error = rfb.screen().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{lie:?}: {error}");
        drop(server.await.unwrap());
    }
}
