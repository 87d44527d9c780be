//! How many nodes are not ready, out of the table that the API server draws of them: a line per node, not an object.

use serde::Deserialize;

use super::state::NodesReading;
use crate::fleet::ask;

const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
const PAGE: usize = 500;
/// Far more nodes than a cluster has.
const PAGES: usize = 40;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Table {
    metadata: Meta,
    column_definitions: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    r#continue: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Column {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    cells: Vec<serde_json::Value>,
}

pub async fn look(client: &kube::Client) -> NodesReading {
    let (mut all, mut not_ready) = (0, 0);
    let mut from = String::new();
    for _ in 0..PAGES {
        let path = format!("/api/v1/nodes?limit={PAGE}&includeObject=None{from}");
        let Ok(table) = ask::read::<Table>(client, &path, TABLE).await else {
            return NodesReading::Unread;
        };
        let Some((there, ill)) = counted(&table) else { return NodesReading::Unread };
        all += there;
        not_ready += ill;
        if table.metadata.r#continue.is_empty() {
            return NodesReading::Counted { not_ready, all };
        }
        let token = table.metadata.r#continue;
        // Base64 of the API server's own; what would break out of a query is not among its letters.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '.');
        if !token.chars().all(plain) {
            return NodesReading::Unread;
        }
        from = format!("&continue={token}");
    }
    NodesReading::Unread
}

/// All, and those that are not ready; none when the table is not one of nodes.
fn counted(table: &Table) -> Option<(usize, usize)> {
    if table.rows.is_empty() {
        return Some((0, 0));
    }
    let status = table.column_definitions.iter().position(|column| column.name == "Status")?;
    let mut not_ready = 0;
    for row in &table.rows {
        // `Ready,SchedulingDisabled` is a node that was cordoned and is well.
        let said = row.cells.get(status)?.as_str()?;
        not_ready += usize::from(said.split(',').next() != Some("Ready"));
    }
    Some((table.rows.len(), not_ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[&str]) -> Table {
        let rows: Vec<_> =
            cells.iter().map(|status| serde_json::json!({ "cells": ["n", status] })).collect();
        let columns = serde_json::json!([{ "name": "Name" }, { "name": "Status" }]);
        let table = serde_json::json!({ "columnDefinitions": columns, "rows": rows });
        serde_json::from_value(table).expect("a table")
    }

    #[test]
    fn a_cordoned_node_is_ready_and_one_that_says_nothing_is_not() {
        let all = ["Ready", "Ready,SchedulingDisabled", "NotReady", "Unknown", "NotReady,X"];
        assert_eq!(counted(&table(&all)), Some((5, 3)));
        assert_eq!(counted(&table(&[])), Some((0, 0)));
        let mut other = table(&["Ready"]);
        other.column_definitions.clear();
        assert_eq!(counted(&other), None, "no guess at what a column means");
    }
}
