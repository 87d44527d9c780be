//! Runs a rendered statement on a connection of either engine.

use sqlx::{
    Arguments as _, AssertSqlSafe, Executor as _, PgConnection, SqliteConnection,
    postgres::PgArguments, sqlite::SqliteArguments,
};

use super::{
    Sql, StoreError, Value,
    row::{Raw, Row},
};

/// A statement in the form that the drivers take.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Statement {
    pub(super) fn of(sql: Sql) -> Result<Self, StoreError> {
        let (text, values) = sql.render();
        if values.iter().any(Value::has_nul) {
            return Err(StoreError::NulInText);
        }
        Ok(Self { text, values })
    }
}

macro_rules! engine {
    ($module:ident, $connection:ty, $arguments:ty, $raw:ident) => {
        pub(super) mod $module {
            use super::*;

            fn arguments(values: Vec<Value>) -> Result<$arguments, sqlx::Error> {
                let mut arguments = <$arguments>::default();
                for value in values {
                    match value {
                        Value::Integer(value) => arguments.add(value),
                        Value::Float(value) => arguments.add(value),
                        Value::Text(value) => arguments.add(value.map(|text| text.into_owned())),
                        Value::Bytes(value) => arguments.add(value),
                    }
                    .map_err(sqlx::Error::Encode)?;
                }
                Ok(arguments)
            }

            pub(in crate::store) async fn execute(
                connection: &mut $connection,
                statement: Statement,
            ) -> Result<u64, sqlx::Error> {
                let arguments = arguments(statement.values)?;
                let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments);
                Ok(connection.execute(query).await?.rows_affected())
            }

            pub(in crate::store) async fn fetch_all(
                connection: &mut $connection,
                statement: Statement,
            ) -> Result<Vec<Row>, sqlx::Error> {
                let arguments = arguments(statement.values)?;
                let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments);
                let rows = connection.fetch_all(query).await?;
                Ok(rows.into_iter().map(|row| Row(Raw::$raw(row))).collect())
            }
        }
    };
}

engine!(sqlite, SqliteConnection, SqliteArguments, Sqlite);
engine!(postgres, PgConnection, PgArguments, Postgres);
