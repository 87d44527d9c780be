//! One list query as conditions, and the SQL of each way to answer it.

use app::{
    identity::Reach,
    list::{FilterKind, ListQuery, WINDOW},
    time::Micros,
};

use super::{
    LEADER_COST, LEADER_MAX, Range, SLACK_MICROS, SLICE, SLICE_MAX, SLICE_WORDS_MAX, Table, Way,
};
use crate::store::{Db, Dialect, Sql, StoreError, Value, escape_like};

/// A column that must hold one of some values.
struct Any {
    column: &'static str,
    values: Vec<Value>,
}

/// What a list is asked for.
pub(super) struct Ask<'a> {
    pub table: &'a Table,
    any: Vec<Any>,
    since: Option<i64>,
    until: Option<i64>,
    words: Option<String>,
    /// The condition that leads, when one has few rows.
    leader: Option<usize>,
}

/// How a condition stands in the SQL.
#[derive(Clone, Copy)]
enum Use {
    /// An index may serve it.
    Free,
    /// As an expression that no index serves, so that the index we chose is taken.
    Checked,
}

impl<'a> Ask<'a> {
    /// `None` when nothing can match: the reach and the filter have no workspace in common.
    pub fn read(table: &'a Table, reach: &Reach, query: &ListQuery) -> Option<Self> {
        let mut ask =
            Self { table, any: Vec::new(), since: None, until: None, words: None, leader: None };
        let mut reach = match reach {
            Reach::Everything => None,
            Reach::Workspaces(ids) => Some(ids.clone()),
        };
        // What no column holds is for the domain to answer.
        for filter in table.filters.iter().filter(|filter| !filter.column.is_empty()) {
            let values = query.values(filter.key);
            let Some(first) = values.first() else { continue };
            match filter.kind {
                FilterKind::Search => ask.words = Some(first.clone()),
                FilterKind::Since => ask.since = first.parse().ok().map(|at: Micros| at.0),
                FilterKind::Until => ask.until = first.parse().ok().map(|at: Micros| at.0),
                FilterKind::OneOf(_) | FilterKind::Exact => {
                    let values = values.iter().map(Value::from).collect();
                    ask.any.push(Any { column: filter.column, values });
                }
                FilterKind::Integer => {
                    let mut ids: Vec<i64> = values.iter().filter_map(|v| v.parse().ok()).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    if table.workspace.ends_with(filter.column)
                        && let Some(reach) = reach.take()
                    {
                        ids.retain(|id| reach.contains(id));
                    }
                    if ids.is_empty() {
                        return None;
                    }
                    ask.push_ids(filter.column, ids);
                }
            }
        }
        if let Some(reach) = reach {
            if reach.is_empty() {
                return None;
            }
            ask.push_ids(table.workspace, reach);
        }
        ask.without_implied().then_some(ask)
    }

    /// Leaves out the conditions that others imply. False when two contradict each other.
    fn without_implied(&mut self) -> bool {
        for rule in self.table.implied {
            let (column, value) = rule.implied;
            let holds = |any: &Any| {
                let says = |v: &Value| {
                    self.table.implied.iter().any(|r| {
                        r.column == rule.column
                            && r.implied == rule.implied
                            && *v == Value::from(r.value)
                    })
                };
                any.column == rule.column && any.values.iter().all(says)
            };
            if !self.any.iter().any(holds) {
                continue;
            }
            if let Some(n) = self.any.iter().position(|any| any.column == column) {
                if !self.any[n].values.contains(&Value::from(value)) {
                    return false;
                }
                self.any.remove(n);
            }
        }
        true
    }

    fn push_ids(&mut self, column: &'static str, ids: impl IntoIterator<Item = i64>) {
        self.any.push(Any { column, values: ids.into_iter().map(Value::from).collect() });
    }

    /// Nothing is asked for but the list itself.
    pub fn is_open(&self) -> bool {
        self.any.is_empty() && self.words.is_none() && !self.has_times()
    }

    /// Whether few rows of the table have what the condition on this column asks for; that condition leads, then.
    pub async fn lead_by(
        &mut self,
        db: &Db,
        column: &'static str,
        all: &Range,
        most: i64,
    ) -> Result<bool, StoreError> {
        let Some(n) = self.any.iter().position(|any| any.column == column) else {
            return Ok(false);
        };
        let few = self.rows_of(db, n, all, most + 1).await? <= most;
        self.leader = few.then_some(n);
        Ok(few)
    }

    /// The rows that one condition alone has, counted up to `most`.
    async fn rows_of(&self, db: &Db, n: usize, all: &Range, most: i64) -> Result<i64, StoreError> {
        let sql = Sql::new("SELECT COUNT(*) AS n FROM (SELECT ")
            .push(self.table.id)
            .push(" FROM ")
            .push(self.table.from)
            .push(" WHERE ");
        let sql = ids_between(self.any[n].push(sql, Use::Free), self.table.id, all);
        super::count(db, sql.push(" LIMIT ").arg(most).push(") counted")).await
    }

