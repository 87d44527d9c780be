//! The log for spreadsheets: RFC 4180, every cell quoted.
//!
//! Before the names of the columns stand lines that begin with `#`, one cell each: what was asked, by whom, when, and
//! the signed head; the last line is the seal, with the digest of every byte before it. A cell that a spreadsheet
//! would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a line's end, whatever space stands before) has
//! an apostrophe in front. So a CSV is to be read; what verifies is the bundle.

use super::{
    bundle::{self, Header, Sealed},
    export::cell,
    store::Link,
};
use crate::journal::encoding::COLUMNS;

const CHAIN: [&str; 4] = ["hash_version", "hash_key", "prev_hash", "hash"];

/// The lines before the rows, and the names of the columns.
pub fn opening(header: &Header) -> String {
    let by = &header.exported_by;
    let scope = if header.whole_chain {
        "every row of the chain"
    } else {
        "the rows that the query finds within reach; it does not show what lies between them"
    };
    let mut lines = vec![
        format!("# Quarterdeck audit log, exported {}", header.exported_at),
        format!("# by {} ({} {})", by.name, by.kind, by.id),
        format!("# query: {}", header.query),
        format!("# holds {scope}"),
        format!("# head: {}", header.head),
    ];
    lines.extend(header.checkpoint.iter().map(|text| format!("# checkpoint: {text}")));
    let mut out = String::new();
    for line in lines {
        write(&mut out, [line.as_str()]);
    }
    write(&mut out, COLUMNS.iter().map(|(name, _)| *name).chain(CHAIN));
    out
}

pub fn row(out: &mut String, link: &Link) {
    let mut cells: Vec<String> =
        link.fields.0.iter().zip(COLUMNS).map(|(field, (name, _))| cell(name, field)).collect();
    cells.push(link.version.map(|version| version.to_string()).unwrap_or_default());
    cells.push(link.key.clone().unwrap_or_default());
    cells.extend(
        [&link.prev, &link.hash].map(|hash| hash.as_deref().map(bundle::text).unwrap_or_default()),
    );
    write(out, cells.iter().map(String::as_str));
}

/// The last line.
pub fn closing(sealed: &Sealed) -> String {
    let mut out = String::new();
    write(&mut out, [format!("# seal: {}", sealed.line().trim_end()).as_str()]);
    out
}

fn write<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (n, cell) in cells.into_iter().enumerate() {
        out.push_str(if n == 0 { "\"" } else { ",\"" });
        if is_formula(cell) {
            out.push('\'');
        }
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
}

fn is_formula(cell: &str) -> bool {
    cell.starts_with(['\t', '\r', '\n'])
        || cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
            && cell.parse::<i64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n", "＝1", "--1"] {
            assert!(is_formula(cell), "{cell:?}");
        }
        for cell in ["", "-1", "42", "a=1", "user@host", "2026-11-21T09:30:00Z"] {
            assert!(!is_formula(cell), "{cell:?}");
        }
        let mut out = String::new();
        write(&mut out, ["=HYPERLINK(\"x\")", "a\"b\nc,d", ""]);
        assert_eq!(out, "\"'=HYPERLINK(\"\"x\"\")\",\"a\"\"b\nc,d\",\"\"\r\n");
    }
}
