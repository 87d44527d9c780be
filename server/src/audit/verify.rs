//! Walks the chain from row to row and names the first that is not as it was written, and why.
//!
//! Reads by number, a page at a time, so that memory stays the same however long the chain is and writers are
//! not kept waiting. What is appended meanwhile is not looked at.

use app::time::Micros;

use super::{
    SignedHead,
    head::Doubt,
    link,
    store::{self, Ends, Link, StoredCheckpoint, StoredHead},
};
use crate::{
    journal::encoding::{Hash, START},
    store::{Db, StoreError},
    vault::ChainKeys,
};

const PAGE: i64 = 500;

/// What to verify: all of it, unless told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// A signed head from outside the database, such as a line of the log.
    pub head: Option<SignedHead>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Whole(Whole),
    Broken(Broken),
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub rows: u64,
    /// The last row's number.
    pub last: i64,
    /// How many signed heads the rows were compared with.
    pub heads: u64,
    /// The last row that was pruned, as a signed checkpoint says; 0 when none was.
    pub pruned_to: i64,
}

/// The first row that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {seq} {fault}")]
pub struct Broken {
    pub seq: i64,
    pub fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("is missing: the next row there is {next}")]
    Gap { next: i64 },
    #[error("stands before the first row")]
    BeforeFirst,
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("has no hash, or only a part of its place in the chain")]
    Unchained,
    #[error("was written in encoding {0}, which this version does not know")]
    UnknownVersion(i64),
    #[error("names the key {0:?}, which the key ring does not have")]
    UnknownKey(String),
    #[error("was changed: its hash is not the hash of what stands in it")]
    Hash,
    #[error("does not follow the row before it: it names another hash than that row has")]
    Prev,
    #[error("is missing: audit_head says that there are {head} rows")]
    CutTail { head: i64 },
    #[error("stands after the last row: audit_head says that there are {head} rows")]
    BeyondHead { head: i64 },
    #[error("has another hash than audit_head says")]
    HeadHash,
    #[error("is missing: a head signed at {at} says that there were {seq} rows")]
    SignedCutTail { at: Micros, seq: i64 },
    #[error("has another hash than the head signed at {at}")]
    SignedHash { at: Micros },
    #[error("has a signed head of its own whose signature is not ours")]
    Signature,
    #[error("is said to be the last one pruned, by a checkpoint whose signature is not ours")]
    Checkpoint,
}

/// Why nothing can be said of the chain.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no row {asked}: the chain ends with row {last}")]
    NoSuchRow { asked: i64, last: i64 },
    #[error("the rows would end before they begin: --from {from} --to {to}")]
    Backwards { from: i64, to: i64 },
    #[error("row {asked} was pruned: the chain begins with row {first}")]
    Pruned { asked: i64, first: i64 },
    #[error("the given head was signed with the key {0:?}, which the key ring does not have")]
    HeadKey(String),
    #[error("the given head is not one that this key ring signed")]
    HeadSignature,
}

pub async fn verify(db: &Db, chain: &ChainKeys, ask: &Ask) -> Result<Verdict, Unverified> {
    verify_telling(db, chain, ask, &|_| ()).await
}

/// The same, and tells after each page which row it has come to.
pub async fn verify_telling(
    db: &Db,
    chain: &ChainKeys,
    ask: &Ask,
    tell: &(dyn Fn(i64) + Send + Sync),
) -> Result<Verdict, Unverified> {
    if let Some(head) = &ask.head {
        head.check(chain).map_err(|doubt| match doubt {
            Doubt::UnknownKey => Unverified::HeadKey(head.key_id.clone()),
            Doubt::OtherSignature => Unverified::HeadSignature,
        })?;
    }
    let mut checkpoint = store::checkpoint(db).await?;
    loop {
        let verdict = verify_after(db, chain, ask, &checkpoint, tell).await?;
        let now = store::checkpoint(db).await?;
        // What was pruned while it was read looks as if it were missing.
        if matches!(verdict, Verdict::Whole(_)) || now.seq <= checkpoint.seq {
            return Ok(verdict);
        }
        checkpoint = now;
    }
}

