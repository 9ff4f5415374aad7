//! Chats of a test, made in the database without asking the rules.

use store::Store;
use uuid::Uuid;

/// A chat that rests, and a file of its owner.
#[derive(Debug, Clone, Copy)]
pub struct TestChat {
    /// The chat.
    pub id: Uuid,
    /// The file.
    pub file: Uuid,
}

/// Makes a chat of a user in the default organization.
///
/// # Panics
/// If there is no such user.
pub async fn chat(store: &Store, owner: Uuid) -> TestChat {
    let organization = crate::default_organization(store).await;
    let [id, model, file] = [(); 3].map(|()| Uuid::new_v4());
    let sql = "INSERT INTO chats (id, owner_id, organization_id, title, status, last_model_config_id) \
               VALUES ($1, $2, $3, 'a chat', 'waiting', $4)";
    store
        .execute(sql, &[&id, &owner, &organization, &model])
        .await
        .expect("a new chat");
    let sql = "INSERT INTO chat_files (id, owner_id, organization_id, name, mimetype, sha256, \
               size_bytes, data) VALUES ($1, $2, $3, 'a.txt', 'text/plain', '', 1, 'x')";
    store
        .execute(sql, &[&file, &owner, &organization])
        .await
        .expect("a new file");
    TestChat { id, file }
}
