//! Verifies an exported bundle with the key ring alone, and names the first line that is not as it was written.
//!
//! | bundle | proves |
//! |---|---|
//! | of the whole chain | every row from the first that was kept to the signed head, none missing |
//! | of a query | each row as it was written, and that the file is as it was exported; not what lies between its rows |

use std::io::{self, BufRead, Read as _};

use sha2::{Digest as _, Sha256};

use super::{
    Checkpoint, SignedHead,
    bundle::{self, Header, Sealed},
    link,
    store::Link,
    verify::Fault,
};
use crate::{
    journal::encoding::{Field, Hash, START},
    vault::ChainKeys,
};

/// No line of ours is longer; what is longer is no bundle, and must not fill the memory.
const LINE_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub enum BundleVerdict {
    Whole(WholeBundle),
    Broken(BrokenBundle),
}

/// What was looked at.
#[derive(Debug)]
pub struct WholeBundle {
    pub header: Header,
    pub rows: u64,
    /// The first and the last row's number.
    pub span: Option<(i64, i64)>,
}

/// The first line that is not as it was written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {fault}", .row.map(|row| format!(", row {row}")).unwrap_or_default())]
pub struct BrokenBundle {
    pub line: u64,
    pub row: Option<i64>,
    pub fault: BundleFault,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    #[error("this is not the first line of a bundle that this version knows")]
    Header,
    #[error("the line is not spelled as an export spells it")]
    Spelling,
    #[error("the file ends here, without its seal: its end was cut off")]
    NoSeal,
    #[error("something stands behind the seal")]
    AfterSeal,
    #[error("the row that should stand here, number {0} of the bundle, is missing")]
    MissingLine(u64),
    #[error("the row {0}")]
    Row(Fault),
    #[error("it stands behind a row with a higher number")]
    Order,
    #[error("the signed head is not one of this key ring")]
    Head,
    #[error("it is not the last row that the signed head names")]
    NotHead,
    #[error("it is not the row that the given head names")]
    GivenHead,
    #[error(
        "the bundle begins after the chain does, and no checkpoint of this key ring says that rows were pruned"
    )]
    Checkpoint,
    #[error("the seal names the key {0:?}, which the key ring does not have")]
    SealKey(String),
    #[error("the seal is not one of this key ring")]
    SealSignature,
    #[error("the seal is of another bundle: it counts {0} rows")]
    SealRows(u64),
    #[error("the seal is of another bundle: something above it was changed after it was sealed")]
    SealDigest,
}

/// Why nothing can be said of the bundle.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the bundle does not hold row {0}, which the given head names")]
    NoSuchRow(i64),
    #[error("the given head is not one that this key ring signed")]
    GivenHead,
}

pub fn verify_bundle(
    mut file: impl BufRead,
    chain: &ChainKeys,
    given: Option<&SignedHead>,
) -> Result<BundleVerdict, Unread> {
    if given.is_some_and(|head| head.check(chain).is_err()) {
        return Err(Unread::GivenHead);
    }
    let mut lines = Lines { file: &mut file, line: 0 };
    let broken = |line, row, fault| Ok(BundleVerdict::Broken(BrokenBundle { line, row, fault }));
    let Some(mut walk) = lines.next()?.and_then(|first| Walk::begin(&first, chain)) else {
        return broken(1, None, BundleFault::Header);
    };
    if let Err(fault) = walk.anchors() {
        return broken(1, None, fault);
    }
    loop {
        let Some(text) = lines.next()? else {
            return broken(lines.line, None, BundleFault::NoSeal);
        };
        if text.starts_with("{\"seal\":") {
            if let Err(fault) = walk.sealed(&text) {
                return broken(lines.line, None, fault);
            }
            if lines.next()?.is_some() {
                return broken(lines.line, None, BundleFault::AfterSeal);
            }
            return walk.whole(given);
        }
        if let Err((row, fault)) = walk.step(&text, given) {
            return broken(lines.line, row, fault);
        }
    }
}

struct Lines<'a, R> {
    file: &'a mut R,
    line: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// With its end; one that has none was cut, and is spelled like no line of ours. None at the end of the file.
    fn next(&mut self) -> io::Result<Option<String>> {
        self.line += 1;
        let mut bytes = Vec::new();
        self.file.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)?;
        // What is no text is no line of ours either, whatever stands in the place of the rest.
        Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

struct Walk<'a> {
    chain: &'a ChainKeys,
    header: Header,
    head: Option<SignedHead>,
    digest: Sha256,
    rows: u64,
    span: Option<(i64, i64)>,
    first_prev: Option<Hash>,
    last_hash: Option<Hash>,
    found_given: bool,
}