async fn verify_after(
    db: &Db,
    chain: &ChainKeys,
    ask: &Ask,
    checkpoint: &StoredCheckpoint,
    tell: &(dyn Fn(i64) + Send + Sync),
) -> Result<Verdict, Unverified> {
    let Some(base) = base(chain, checkpoint) else {
        return Ok(Verdict::Broken(Broken { seq: checkpoint.seq, fault: Fault::Checkpoint }));
    };
    let ends = store::ends(db).await?;
    let (from, to) = span(ask, &base, &ends)?;
    if let Some(head) = ask.head.as_ref().filter(|head| head.seq == base.first - 1)
        && head.hash != base.prev
    {
        let fault = Fault::SignedHash { at: head.at };
        return Ok(Verdict::Broken(Broken { seq: head.seq, fault }));
    }
    let mut walk = Walk::begin(db, chain, &ends, &base, from).await?;
    if let Some(broken) = walk.run(to, ask, tell).await? {
        return Ok(Verdict::Broken(broken));
    }
    let Walk { rows, heads, next, .. } = walk;
    Ok(Verdict::Whole(Whole { rows, heads, last: next - 1, pruned_to: base.first - 1 }))
}

/// The first and the last row to look at, if those that were asked for can be there.
fn span(ask: &Ask, base: &Base, ends: &Ends) -> Result<(i64, i64), Unverified> {
    // What stands beyond the head is looked at as well: it must not be there.
    let last = ends.head.max(ends.last);
    let (from, to) = (ask.from.unwrap_or(base.first), ask.to.unwrap_or(last));
    let rows = [ask.from, ask.to].into_iter().flatten();
    if let Some(asked) = rows.clone().find(|asked| *asked < 1 || *asked > last) {
        return Err(Unverified::NoSuchRow { asked, last });
    }
    // The checkpoint still speaks of the row before the first.
    let head = ask.head.as_ref().map(|head| head.seq).filter(|seq| *seq != base.first - 1);
    if let Some(asked) = rows.chain(head).find(|asked| *asked < base.first) {
        return Err(Unverified::Pruned { asked, first: base.first });
    }
    if ask.from.is_some() && from > to {
        return Err(Unverified::Backwards { from, to });
    }
    Ok((from, to))
}

/// Where the chain begins.
struct Base {
    first: i64,
    /// What the first row follows.
    prev: Hash,
}

/// None when the checkpoint is not one that this key ring signed.
fn base(chain: &ChainKeys, checkpoint: &StoredCheckpoint) -> Option<Base> {
    if checkpoint.seq == 0 {
        return Some(Base { first: 1, prev: START });
    }
    let signed = checkpoint.signed.as_ref().filter(|signed| signed.check(chain).is_ok())?;
    Some(Base { first: signed.seq() + 1, prev: signed.hash() })
}

/// The way along the chain: what comes next, and what it must follow.
struct Walk<'a> {
    db: &'a Db,
    chain: &'a ChainKeys,
    ends: &'a Ends,
    base: &'a Base,
    next: i64,
    /// None when the row before is not looked at and could not be found.
    prev: Option<Hash>,
    /// The last row read, which may stand before the first.
    read: i64,
    rows: u64,
    heads: u64,
}

impl<'a> Walk<'a> {
    async fn begin(
        db: &'a Db,
        chain: &'a ChainKeys,
        ends: &'a Ends,
        base: &'a Base,
        from: i64,
    ) -> Result<Self, StoreError> {
        let (prev, read) = if from <= base.first {
            (Some(base.prev), i64::MIN)
        } else {
            let before = store::find_hash(db, from - 1).await?;
            (before.and_then(|hash| hash.try_into().ok()), from - 1)
        };
        Ok(Self { db, chain, ends, base, next: from, prev, read, rows: 0, heads: 0 })
    }

