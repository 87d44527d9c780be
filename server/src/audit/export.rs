//! The log, or what a query finds of it, as one file: streamed, oldest first, with the query and the chain's anchor in
//! it.
//!
//! The export writes its own audit row first, so whoever looks at the log sees that it was taken, whether or not the
//! stream came to its end. Then the head is fixed and signed: rows behind it are not in the file. Memory stays the
//! same however long the file is, and no transaction is held open.

use std::collections::VecDeque;

use app::{
    audit::View,
    error::ApiError,
    identity::{Caller, Permit, Reach},
    list::ListQuery,
    time::Micros,
};
use futures::{Stream, stream};
use sha2::{Digest as _, Sha256};

use super::{
    AuditService, SignedHead,
    bundle::{self, Exporter, Header, Seal, Sealed},
    csv,
    heads::sign_end,
    service::refused,
    store::{self, Link, entries::ENTRIES},
};
use crate::{
    journal::{AuditRow, encoding::Field},
    store::{Db, StoreError, list},
    vault::ChainKeys,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For spreadsheets: to be read.
    Csv,
    /// The bundle: to be verified.
    Ndjson,
}

impl Format {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// Rows that are read and written at once.
const CHUNK: usize = 500;

/// Why a file that was begun has no end.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("row {0} was pruned, or is missing: run `quarterdeck audit verify`")]
    Gap(i64),
}

/// A file that is about to be sent.
pub struct Export {
    db: Db,
    chain: ChainKeys,
    format: Format,
    reach: Reach,
    query: ListQuery,
    header: Header,
    head: SignedHead,
}

impl AuditService {
    /// Writes the audit row of the export and fixes its end.
    pub async fn export(
        &self,
        permit: &Permit<View>,
        format: Format,
        query: &ListQuery,
    ) -> Result<Export, ApiError> {
        let resolved = self.resolved(query).await?;
        let begun = self.begin(permit, format, query, resolved).await;
        begun.map_err(refused)
    }

    async fn begin(
        &self,
        permit: &Permit<View>,
        format: Format,
        query: &ListQuery,
        resolved: ListQuery,
    ) -> Result<Export, StoreError> {
        let db = self.db.clone();
        let chain = db.chain().cloned().ok_or(StoreError::NoChain)?;
        let caller = permit.caller();
        let asked = query.to_query_string();
        let row = AuditRow::allowed(caller, "audit.export")
            .target("audit", "log", "Audit log")
            .capability(app::identity::Capability::AuditView)
            .detail("format", format.as_str())
            .detail("query", asked.clone());
        db.begin().await?.commit(vec![row]).await?;
        let head = sign_head(&db, &chain).await?;
        let checkpoint = store::checkpoint(&db).await?.signed;
        let whole_chain = !query.is_filtered() && *permit.reach() == Reach::Everything;
        let header = Header {
            kind: bundle::KIND.to_owned(),
            version: bundle::VERSION,
            exported_at: head.at,
            exported_by: exporter(caller),
            request_id: caller.request_id.clone(),
            query: asked,
            whole_chain,
            head: head.to_string(),
            checkpoint: checkpoint.map(|checkpoint| checkpoint.to_string()),
        };
        let reach = permit.reach().clone();
        Ok(Export { db, chain, format, reach, query: resolved, header, head })
    }
}

fn exporter(caller: &Caller) -> Exporter {
    Exporter {
        kind: caller.kind.as_str().to_owned(),
        id: caller.id.clone(),
        name: caller.name.clone(),
    }
}

/// The head at this moment, signed, kept and logged like those of every five minutes. An end that is not as it was
/// left is signed by no export either.
async fn sign_head(db: &Db, chain: &ChainKeys) -> Result<SignedHead, StoreError> {
    let signed = sign_end(db, chain, store::ends(db).await?).await?;
    let reason = || "does not fit the end of the audit log".to_owned();
    signed.ok_or_else(|| StoreError::Column { column: "audit_head", reason: reason() })
}

impl Export {
    /// `quarterdeck-audit-20261121T093000Z.csv`.
    pub fn file_name(&self) -> String {
        let at = self.head.at.timestamp().strftime("%Y%m%dT%H%M%SZ");
        format!("quarterdeck-audit-{at}.{}", self.format.as_str())
    }

