//! The desktop with a program of the test, and with a real X server where there is one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use api_types::DesktopAction;
use base64::Engine as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::testing;

/// A desktop whose `portabledesktop` is this script.
fn with_script(home: &Path, script: &str) -> Arc<Desktop> {
    let workspace = testing::workspace_at(home);
    let bin = workspace.config.script_bin();
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("portabledesktop");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Desktop::new(workspace)
}

fn act(action: &str) -> DesktopAction {
    DesktopAction {
        action: action.into(),
        ..DesktopAction::default()
    }
}

fn at(action: &str, x: i64, y: i64) -> DesktopAction {
    DesktopAction {
        coordinate: Some([x, y]),
        ..act(action)
    }
}

fn text(action: &str, text: &str) -> DesktopAction {
    DesktopAction {
        text: Some(text.into()),
        ..act(action)
    }
}

#[tokio::test]
async fn what_is_done_reaches_the_screen_in_one_session() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("echo '{{\"vncPort\":{port},\"geometry\":\"2x2\"}}'; exec sleep 600");
    let desktop = with_script(home.path(), &script);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        rfb::tests::greet(&mut stream, b"RFB 003.008\n", &[1, 1]).await;
        let mut acts = [0; 4 * 8 + 4 * 6];
        stream.read_exact(&mut acts).await.unwrap();
        acts
    });
    desktop.act(&text("key", "ctrl+c")).await.unwrap();
    desktop.act(&at("left_click", 1, 0)).await.unwrap();
    desktop.act(&act("left_mouse_down")).await.unwrap();
    let acts = tokio::time::timeout(Duration::from_secs(30), server)
        .await
        .unwrap()
        .unwrap();
    let (control, c) = ([0, 0, 0xff, 0xe3], [0, 0, 0, b'c']);
    let keys = [(1, control), (1, c), (0, c), (0, control)];
    for ((down, key), act) in keys.into_iter().zip(acts.chunks(8)) {
        assert_eq!(act, [&[4, down, 0, 0][..], &key].concat());
    }
    // The pointer comes, the button goes down and up; later it stays down.
    for (buttons, act) in [0, 1, 0, 1].into_iter().zip(acts[32..].chunks(6)) {
        assert_eq!(act, [5, buttons, 0, 1, 0, 0]);
    }
    // What makes no sense is told, and the session goes on.
    for wrong in [
        act("explode"),
        act("left_click"),
        act("key"),
        text("key", "hyper_x"),
        act("left_click_drag"),
        DesktopAction {
            duration: Some(60_000),
            ..text("hold_key", "a")
        },
        DesktopAction {
            scroll_amount: Some(1000),
            ..at("scroll", 0, 0)
        },
        DesktopAction {
            scroll_direction: Some("in".into()),
            ..at("scroll", 0, 0)
        },
    ] {
        let error = desktop.act(&wrong).await.unwrap_err();
        assert!(
            matches!(error, DesktopError::Invalid(_)),
            "{wrong:?}: {error}"
        );
    }
    desktop.close().await;
}

#[tokio::test]
async fn a_screen_that_does_not_come_is_told_with_its_words() {
    let home = tempfile::tempdir().unwrap();
    let desktop = with_script(home.path(), "echo 'no display can be opened' >&2; exit 1");
    let error = desktop.act(&act("screenshot")).await.unwrap_err();
    assert!(matches!(error, DesktopError::Start(_)), "{error}");
    assert!(
        error.to_string().contains("no display can be opened"),
        "{error}"
    );
    for said in ["{}", "nonsense", "{\"vncPort\":0}", "{\"vncPort\":70000}"] {
        let desktop = with_script(home.path(), &format!("echo '{said}'; exec sleep 600"));
        let error = desktop.connect().await.err().unwrap();
        assert!(matches!(error, DesktopError::Start(_)), "{said}: {error}");
    }
}

/// A script that films: the film is what it was told, and is written when it is asked to end.
const FILMS: &str = r#"
case "$1" in
up) echo '{"vncPort":PORT}'; exec sleep 600 ;;
record)
  shift; while [ $# -gt 1 ]; do [ "$1" = --thumbnail ] && picture=$2; shift; done
  trap 'echo film > "$1"; echo picture > "$picture"; exit 0' INT
  touch "$1.begun"
  while :; do sleep 0.05; done ;;
esac"#;

#[tokio::test]
async fn films_are_made_ended_and_made_again() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let desktop = with_script(home.path(), &FILMS.replace("PORT", &port));
    let id = Uuid::new_v4();
    assert!(matches!(
        desktop.recorded(id).await,
        Err(RecordingError::Unknown)
    ));
    for _ in 0..2 {
        desktop.record(id).await.unwrap();
        // Begun already: nothing happens.
        desktop.record(id).await.unwrap();
        begun(home.path()).await;
        let recorded = desktop.recorded(id).await.unwrap();
        assert_eq!(std::fs::read_to_string(&recorded.video).unwrap(), "film\n");
        assert_eq!(
            std::fs::read_to_string(&recorded.picture).unwrap(),
            "picture\n"
        );
        desktop.recorded(id).await.unwrap();
    }
    for _ in 0..5 {
        desktop.record(Uuid::new_v4()).await.unwrap();
    }
    let error = desktop.record(Uuid::new_v4()).await.unwrap_err();
    assert!(matches!(error, RecordingError::TooMany), "{error}");
    desktop.close().await;
    let left = std::fs::read_dir(home.path().join("coder-script-data")).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().file_name() != "bin");
    assert_eq!(left.count(), 0, "films are gone with the desktop");
}