    async fn run(
        &mut self,
        to: i64,
        ask: &Ask,
        tell: &(dyn Fn(i64) + Send + Sync),
    ) -> Result<Option<Broken>, StoreError> {
        loop {
            let page = store::links(self.db, self.read, to, PAGE).await?;
            let Some((end, _)) = page.last() else { break };
            // Each row has one at most; of numbers that no row has they must not fill the page.
            let before = self.read.max(self.next - 1);
            let signed = store::heads(self.db, before, *end, PAGE).await?;
            for (seq, link) in page {
                if let Err(fault) = self.step(seq, link, &signed, ask.head.as_ref()) {
                    let seq = if matches!(fault, Fault::Gap { .. }) { self.next } else { seq };
                    return Ok(Some(Broken { seq, fault }));
                }
            }
            tell(self.read);
        }
        if self.next <= to {
            let later = store::links(self.db, self.next, i64::MAX, 1).await?;
            let fault = match later.first() {
                Some((next, _)) => Fault::Gap { next: *next },
                None => Fault::CutTail { head: self.ends.head },
            };
            return Ok(Some(Broken { seq: self.next, fault }));
        }
        self.after(ask).await
    }

    /// One row against all that is known of it.
    fn step(
        &mut self,
        seq: i64,
        link: Result<Link, StoreError>,
        signed: &[StoredHead],
        given: Option<&SignedHead>,
    ) -> Result<(), Fault> {
        self.read = seq;
        if seq < self.next {
            return Err(Fault::BeforeFirst);
        }
        if seq > self.next {
            return Err(Fault::Gap { next: seq });
        }
        if seq > self.ends.head {
            return Err(Fault::BeyondHead { head: self.ends.head });
        }
        let link = link.map_err(|error| Fault::Unreadable(error.to_string()))?;
        let hash = self.check(&link)?;
        if seq == self.ends.head && self.ends.head_hash.as_deref() != Some(&hash[..]) {
            return Err(Fault::HeadHash);
        }
        for (_, head) in signed.iter().filter(|(signed, _)| *signed == seq) {
            let head = head.as_ref().ok_or(Fault::Signature)?;
            self.compare(head, &hash)?;
        }
        if let Some(head) = given.filter(|head| head.seq == seq) {
            self.compare(head, &hash)?;
        }
        self.prev = Some(hash);
        self.next = seq + 1;
        self.rows += 1;
        Ok(())
    }

    /// The row's own hash, if it is what the row says it is and follows the row before.
    fn check(&self, link: &Link) -> Result<Hash, Fault> {
        let proven = link::prove(self.chain, link)?;
        if self.prev != Some(proven.prev) {
            return Err(Fault::Prev);
        }
        Ok(proven.hash)
    }

    fn compare(&mut self, head: &SignedHead, hash: &Hash) -> Result<(), Fault> {
        head.check(self.chain).map_err(|_| Fault::Signature)?;
        if head.hash != *hash {
            return Err(Fault::SignedHash { at: head.at });
        }
        self.heads += 1;
        Ok(())
    }

    /// What the signed heads say of rows that were not walked over.
    async fn after(&mut self, ask: &Ask) -> Result<Option<Broken>, StoreError> {
        let broken = |seq, fault| Ok(Some(Broken { seq, fault }));
        let end = self.ends.last;
        let cut = |head: &SignedHead| Fault::SignedCutTail { at: head.at, seq: head.seq };
        if ask.to.is_none() {
            let beyond = store::heads(self.db, end, self.ends.signed, 1).await?;
            match beyond.first() {
                None => {}
                Some((_, Some(head))) if head.check(self.chain).is_ok() => {
                    return broken(end + 1, cut(head));
                }
                Some((seq, _)) => return broken(*seq, Fault::Signature),
            }
        }
        let Some(head) = &ask.head else { return Ok(None) };
        if head.seq > end {
            return broken(end + 1, cut(head));
        }
        // Within the rows that were walked over it was compared.
        let first = ask.from.unwrap_or(self.base.first);
        // Before the first row it was compared with the checkpoint.
        if head.seq < self.base.first || (first..self.next).contains(&head.seq) {
            return Ok(None);
        }
        let found = store::find_hash(self.db, head.seq).await?;
        if found.as_deref() == Some(&head.hash[..]) {
            self.heads += 1;
            return Ok(None);
        }
        broken(head.seq, Fault::SignedHash { at: head.at })
    }
}