    pub fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    /// The file, piece by piece. An error ends it without its seal, so that nobody takes it for whole.
    pub fn stream(self) -> impl Stream<Item = Result<String, Ended>> + Send {
        let writer = Writer {
            above: self.header.checkpoint_seq(),
            expected: self.header.checkpoint_seq() + 1,
            export: self,
            stage: Stage::Header,
            ids: VecDeque::new(),
            digest: Sha256::new(),
            rows: 0,
            first_prev: None,
            last_hash: None,
        };
        stream::try_unfold(writer, Writer::next)
    }
}

impl Header {
    fn checkpoint_seq(&self) -> i64 {
        let checkpoint = self.checkpoint.as_deref().and_then(|text| text.parse().ok());
        checkpoint.map_or(0, |checkpoint: super::Checkpoint| checkpoint.seq())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    End,
}

struct Writer {
    export: Export,
    stage: Stage,
    /// Numbers found and not yet read.
    ids: VecDeque<i64>,
    /// Up to here numbers were looked for.
    above: i64,
    /// The next row of a whole chain.
    expected: i64,
    digest: Sha256,
    rows: u64,
    first_prev: Option<String>,
    last_hash: Option<String>,
}

impl Writer {
    async fn next(mut self) -> Result<Option<(String, Self)>, Ended> {
        let piece = match self.stage {
            Stage::Header => {
                self.stage = Stage::Rows;
                match self.export.format {
                    Format::Csv => csv::opening(&self.export.header),
                    Format::Ndjson => self.export.header.line(),
                }
            }
            Stage::Rows => match self.rows().await {
                Ok(Some(rows)) => rows,
                Ok(None) => {
                    self.stage = Stage::End;
                    return Ok(Some((self.seal(), self)));
                }
                Err(error) => {
                    tracing::error!(%error, "An export of the audit log ended before its end.");
                    return Err(error);
                }
            },
            Stage::End => return Ok(None),
        };
        self.digest.update(&piece);
        Ok(Some((piece, self)))
    }

    /// The next rows as text; none when there are no more.
    async fn rows(&mut self) -> Result<Option<String>, Ended> {
        let Export { db, reach, query, head, .. } = &self.export;
        while self.ids.is_empty() && self.above < head.seq {
            let found = list::walk(db, &ENTRIES, reach, query, self.above, head.seq).await?;
            self.ids.extend(found.0);
            self.above = found.1;
        }
        let chunk: Vec<i64> = self.ids.drain(..self.ids.len().min(CHUNK)).collect();
        let Some(first) = chunk.first() else { return self.ended().map(|()| None) };
        let links = store::links_of(&self.export.db, &chunk).await?;
        if links.len() != chunk.len() {
            return Err(Ended::Gap(*first));
        }
        let mut out = String::new();
        for (seq, link) in links {
            if self.export.header.whole_chain && seq != self.expected {
                return Err(Ended::Gap(self.expected));
            }
            self.expected = seq + 1;
            self.write(&mut out, &link);
        }
        Ok(Some(out))
    }

    /// Whether a whole chain came to its head.
    fn ended(&self) -> Result<(), Ended> {
        let short = self.export.header.whole_chain && self.expected <= self.export.head.seq;
        if short { Err(Ended::Gap(self.expected)) } else { Ok(()) }
    }

    fn write(&mut self, out: &mut String, link: &Link) {
        self.rows += 1;
        if self.first_prev.is_none() {
            self.first_prev = link.prev.as_deref().map(bundle::text);
        }
        self.last_hash = link.hash.as_deref().map(bundle::text);
        match self.export.format {
            Format::Csv => csv::row(out, link),
            Format::Ndjson => out.push_str(&bundle::row_line(self.rows, link)),
        }
    }

    fn seal(&mut self) -> String {
        let seal = Seal {
            rows: self.rows,
            sha256: bundle::text(&std::mem::take(&mut self.digest).finalize()),
            first_prev: self.first_prev.take(),
            last_hash: self.last_hash.take(),
            head: self.export.header.head.clone(),
            key: String::new(),
        };
        let sealed = Sealed::sign(&self.export.chain, seal);
        match self.export.format {
            Format::Csv => csv::closing(&sealed),
            Format::Ndjson => sealed.line(),
        }
    }
}

/// A field as a spreadsheet shows it.
pub(super) fn cell(name: &str, field: &Field) -> String {
    match field {
        Field::Number(Some(number)) if name == "at" => Micros(*number).to_string(),
        Field::Number(number) => number.map(|number| number.to_string()).unwrap_or_default(),
        Field::Text(text) => text.clone().unwrap_or_default(),
    }
}
