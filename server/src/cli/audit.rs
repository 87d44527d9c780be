//! `quarterdeck audit verify`: says whether the audit chain is whole.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{
    audit::{Ask, Verdict, verify as verify_chain},
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
    match look(config, ask).await {
        Ok(Verdict::Whole(whole)) => {
            println!(
                "The audit chain is whole: {} rows, the last is {}; {} signed heads fit.",
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