/// Waits until a film's program has said that it began.
async fn begun(home: &Path) {
    let data = home.join("coder-script-data");
    loop {
        let found = std::fs::read_dir(&data).unwrap().any(|entry| {
            let directory = entry.unwrap().path();
            directory.join("desktop.mp4.begun").exists() && !directory.join("desktop.mp4").exists()
        });
        if found {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_screen_is_typed_on_and_photographed() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if ["Xtigervnc", "xterm"]
        .iter()
        .any(|name| program::find(&path, name).is_none())
    {
        println!("skipped: Xtigervnc and xterm are not installed");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let desktop = Desktop::new(testing::workspace_at(home.path()));
    desktop.act(&at("mouse_move", 960, 540)).await.unwrap();
    let here = desktop.act(&act("cursor_position")).await.unwrap();
    assert_eq!(here.output, "x=960,y=540");
    let small = DesktopAction {
        scaled_width: Some(1280),
        scaled_height: Some(720),
        ..act("screenshot")
    };
    let before = desktop.act(&small).await.unwrap();
    let png = base64::engine::general_purpose::STANDARD
        .decode(&before.screenshot_data)
        .unwrap();
    assert_eq!(png[16..24], [0, 0, 5, 0, 0, 0, 2, 208], "1280 × 720");

    // A program that has a window keeps what is typed there.
    let kept = home.path().join("kept");
    let mut terminal = tokio::process::Command::new("xterm")
        .args(["-geometry", "200x60+0+0", "-e"])
        .arg(format!(
            "head -n 2 > {kept:?}.part; mv {kept:?}.part {kept:?}"
        ))
        .envs(desktop.variables())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    loop {
        let now = desktop.act(&small).await.unwrap();
        if now.screenshot_data != before.screenshot_data {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    desktop.act(&at("left_click", 400, 300)).await.unwrap();
    // Until the window takes keys, they are lost: said again, each line is whole or not there.
    let done = async {
        while !kept.exists() {
            desktop
                .act(&text("type", "Ünïcode & MORE\n"))
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), done)
        .await
        .unwrap();
    let kept = std::fs::read_to_string(&kept).unwrap();
    assert!(kept.contains("& MORE"), "{kept:?}");
    let _ = terminal.kill().await;

    // Somebody who watches sees the same screen.
    let mut watch = desktop.connect().await.unwrap();
    let mut version = [0; 12];
    watch.read_exact(&mut version).await.unwrap();
    assert!(version.starts_with(b"RFB 003.00"));
    desktop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_screen_is_filmed() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if ["Xtigervnc", "ffmpeg"]
        .iter()
        .any(|name| program::find(&path, name).is_none())
    {
        println!("skipped: Xtigervnc and ffmpeg are not installed");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let desktop = Desktop::new(testing::workspace_at(home.path()));
    // The second is ended as soon as it has begun.
    for scenes in [3, 0] {
        let id = Uuid::new_v4();
        desktop.record(id).await.unwrap();
        for scene in 0..scenes {
            desktop
                .act(&at("mouse_move", 100 * scene, 100))
                .await
                .unwrap();
            desktop.act(&act("screenshot")).await.unwrap();
        }
        let recorded = desktop.recorded(id).await.unwrap();
        let film = std::fs::read(&recorded.video).unwrap();
        assert_eq!(&film[4..8], b"ftyp", "{scenes}");
        let place = |name: &[u8]| film.windows(4).position(|bytes| bytes == name);
        let (head, frames) = (place(b"moov"), place(b"mdat"));
        // So it plays while it still loads.
        assert!(
            head.is_some() && head < frames,
            "{scenes}: {head:?} {frames:?}"
        );
        let picture = std::fs::read(&recorded.picture).unwrap();
        assert_eq!(picture[..3], [0xff, 0xd8, 0xff], "{scenes}");
    }
    desktop.close().await;
}
