//! Reading the columns of a row in order: cheaper than by name, and the order of the
//! struct and of the SELECT list stand beside each other.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::StoreError;

/// A cursor over the columns of one row.
pub(crate) struct Cols<'a> {
    row: &'a Row,
    at: usize,
}

impl<'a> Cols<'a> {
    pub(crate) fn new(row: &'a Row) -> Self {
        Self { row, at: 0 }
    }

    /// The next column.
    pub(crate) fn next<T: FromSql<'a>>(&mut self) -> Result<T, StoreError> {
        let value = self.row.try_get(self.at)?;
        self.at += 1;
        Ok(value)
    }

    /// The next column, text of an open enumeration.
    pub(crate) fn text<T: From<&'a str>>(&mut self) -> Result<T, StoreError> {
        Ok(T::from(self.next::<&str>()?))
    }
}