impl<'a> Walk<'a> {
    fn begin(first: &str, chain: &'a ChainKeys) -> Option<Self> {
        let header: Header = bundle::read(first)?;
        let known = header.kind == bundle::KIND && header.version == bundle::VERSION;
        let mut digest = Sha256::new();
        digest.update(first);
        known.then(|| Self {
            chain,
            head: header.head.parse().ok(),
            header,
            digest,
            rows: 0,
            span: None,
            first_prev: None,
            last_hash: None,
            found_given: false,
        })
    }

    /// What the first line brings must be signed.
    fn anchors(&self) -> Result<(), BundleFault> {
        let signed = self.head.as_ref().is_some_and(|head| head.check(self.chain).is_ok());
        if signed { Ok(()) } else { Err(BundleFault::Head) }
    }

    fn step(
        &mut self,
        text: &str,
        given: Option<&SignedHead>,
    ) -> Result<(), (Option<i64>, BundleFault)> {
        let (n, row) = bundle::read_row(text).ok_or((None, BundleFault::Spelling))?;
        if n != self.rows + 1 {
            return Err((None, BundleFault::MissingLine(self.rows + 1)));
        }
        let Field::Number(Some(seq)) = row.fields.0[0] else {
            return Err((None, BundleFault::Spelling));
        };
        let hash = self.check(seq, &row).map_err(|fault| (Some(seq), fault))?;
        if let Some(head) = given.filter(|head| head.seq == seq) {
            if head.hash != hash {
                return Err((Some(seq), BundleFault::GivenHead));
            }
            self.found_given = true;
        }
        self.digest.update(text);
        self.rows += 1;
        self.span = Some((self.span.map_or(seq, |(first, _)| first), seq));
        self.last_hash = Some(hash);
        Ok(())
    }

    fn check(&mut self, seq: i64, row: &Link) -> Result<Hash, BundleFault> {
        let proven = link::prove(self.chain, row).map_err(BundleFault::Row)?;
        if self.span.is_some_and(|(_, last)| seq <= last) {
            return Err(BundleFault::Order);
        }
        if self.header.whole_chain {
            match (self.span, self.last_hash) {
                (Some((_, last)), Some(hash)) => {
                    if seq != last + 1 {
                        return Err(BundleFault::Row(Fault::Gap { next: seq }));
                    }
                    if proven.prev != hash {
                        return Err(BundleFault::Row(Fault::Prev));
                    }
                }
                _ => self.is_first(seq, &proven.prev)?,
            }
        }
        self.first_prev.get_or_insert(proven.prev);
        Ok(proven.hash)
    }

    /// A chain begins with row 1, or after a checkpoint.
    fn is_first(&self, seq: i64, prev: &Hash) -> Result<(), BundleFault> {
        if seq == 1 && *prev == START {
            return Ok(());
        }
        let checkpoint = self.header.checkpoint.as_deref();
        let checkpoint = checkpoint.and_then(|text| text.parse::<Checkpoint>().ok());
        let fits = checkpoint.is_some_and(|checkpoint| {
            checkpoint.check(self.chain).is_ok()
                && checkpoint.seq() == seq - 1
                && checkpoint.hash() == *prev
        });
        if fits { Ok(()) } else { Err(BundleFault::Checkpoint) }
    }

    fn sealed(&self, text: &str) -> Result<(), BundleFault> {
        let sealed: Sealed = bundle::read(text).ok_or(BundleFault::Spelling)?;
        match sealed.is_ours(self.chain) {
            None => return Err(BundleFault::SealKey(sealed.seal.key)),
            Some(false) => return Err(BundleFault::SealSignature),
            Some(true) => {}
        }
        let seal = sealed.seal;
        if seal.rows != self.rows {
            return Err(BundleFault::SealRows(seal.rows));
        }
        let text = |hash: Option<Hash>| hash.map(|hash| bundle::text(&hash));
        let same = seal.sha256 == bundle::text(&self.digest.clone().finalize())
            && seal.first_prev == text(self.first_prev)
            && seal.last_hash == text(self.last_hash)
            && seal.head == self.header.head;
        if !same {
            return Err(BundleFault::SealDigest);
        }
        let end = self.span.map(|(_, last)| last).zip(self.last_hash);
        let is_head = self.head.as_ref().map(|head| (head.seq, head.hash)) == end;
        if self.header.whole_chain && !is_head { Err(BundleFault::NotHead) } else { Ok(()) }
    }

    fn whole(self, given: Option<&SignedHead>) -> Result<BundleVerdict, Unread> {
        if let Some(head) = given.filter(|_| !self.found_given) {
            return Err(Unread::NoSuchRow(head.seq));
        }
        let Self { header, rows, span, .. } = self;
        Ok(BundleVerdict::Whole(WholeBundle { header, rows, span }))
    }
}
