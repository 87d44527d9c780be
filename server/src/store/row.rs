//! One row of an answer, read by column name and by the type that we expect. An error names the column.

use app::time::Micros;
use sqlx::{
    Column as _, ColumnIndex, Decode, Row as _, Type, TypeInfo as _, postgres::PgRow,
    sqlite::SqliteRow,
};

use super::StoreError;

pub struct Row(pub(super) Raw);

pub(super) enum Raw {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub fn i64(&self, column: &'static str) -> Result<i64, StoreError> {
        self.opt_i64(column)?.ok_or_else(|| StoreError::null(column))
    }

    /// Any whole number: Postgres answers 4 bytes for a literal and a boolean for a comparison.
    pub fn opt_i64(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match &self.0 {
            Raw::Sqlite(row) => get(row, column),
            Raw::Postgres(row) => match pg_type(row, column)? {
                "INT4" => Ok(get::<_, Option<i32>>(row, column)?.map(i64::from)),
                "INT2" => Ok(get::<_, Option<i16>>(row, column)?.map(i64::from)),
                "BOOL" => Ok(get::<_, Option<bool>>(row, column)?.map(i64::from)),
                _ => get(row, column),
            },
        }
    }

    /// A BIGINT that holds 0 or 1; there are no boolean columns.
    pub fn bool(&self, column: &'static str) -> Result<bool, StoreError> {
        self.i64(column).map(|value| value != 0)
    }

    pub fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.opt_text(column)?.ok_or_else(|| StoreError::null(column))
    }

    pub fn opt_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        match &self.0 {
            Raw::Sqlite(row) => get(row, column),
            Raw::Postgres(row) => get(row, column),
        }
    }

    pub fn f64(&self, column: &'static str) -> Result<f64, StoreError> {
        self.opt_f64(column)?.ok_or_else(|| StoreError::null(column))
    }

    pub fn opt_f64(&self, column: &'static str) -> Result<Option<f64>, StoreError> {
        match &self.0 {
            Raw::Sqlite(row) => get(row, column),
            Raw::Postgres(row) => get(row, column),
        }
    }

    pub fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.opt_bytes(column)?.ok_or_else(|| StoreError::null(column))
    }

    pub fn opt_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.0 {
            Raw::Sqlite(row) => get(row, column),
            Raw::Postgres(row) => get(row, column),
        }
    }

    pub fn micros(&self, column: &'static str) -> Result<Micros, StoreError> {
        self.i64(column).map(Micros)
    }

    pub fn opt_micros(&self, column: &'static str) -> Result<Option<Micros>, StoreError> {
        Ok(self.opt_i64(column)?.map(Micros))
    }

    /// A word that one of our enums knows; a word that it does not know is a column that cannot be read.
    pub fn word<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let word = self.text(column)?;
        word.parse().map_err(|_| StoreError::Column {
            column,
            reason: format!("holds the unknown word {word:?}"),
        })
    }
}

fn get<'r, R, T>(row: &'r R, column: &'static str) -> Result<T, StoreError>
where
    R: sqlx::Row,
    &'static str: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    row.try_get(column).map_err(|error| StoreError::Column { column, reason: error.to_string() })
}

fn pg_type<'r>(row: &'r PgRow, column: &'static str) -> Result<&'r str, StoreError> {
    let found = row.columns().iter().find(|c| c.name() == column);
    found.map(|c| c.type_info().name()).ok_or_else(|| StoreError::Column {
        column,
        reason: "is not part of the answer".to_owned(),
    })
}
