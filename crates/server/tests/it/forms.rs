//! A template's form over its WebSocket.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::world::world;

async fn next(socket: &mut client::MessageSocket) -> Message {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        if !message.is_ping() {
            return message;
        }
    }
}

async fn answer(socket: &mut client::MessageSocket) -> Value {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_form_answers_each_message_until_it_is_not_understood() {
    let w = world().await;
    let sql = "SELECT v.id, j.file_id FROM template_versions v \
               JOIN provisioner_jobs j ON j.id = v.job_id";
    let row = w.db.query_one(sql, &[]).await.unwrap();
    let (version, file): (Uuid, Uuid) = (row.get(0), row.get(1));
    let tar = provisioner::starters::ALL[0].tar();
    let sql = "UPDATE files SET data = $2 WHERE id = $1";
    w.db.execute(sql, &[&file, &tar]).await.unwrap();

    let api = w.client();
    let path = format!("/api/v2/templateversions/{version}/dynamic-parameters");
    let mut socket = api.websocket_messages(&path).await.unwrap();
    let first = answer(&mut socket).await;
    assert_eq!(first["id"], -1);
    assert!(first["parameters"].is_array(), "{first}");
    for id in [1, 7] {
        let values = json!({"id": id, "inputs": {"unknown": "x"}});
        socket
            .send(Message::text(values.to_string()))
            .await
            .unwrap();
        assert_eq!(answer(&mut socket).await["id"], id);
    }
    // Somebody for whom the caller may not make workspaces.
    let stranger = testkit::user(&w.db, "bob", &[]).await;
    let values = json!({"id": 8, "inputs": {}, "owner_id": stranger.id});
    socket
        .send(Message::text(values.to_string()))
        .await
        .unwrap();
    let told = answer(&mut socket).await;
    assert_eq!(told["diagnostics"][0]["extra"]["code"], "owner_not_found");

    socket.send(Message::text("[[[[")).await.unwrap();
    let Message::Close(Some(frame)) = next(&mut socket).await else {
        panic!("the server must say why it leaves");
    };
    assert_eq!(u16::from(frame.code), 1007);

    for bad in [
        format!("{path}?user_id=nobody"),
        format!(
            "/api/v2/templateversions/{}/dynamic-parameters",
            Uuid::new_v4()
        ),
    ] {
        let error = api.websocket_messages(&bad).await.err().unwrap();
        let client::Error::Api(error) = error else {
            panic!("{bad}: {error}");
        };
        assert!(matches!(error.status.as_u16(), 400 | 404), "{bad}");
    }
}
