//! A fresh, migrated database for each test.

use std::ops::Deref;

use store::{Conn, Store};
use tokio::sync::OnceCell;

use crate::server_url;

/// Connections of a test's pool.
const POOL: usize = 6;

/// A database of one test's own; derefs to its [`Store`].
pub struct TestDb {
    /// The database, migrated.
    pub store: Store,
    /// Where it is.
    pub url: String,
}

impl Deref for TestDb {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// A fresh database.
///
/// # Panics
/// If there is no server, or it refuses.
pub async fn db() -> TestDb {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(make_template).await;
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let admin = admin().await;
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    // Another process may be connected to a shared template for a moment.
    for attempt in 0.. {
        match admin.execute(&create, &[]).await {
            Ok(_) => break,
            Err(error) if attempt > 50 => panic!("{create}: {error}"),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    let url = database_url(&name);
    TestDb {
        store: Store::connect(&url, POOL).expect("a database URL"),
        url,
    }
}

/// A connection to the server's own database.
async fn admin() -> Conn {
    let store = Store::connect(server_url(), 1).expect("a database URL");
    store.conn().await.expect("the test server to answer")
}

async fn make_template() -> String {
    let name = format!("coder_template_{:016x}", store::schema_fingerprint());
    let admin = admin().await;
    // Test binaries that share a server make it once.
    let lock = "SELECT pg_advisory_lock(7261)::text";
    admin.execute(lock, &[]).await.expect("a lock");
    let exists = admin
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await
        .expect("a list of databases");
    if exists.is_none() {
        // Nothing of a test needs to survive a crash.
        let fast = "ALTER SYSTEM SET fsync = off";
        admin.execute(fast, &[]).await.expect("a superuser");
        admin
            .execute("SELECT pg_reload_conf()", &[])
            .await
            .expect("a superuser");
        let half = format!("{name}_new");
        admin
            .execute(&format!("DROP DATABASE IF EXISTS {half}"), &[])
            .await
            .expect("drop");
        admin
            .execute(&format!("CREATE DATABASE {half}"), &[])
            .await
            .expect("create");
        let store = Store::connect(&database_url(&half), 2).expect("a database URL");
        store.migrate().await.expect("the migrations to run");
        store.close();
        let rename = format!("ALTER DATABASE {half} RENAME TO {name}");
        for attempt in 0.. {
            match admin.execute(&rename, &[]).await {
                Ok(_) => break,
                Err(error) if attempt > 50 => panic!("{rename}: {error}"),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }
    admin
        .execute("SELECT pg_advisory_unlock(7261)", &[])
        .await
        .expect("unlock");
    name
}

/// The server's URL with another database.
fn database_url(name: &str) -> String {
    let url = server_url();
    let (base, query) = url
        .split_once('?')
        .map_or((url, ""), |(base, query)| (base, query));
    let (base, _) = base.rsplit_once('/').expect("a URL with a database");
    if query.is_empty() {
        format!("{base}/{name}")
    } else {
        format!("{base}/{name}?{query}")
    }
}
