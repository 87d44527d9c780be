//! Fills an empty database inside one transaction: all of it, or nothing.
//!
//! References between rows are checked when all rows are there: some point forward, and no order of tables serves
//! all. SQLite puts the check off to the commit; on Postgres the constraints are lifted and set again, which checks
//! every row.

use super::{Table, catalogue, columns, quoted};
use crate::store::{Dialect, Sql, StoreError, Tx, Value, query::Statement};

/// Both engines take more; what waits in memory is a row's size times this.
const VALUES_AT_ONCE: usize = 8_000;

/// A database that is being filled.
pub struct Load {
    /// As the database has them, empty.
    pub tables: Vec<Table>,
    lifted: Vec<Constraint>,
}

struct Constraint {
    table: String,
    name: String,
    definition: String,
}

impl Tx {
    /// The name of a table, where there is any: then this database belongs to somebody.
    pub async fn find_table(&mut self) -> Result<Option<String>, StoreError> {
        let sql = Sql::new(catalogue::any_table(self.dialect()));
        self.fetch_optional(sql).await?.map(|row| row.text("t")).transpose()
    }

    /// Empties every table of what migrations put there, and lets rows refer to rows that come later.
    pub async fn begin_load(&mut self) -> Result<Load, StoreError> {
        let dialect = self.dialect();
        let columns = self.fetch_all(catalogue::columns(dialect)).await?;
        let tables = catalogue::read(&columns, &[])?;
        let mut lifted = Vec::new();
        match dialect {
            // Holds until the transaction ends.
            Dialect::Sqlite => self.script("PRAGMA defer_foreign_keys = ON").await?,
            Dialect::Postgres => {
                lifted = self.constraints().await?;
                for constraint in &lifted {
                    let (table, name) = (quoted(&constraint.table)?, quoted(&constraint.name)?);
                    self.run(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"), vec![]).await?;
                }
            }
        }
        for table in &tables {
            self.run(format!("DELETE FROM {}", quoted(&table.name)?), vec![]).await?;
        }
        Ok(Load { tables, lifted })
    }

    async fn constraints(&mut self) -> Result<Vec<Constraint>, StoreError> {
        let sql = Sql::new(
            "SELECT CAST(t.relname AS TEXT) AS t, CAST(c.conname AS TEXT) AS c, \
             pg_get_constraintdef(c.oid) AS definition FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
             WHERE c.contype = 'f' AND t.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY 1, 2",
        );
        let rows = self.fetch_all(sql).await?;
        let read = |row: &crate::store::Row| {
            Ok(Constraint {
                table: row.text("t")?,
                name: row.text("c")?,
                definition: row.text("definition")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Inserts rows whose values stand in the order of the table's columns.
    pub async fn load(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let width = table.columns.len().max(1);
        let head = format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name)?, columns(table)?);
        let mut rows = rows.into_iter();
        loop {
            let batch: Vec<Vec<Value>> = rows.by_ref().take(rows_at_once(width)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let mut text = head.clone();
            for row in 0..batch.len() {
                let places: Vec<String> =
                    (1..=width).map(|n| format!("${}", row * width + n)).collect();
                text.push_str(if row == 0 { "(" } else { ", (" });
                text.push_str(&places.join(", "));
                text.push(')');
            }
            self.run(text, batch.into_iter().flatten().collect()).await?;
        }
    }

    /// Sets the numbers of rows to come, and checks every reference.
    pub async fn end_load(&mut self, load: Load, filled: &[Table]) -> Result<(), StoreError> {
        for table in filled.iter().filter(|table| table.next.is_some()) {
            self.set_counter(table).await?;
        }
        for Constraint { table, name, definition } in load.lifted {
            let (table, name) = (quoted(&table)?, quoted(&name)?);
            let text = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}");
            self.run(text, vec![]).await?;
        }
        Ok(())
    }

    /// Never below what is there: a counter of Postgres that nobody asked yet does not know of rows that came
    /// with their own number.
    async fn set_counter(&mut self, table: &Table) -> Result<(), StoreError> {
        let name = quoted(&table.name)?;
        let next = table.next.unwrap_or(1);
        match self.dialect() {
            Dialect::Sqlite => {
                let gone = Sql::new("DELETE FROM sqlite_sequence WHERE name = ").arg(&table.name);
                self.execute(gone).await?;
                let text = format!(
                    "INSERT INTO sqlite_sequence (name, seq) \
                     SELECT $1, MAX($2, COALESCE((SELECT MAX(id) FROM {name}), 0))"
                );
                self.run(text, vec![Value::from(&table.name), Value::from(next - 1)]).await
            }
            Dialect::Postgres => {
                let text = format!(
                    "SELECT setval(pg_get_serial_sequence($1, 'id'), \
                     GREATEST($2, COALESCE((SELECT MAX(id) + 1 FROM {name}), 1)), false)"
                );
                self.run(text, vec![Value::from(&table.name), Value::from(next)]).await
            }
        }
    }

    /// A text made of names of the catalogue, with its values.
    async fn run(&mut self, text: String, values: Vec<Value>) -> Result<(), StoreError> {
        if values.iter().any(Value::has_nul) {
            return Err(StoreError::NulInText);
        }
        self.run_statement(Statement { text, values }).await.map(drop)
    }
}

fn rows_at_once(width: usize) -> usize {
    (VALUES_AT_ONCE / width).clamp(1, 500)
}
