//! The rules over the database of a server, without the server: for what an
//! administrator does at the machine itself.

use std::fmt::Write as _;
use std::path::PathBuf;

use api_types::User;
use authz::{Subject, System};
use control::Control;
use store::embedded::{Binaries, Embedded, url_of};
use store::{Store, UserRef};

use super::database::{self, Database};
use super::{Bundles, Places, RunError, Stop, settings};
use crate::options::Options;

/// An open database with its rules.
pub struct Admin {
    control: Control,
    database: Option<Database>,
}

impl Admin {
    /// Opens the database that `options` name. The embedded one is started, or
    /// used where its server runs already.
    ///
    /// # Errors
    /// As of a server that does not start.
    pub async fn open(
        mut options: Options,
        bundles: &Bundles,
        places: &Places,
    ) -> Result<Self, RunError> {
        if options.text("access-url").is_empty() {
            // Nothing is served, but the rules have one.
            options.set("access-url", "http://localhost");
        }
        let rules = settings::control(&options)?;
        let running = match options.text("postgres-url") {
            "" => running(places).await,
            _ => None,
        };
        let (store, database) = if let Some(store) = running {
            store.migrate().await?;
            (store, None)
        } else {
            let database = database::open(&options, bundles, places).await?;
            (database.store.clone(), Some(database))
        };
        Ok(Self {
            control: Control::new(store, rules),
            database,
        })
    }

    /// A user, by name, e-mail address or id.
    ///
    /// # Errors
    /// There is none.
    pub async fn user(&self, user: &str) -> Result<User, RunError> {
        let system = Subject::system(System::Core);
        let which = UserRef::parse(user);
        let found = self.control.user_read(&system, &which);
        found.await.map_err(refused)
    }

    /// Sets a user's password; all sessions of the user end.
    ///
    /// # Errors
    /// See [`Control::user_password_reset`].
    pub async fn password_reset(&self, user: &str, password: &str) -> Result<User, RunError> {
        let which = UserRef::parse(user);
        let reset = self.control.user_password_reset(&which, password);
        reset.await.map_err(refused)
    }

    /// Makes another owner.
    ///
    /// # Errors
    /// See [`Control::owner_create`].
    pub async fn owner_create(
        &self,
        username: &str,
        email: &str,
        password: &str,
    ) -> Result<User, RunError> {
        let made = self.control.owner_create(username, email, password);
        made.await.map_err(refused)
    }

    /// Stops what was started.
    pub async fn close(self) {
        drop(self.control);
        if let Some(database) = self.database {
            database.close().await;
        }
    }
}

/// The rule's words, with those about single fields.
fn refused(error: control::Error) -> RunError {
    let mut text = error.to_string();
    for wrong in &error.validations {
        let _ = write!(text, "\n\t{}: {}", wrong.field, wrong.detail);
    }
    RunError::Refused(text)
}

fn directory(places: &Places) -> PathBuf {
    places.config.join("postgres")
}

/// The embedded database where a server runs it.
async fn running(places: &Places) -> Option<Store> {
    let url = url_of(&directory(places)).ok()?;
    let store = Store::connect(&url, 0).ok()?;
    store.conn().await.ok()?;
    Some(store)
}

/// Runs the embedded database alone until `stop` says so; `ready` is told how
/// to connect.
///
/// # Errors
/// What kept it from starting.
pub async fn serve_database(
    bundles: &Bundles,
    places: &Places,
    stop: Stop,
    ready: impl FnOnce(&str),
) -> Result<(), RunError> {
    let packed = bundles.postgres.ok_or(RunError::NoPostgres)?;
    let embedded = Embedded::start(Binaries::Packed(packed), &directory(places)).await?;
    ready(embedded.url());
    stop.asked().await;
    embedded.stop().await;
    Ok(())
}
