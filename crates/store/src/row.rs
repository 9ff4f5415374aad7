//! Rows as structs.

use tokio_postgres::Row;

use crate::Result;

/// A struct that a row can be read into, by column names.
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`crate::StoreError::Internal`] if a column is missing or of another type.
    fn from_row(row: &Row) -> Result<Self>;
}

/// Declares a struct whose fields are columns of the same names.
///
/// ```ignore
/// record! {
///     /// A thing.
///     pub struct ThingRow {
///         /// The id.
///         pub id: Uuid,
///     }
/// }
/// ```
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl crate::row::FromRow for $name {
            fn from_row(row: &tokio_postgres::Row) -> crate::Result<Self> {
                Ok($name { $($field: row.try_get(stringify!($field))?,)+ })
            }
        }
    };
}
pub(crate) use record;
