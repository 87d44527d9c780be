//! All that differs between the two engines in the SQL that domains write.

use super::Sql;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// A table whose text can be searched: on Postgres its column has a trigram index, on SQLite a full-text
/// table of the same rowids stands beside it, kept by triggers.
#[derive(Clone, Copy, Debug)]
pub struct Searchable {
    /// `operation_runs r`: the table with its alias.
    pub table: &'static str,
    /// `r.search_text`: lower-cased when it was written.
    pub column: &'static str,
    /// `r.id`
    pub id: &'static str,
    /// `operation_search`: SQLite's full-text table.
    pub index: &'static str,
}

/// How to search: what to select from, and by which column the rows come in order of their id.
pub struct Search {
    /// `FROM … WHERE …`; more conditions go on with ` AND `.
    pub from_where: Sql,
    /// To order by and to page by: on SQLite the full-text table's own, or every hit would be sorted.
    pub id: &'static str,
}

impl Dialect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Begins a write. A deferred `BEGIN` on SQLite fails under writers at once, whatever the busy timeout.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The database's own clock, in microseconds. Prefer [`super::Tx::now`] as an argument: tests can hold
    /// that one still.
    pub const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// At the end of a SELECT that claims work: others skip these rows. SQLite has one writer anyhow.
    pub const fn claim_lock(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// At the end of a SELECT in a write transaction: others wait for these rows.
    pub const fn row_lock(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Two changes of different tables, in as few statements as the engine can: Postgres waits for the network
    /// after each, and whoever waits for our locks waits along.
    pub fn together(self, one: Sql, other: Sql) -> Vec<Sql> {
        match self {
            Self::Sqlite => vec![one, other],
            Self::Postgres => vec![Sql::new("WITH one AS (").append(one).push(") ").append(other)],
        }
    }

    /// Before a statement whose plan is asked for.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Sqlite => "EXPLAIN QUERY PLAN ",
            Self::Postgres => "EXPLAIN ",
        }
    }

    /// Rows whose text contains `words`, whatever the case of either.
    pub fn search(self, what: &Searchable, words: &str) -> Search {
        let words = words.to_lowercase();
        // The index knows runs of three characters; shorter words are looked for in the rows themselves.
        if self == Self::Sqlite && words.chars().count() >= 3 {
            return Search {
                from_where: Sql::new(" FROM ")
                    .push(what.index)
                    .push(" s CROSS JOIN ")
                    .push(what.table)
                    .push(" ON ")
                    .push(what.id)
                    .push(" = s.rowid WHERE s.")
                    .push(what.index)
                    .push(" MATCH ")
                    .arg(trigrams(&words))
                    .push(" AND instr(")
                    .push(what.column)
                    .push(", ")
                    .arg(words)
                    .push(") > 0"),
                id: "s.rowid",
            };
        }
        like(what, &words, Sql::new(" FROM ").push(what.table).push(" WHERE ").push(what.column))
    }

    /// The same, looked for in the rows themselves: for a few ids that is less work than a look into the index
    /// of words, where a frequent word costs the same however few of its rows are wanted.
    pub fn search_rows(what: &Searchable, words: &str) -> Search {
        let column = Sql::new(" FROM ").push(what.table).push(" WHERE (").push(what.column);
        like(what, &words.to_lowercase(), column.push(" || '')"))
    }
}

fn like(what: &Searchable, words: &str, column: Sql) -> Search {
    let pattern = format!("%{}%", escape_like(words));
    Search { from_where: column.push(" LIKE ").arg(pattern).push(" ESCAPE '\\'"), id: what.id }
}

/// `LIKE`'s own characters, taken literally. Goes with `ESCAPE '\'`.
pub fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Every run of three characters as an FTS5 string, all of which must be there. They narrow; the row decides.
fn trigrams(words: &str) -> String {
    let chars: Vec<char> = words.chars().collect();
    let mut runs: Vec<String> = chars
        .windows(3)
        .map(|run| format!("\"{}\"", run.iter().collect::<String>().replace('"', "\"\"")))
        .collect();
    runs.sort_unstable();
    runs.dedup();
    runs.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(escape_like(r"50%_\"), r"50\%\_\\");
        assert_eq!(trigrams("a\"bc"), "\"\"\"bc\" AND \"a\"\"b\"");
    }
}
