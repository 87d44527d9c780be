//! `quarterdeck audit verify`: says whether the audit chain, or an exported bundle of it, is whole.

use std::{fs::File, io::BufReader, path::Path, process::ExitCode};

use anyhow::Context as _;

use crate::{
    audit::{
        Ask, BundleVerdict, SignedHead, Verdict, WholeBundle, verify as verify_chain, verify_bundle,
    },
    clock::{Clock, Rng},
    config::{AuditAsk, Config},
    console::store_config,
    store::{Db, StoreConfig},
    vault::{self, ChainKeys, Vault},
};

/// It could not be checked: neither whole nor broken, so neither 0 nor 1.
const UNVERIFIED: u8 = 2;

/// Ends with 0 when the chain is whole, 1 when it is broken, 2 when it could not be checked.
pub async fn verify(config: &Config, ask: AuditAsk) -> ExitCode {
    if let Some(file) = &ask.bundle {
        return bundle(config, file, ask.head.as_deref());
    }
    match look(config, ask).await {
        Ok(Verdict::Whole(whole)) => {
            let pruned = match whole.pruned_to {
                0 => String::new(),
                last => {
                    format!(" A signed checkpoint says that the rows up to {last} were pruned.")
                }
            };
            println!(
                "The audit chain is whole: {} rows, the last is {}; {} signed heads fit.{pruned}",
                whole.rows, whole.last, whole.heads
            );
            ExitCode::SUCCESS
        }
        Ok(Verdict::Broken(broken)) => {
            println!("The audit chain is broken: {broken}.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("quarterdeck: the audit chain could not be checked: {error:#}");
            ExitCode::from(UNVERIFIED)
        }
    }
}

fn bundle(config: &Config, file: &Path, head: Option<&str>) -> ExitCode {
    match look_at_bundle(config, file, head) {
        Ok(BundleVerdict::Whole(whole)) => {
            println!("{}", said(&whole));
            ExitCode::SUCCESS
        }
        Ok(BundleVerdict::Broken(broken)) => {
            println!("The bundle is broken: {broken}.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("quarterdeck: the bundle could not be checked: {error:#}");
            ExitCode::from(UNVERIFIED)
        }
    }
}

fn look_at_bundle(
    config: &Config,
    file: &Path,
    head: Option<&str>,
) -> anyhow::Result<BundleVerdict> {
    let head: Option<SignedHead> = head.map(str::parse).transpose().context("--head")?;
    let ring = vault::find_ring(config)?;
    let ring = ring.context("there is no key ring: name one with --vault-key-file")?;
    let open = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(verify_bundle(BufReader::new(open), &ring.chain(), head.as_ref())?)
}

/// What the bundle proves, and what it does not.
fn said(whole: &WholeBundle) -> String {
    let WholeBundle { header, rows, span } = whole;
    let span = span.map(|(first, last)| format!(", {first} to {last}")).unwrap_or_default();
    let by = &header.exported_by;
    let by = format!("exported at {} by {} ({} {})", header.exported_at, by.name, by.kind, by.id);
    if header.whole_chain {
        format!("The bundle is whole: the audit chain without a gap, {rows} rows{span}, {by}.")
    } else {
        let query = match header.query.as_str() {
            "" => "what its exporter may see".to_owned(),
            query => format!("the query {query}"),
        };
        format!(
            "The bundle is whole: {rows} rows{span}, each as it was written, {by}. It holds {query}, so it does not \
             prove that nothing is missing between its rows."
        )
    }
}

async fn look(config: &Config, ask: AuditAsk) -> anyhow::Result<Verdict> {
    let head = ask.head.map(|line| line.parse()).transpose().context("--head")?;
    let ask = Ask { from: ask.from, to: ask.to, head };
    // A console may be running on it; nothing is written here, so the file need not be held either.
    let store = StoreConfig { read_only: true, ..store_config(config) };
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    let looked = async {
        db.check_schema().await.context("the database does not fit this version")?;
        let chain = keys(config, &db).await?;
        Ok(verify_chain(&db, &chain, &ask).await?)
    };
    let looked = looked.await;
    db.close().await;
    looked
}

/// The ring as the console finds it, compared with what the database knows of its keys; makes and records none.
async fn keys(config: &Config, db: &Db) -> anyhow::Result<ChainKeys> {
    let ring = vault::find_ring(config)?;
    let ring = ring.context("there is no key ring, neither configured nor beside the file")?;
    Ok(Vault::open(ring, db, &Rng::system()).await?.chain())
}