    pub fn has_words(&self) -> bool {
        self.words.is_some()
    }

    fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The ids that can match at all; `None` when there are none. Times become ids here.
    pub async fn bounds(&mut self, db: &Db) -> Result<Option<Range>, StoreError> {
        let sql = Sql::new("SELECT MIN(low) AS low, MAX(high) AS high FROM (SELECT MIN(")
            .push(self.table.id)
            .push(") AS low, NULL AS high FROM ")
            .push(self.table.from)
            .push(" UNION ALL SELECT NULL, MAX(")
            .push(self.table.id)
            .push(") FROM ")
            .push(self.table.from)
            .push(") ends");
        let row = db.fetch_one(sql).await?;
        let (Some(low), Some(high)) = (row.opt_i64("low")?, row.opt_i64("high")?) else {
            return Ok(None);
        };
        let mut range = Range { above: low - 1, below: high + 1, upwards: false };
        if let Some(since) = self.since {
            let Some(id) = self.edge(db, " >= ", since.saturating_sub(SLACK_MICROS), "").await?
            else {
                return Ok(None);
            };
            range.above = range.above.max(id - 1);
        }
        if let Some(until) = self.until {
            let Some(id) =
                self.edge(db, " < ", until.saturating_add(SLACK_MICROS), " DESC").await?
            else {
                return Ok(None);
            };
            range.below = range.below.min(id + 1);
        }
        Ok((!range.is_empty()).then_some(range))
    }

    async fn edge(
        &self,
        db: &Db,
        operator: &'static str,
        at: i64,
        order: &'static str,
    ) -> Result<Option<i64>, StoreError> {
        let table = self.table;
        let sql = Sql::new("SELECT ")
            .push(table.id)
            .push(" AS id FROM ")
            .push(table.from)
            .push(" WHERE ")
            .push(table.created)
            .push(operator)
            .arg(at)
            .push(" ORDER BY ")
            .push(table.created)
            .push(order)
            .push(", ")
            .push(table.id)
            .push(order)
            .push(" LIMIT 1");
        db.fetch_optional(sql).await?.map(|row| row.i64("id")).transpose()
    }

    /// Chooses the way, by counting no further than a leader may have rows.
    pub async fn way(&mut self, db: &Db, all: Range) -> Result<Way, StoreError> {
        if self.has_words() {
            return Ok(Way::Slices);
        }
        if self.any.len() + usize::from(self.has_times()) <= 1 {
            return Ok(Way::Index);
        }
        let few = LEADER_MAX.min(all.len() / LEADER_COST);
        Ok(if self.lead_by_fewest(db, &all, few).await? { Way::Leader } else { Way::Slices })
    }

    /// Lets the condition lead that has the fewest rows, if these are few enough.
    pub async fn lead_by_fewest(
        &mut self,
        db: &Db,
        all: &Range,
        most: i64,
    ) -> Result<bool, StoreError> {
        let mut fewest = most + 1;
        for n in 0..self.any.len() {
            let rows = self.rows_of(db, n, all, fewest).await?;
            if rows < fewest {
                fewest = rows;
                self.leader = Some(n);
            }
        }
        Ok(self.leader.is_some())
    }

    /// The first slice, and the largest.
    pub fn slices(&self, dialect: Dialect) -> (i64, i64) {
        match &self.words {
            Some(words) if words.chars().count() >= 3 => match dialect {
                Dialect::Sqlite => (SLICE_WORDS_MAX / 4, SLICE_WORDS_MAX),
                Dialect::Postgres => (SLICE, SLICE_WORDS_MAX),
            },
            Some(_) => (SLICE, SLICE * 2),
            None => (SLICE, SLICE_MAX),
        }
    }

    /// Ids by one filter's index, newest first: for each value its own newest, then the newest of these.
    pub fn ids_by_index(&self, range: &Range, need: i64) -> Sql {
        let table = self.table;
        let Some(any) = self.any.first() else {
            let sql = Sql::new("SELECT ").push(table.id).push(" AS id FROM ").push(table.from);
            let sql = ids_between(sql.push(" WHERE 1 = 1"), table.id, range);
            return ordered(self.times(sql, Use::Checked), range, table.id);
        };
        let mut sql = Sql::new("SELECT id FROM (");
        for (n, value) in any.values.iter().enumerate() {
            let arm =
                Sql::new(if n == 0 { "SELECT id FROM (" } else { " UNION ALL SELECT id FROM (" })
                    .push("SELECT ")
                    .push(table.id)
                    .push(" AS id FROM ")
                    .push(table.from)
                    .push(" WHERE ")
                    .push(any.column)
                    .push(" = ")
                    .arg(value.clone());
            let arm = ordered(ids_between(arm, table.id, range), range, table.id);
            sql = sql.append(arm).push(" LIMIT ").arg(need).push(") arm");
        }
        ordered(sql.push(") arms"), range, "id")
    }

