//! The pool, and a connection lent from it.

use std::sync::Arc;
use std::time::Duration;

use authz::Param;
use deadpool_postgres::Object;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::checkout::{CONNECT_TIMEOUT, Checkout};
use crate::listen::{Hub, Listener};
use crate::row::FromRow;
use crate::{Result, StoreError, Tx};

/// How connections run our queries. They are few and prepared, so that planning one anew
/// for its parameters costs far more than it gains (milliseconds for the largest, which then
/// runs in a tenth of that); they are short, so that compiling them never pays.
const SESSION_OPTIONS: &str = "-c plan_cache_mode=force_generic_plan -c jit=off";

/// A parameter of a query.
pub type SqlParam<'a> = &'a (dyn ToSql + Sync);

/// The database. Cheap to clone; all clones share the pool.
#[derive(Clone)]
pub struct Store {
    pool: Arc<Checkout>,
    hub: Arc<Hub>,
}

impl Store {
    /// A store on the database at `url`, with at most `pool_size` connections
    /// beside the one that listens. Connects at first use.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if `url` is no PostgreSQL connection string.
    pub fn connect(url: &str, pool_size: usize) -> Result<Self> {
        let (mut config, tls) = crate::tls::parse(url)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("coder");
        }
        if config.get_options().is_none() {
            config.options(SESSION_OPTIONS);
        }
        Ok(Store {
            pool: Arc::new(Checkout::new(config.clone(), tls.clone(), pool_size)?),
            hub: Hub::new(config, tls),
        })
    }

    /// Lends a connection. A database that was there before and is away is waited for,
    /// a few seconds: a restart of it is no error to anyone who comes meanwhile. Hold it no longer than the queries take, and never
    /// two at once in one task: with all lent, each would wait for the other.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn conn(&self) -> Result<Conn> {
        Ok(Conn(self.pool.get().await?))
    }

    /// Begins a transaction in which `who` acts. Dropped uncommitted, it is
    /// rolled back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self, who: &authz::Subject) -> Result<Tx> {
        Tx::begin(self.conn().await?, who.clone()).await
    }

    /// Brings the schema up to date; see [`crate::MigrateError`].
    ///
    /// # Errors
    /// When the database holds a newer schema, or cannot be changed.
    pub async fn migrate(&self) -> Result<(), crate::MigrateError> {
        crate::migrate::run(self.conn().await?).await
    }

    /// Subscribes to a channel of notifications. Returns when the database
    /// confirmed it, so that what is read afterwards misses nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that is no channel name.
    pub async fn listen(&self, channel: &str) -> Result<Listener> {
        self.hub.listen(channel).await
    }

    /// Whether notifications are being heard right now.
    pub fn is_listening(&self) -> bool {
        self.hub.is_listening()
    }

    /// Notifies without a transaction.
    ///
    /// # Errors
    /// As for any query.
    pub async fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        self.conn().await?.notify(channel, payload).await
    }

    /// All rows of a query, on a connection lent for it alone.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn query(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Vec<Row>> {
        self.conn().await?.query(sql, params).await
    }

    /// The first row of a query, if any.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn query_opt(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Option<Row>> {
        self.conn().await?.query_opt(sql, params).await
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn query_one(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Row> {
        self.conn().await?.query_one(sql, params).await
    }

    /// Runs a statement; the number of rows it touched.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn execute(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<u64> {
        self.conn().await?.execute(sql, params).await
    }

    /// Round trip time of an empty query; a database that is away is not waited for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<Duration> {
        let conn = self.pool.get_now().await?;
        let start = std::time::Instant::now();
        conn.simple_query("").await?;
        Ok(start.elapsed())
    }

    /// Closes all connections; queries fail from now on.
    pub fn close(&self) {
        self.hub.close();
        self.pool.close();
    }
}

/// A connection lent from the pool. The queries of all nouns are its methods.
pub struct Conn(pub(crate) Object);

impl Conn {
    /// All rows of a query. The statement stays prepared on the connection, so
    /// its text must be one of few.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn query(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Vec<Row>> {
        let statement = self.0.prepare_cached(sql).await?;
        Ok(self.0.query(&statement, params).await?)
    }

    /// The first row of a query, if any.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn query_opt(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn query_one(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Row> {
        self.query_opt(sql, params)
            .await?
            .ok_or(StoreError::NotFound)
    }

    /// All rows, as structs.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn fetch<T: FromRow>(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<Vec<T>> {
        self.query(sql, params)
            .await?
            .iter()
            .map(T::from_row)
            .collect()
    }

    /// The first row as a struct, if any.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn fetch_opt<T: FromRow>(
        &self,
        sql: &str,
        params: &[SqlParam<'_>],
    ) -> Result<Option<T>> {
        self.query_opt(sql, params)
            .await?
            .as_ref()
            .map(T::from_row)
            .transpose()
    }

    /// The first row as a struct.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn fetch_one<T: FromRow>(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<T> {
        T::from_row(&self.query_one(sql, params).await?)
    }

    /// Runs a statement; the number of rows it touched.
    ///
    /// # Errors
    /// As [`StoreError`] tells.
    pub async fn execute(&self, sql: &str, params: &[SqlParam<'_>]) -> Result<u64> {
        let statement = self.0.prepare_cached(sql).await?;
        Ok(self.0.execute(&statement, params).await?)
    }

    pub(crate) async fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        self.execute("SELECT pg_notify($1, $2)", &[&channel, &payload])
            .await?;
        Ok(())
    }
}

/// The parameters of an SQL filter, for a query.
pub(crate) fn filter_params(params: &[Param]) -> impl Iterator<Item = SqlParam<'_>> {
    params.iter().map(|param| -> SqlParam<'_> {
        match param {
            Param::Id(id) => id,
            Param::Ids(ids) => ids,
            Param::Text(text) => text,
            Param::Texts(texts) => texts,
        }
    })
}