    pub fn count_by_index(&self, all: &Range) -> Sql {
        let table = self.table;
        let sql = Sql::new("SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM ")
            .push(table.from)
            .push(" WHERE ");
        let sql = match self.any.first() {
            Some(any) => any.push(sql, Use::Free),
            None if self.has_times() => self.times(sql.push("1 = 1"), Use::Free),
            None => ids_between(sql.push("1 = 1"), table.id, all),
        };
        sql.push(" LIMIT ").arg(WINDOW + 1).push(") counted")
    }

    /// Ids by the index of the filter that leads.
    pub fn ids_by_leader(&self, range: &Range) -> Sql {
        let sql =
            Sql::new("SELECT ").push(self.table.id).push(" AS id FROM ").push(self.table.from);
        ordered(self.led(sql, range), range, self.table.id)
    }

    pub fn count_by_leader(&self, all: &Range) -> Sql {
        self.led(Sql::new("SELECT COUNT(*) AS n FROM ").push(self.table.from), all)
    }

    /// Every condition as ` AND …`, none of which an index serves: whoever asks has chosen one already.
    pub fn conditions(&self) -> Sql {
        let mut sql = Sql::default();
        for any in &self.any {
            sql = any.push(sql.push(" AND "), Use::Checked);
        }
        if let (Some(words), Some(search)) = (&self.words, &self.table.search) {
            let words = format!("%{}%", escape_like(&words.to_lowercase()));
            sql = sql.push(" AND ").push(search.column).push(" LIKE ").arg(words);
            sql = sql.push(" ESCAPE '\\'");
        }
        self.times(sql, Use::Checked)
    }

    /// ` WHERE …` by the index of the condition that leads.
    pub fn led(&self, sql: Sql, range: &Range) -> Sql {
        let mut sql = sql.push(" WHERE 1 = 1");
        for (n, any) in self.any.iter().enumerate() {
            let way = if self.leader == Some(n) { Use::Free } else { Use::Checked };
            sql = any.push(sql.push(" AND "), way);
        }
        self.times(ids_between(sql, self.table.id, range), Use::Checked)
    }

    /// Every condition, within a slice of ids.
    pub fn ids_in_slice(&self, dialect: Dialect, slice: &Range) -> Sql {
        let (from_where, id) = self.sliced(dialect, slice);
        ordered(Sql::new("SELECT ").push(id).push(" AS id").append(from_where), slice, id)
    }

    /// ` FROM … WHERE …` of that, and the column that holds the id.
    pub fn sliced(&self, dialect: Dialect, slice: &Range) -> (Sql, &'static str) {
        let (mut sql, id) = match (&self.words, &self.table.search) {
            (Some(words), Some(table)) => {
                // The newest few ids are read by themselves: a frequent word is found there at once.
                let search = if dialect == Dialect::Postgres && slice.len() <= SLICE {
                    Dialect::search_rows(table, words)
                } else {
                    dialect.search(table, words)
                };
                (search.from_where, search.id)
            }
            _ => (self.narrow(dialect), self.table.id),
        };
        for any in &self.any {
            sql = any.push(sql.push(" AND "), Use::Free);
        }
        (self.times(ids_between(sql, id, slice), Use::Checked), id)
    }

    /// SQLite prefers the table itself, whose rows are many times as wide.
    fn narrow(&self, dialect: Dialect) -> Sql {
        let sql = Sql::new(" FROM ").push(self.table.from);
        let sql = match dialect {
            Dialect::Sqlite => sql.push(" INDEXED BY ").push(self.table.facets),
            Dialect::Postgres => sql,
        };
        sql.push(" WHERE 1 = 1")
    }

    fn times(&self, mut sql: Sql, way: Use) -> Sql {
        for (at, operator) in [(self.since, " >= "), (self.until, " < ")] {
            if let Some(at) = at {
                let plus = if matches!(way, Use::Checked) { " AND +" } else { " AND " };
                sql = sql.push(plus).push(self.table.created).push(operator).arg(at);
            }
        }
        sql
    }
}

impl Any {
    fn push(&self, sql: Sql, way: Use) -> Sql {
        let integer = matches!(self.values.first(), Some(Value::Integer(_)));
        let sql = match (way, integer) {
            (Use::Free, _) => sql.push(self.column),
            (Use::Checked, true) => sql.push("+").push(self.column),
            (Use::Checked, false) => sql.push("(").push(self.column).push(" || '')"),
        };
        sql.push(" IN ").list(self.values.iter().cloned())
    }
}

fn ids_between(sql: Sql, id: &'static str, range: &Range) -> Sql {
    let sql = sql.push(" AND ").push(id).push(" > ").arg(range.above);
    sql.push(" AND ").push(id).push(" < ").arg(range.below)
}

fn ordered(sql: Sql, range: &Range, id: &'static str) -> Sql {
    sql.push(" ORDER BY ").push(id).push(if range.upwards { "" } else { " DESC" })
}
