//! A database, while others work on it, into one file.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    BackupError, Contents, Manifest,
    file::Sink,
    manifest::{End, FORM, FirstLine, LastLine, Secret, signed},
    row,
};
use crate::{
    audit::SignedHead,
    store::{Db, Sql, copy::Snapshot},
    vault::{self, KeyRing},
    version,
};

/// What became of it.
#[derive(Debug)]
pub struct Written {
    pub manifest: Manifest,
    pub bytes: u64,
}

/// Writes `path`, which must not be there yet. `ring` signs it, and goes into it only where `with_key` says so.
pub async fn write(
    db: &Db,
    ring: &KeyRing,
    path: &Path,
    with_key: bool,
) -> Result<Written, BackupError> {
    let name = path.display().to_string();
    if path.exists() {
        return Err(BackupError::Exists(name));
    }
    let failed = BackupError::file(&name);
    // Refuses a database of another build.
    db.schema_version().await?;
    let mut sink = Sink::beside(path).map_err(&failed)?;
    let mut snapshot = db.snapshot().await?;
    let mut manifest = describe(db, &mut snapshot, ring).await?;
    manifest.key_ring = with_key.then(|| Secret(ring.text().as_str().to_owned()));
    let first = json!(FirstLine { quarterdeck_backup: manifest.clone() });
    sink.put(format!("{first}\n").as_bytes()).map_err(&failed)?;
    for Contents { table, rows } in &manifest.tables {
        let mut found = 0;
        snapshot
            .each_row(table, |values| {
                found += 1;
                sink.put(&row::line(values)).map_err(&failed)
            })
            .await?;
        if found != *rows {
            return Err(BackupError::Count { table: table.name.clone(), counted: *rows, found });
        }
    }
    snapshot.close().await?;
    let end = sign(ring, sink.sha256());
    sink.put(format!("{}\n", json!(LastLine { end })).as_bytes()).map_err(&failed)?;
    let bytes = sink.finish(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(name.clone()),
        _ => failed(error),
    })?;
    manifest.key_ring = None;
    Ok(Written { manifest, bytes })
}

fn sign(ring: &KeyRing, sha256: String) -> End {
    let chain = ring.chain();
    let (key, secret) = chain.active();
    let signature = URL_SAFE_NO_PAD.encode(secret.mac(&signed(&sha256, key)));
    End { sha256, key: key.to_owned(), signature }
}

async fn describe(
    db: &Db,
    snapshot: &mut Snapshot,
    ring: &KeyRing,
) -> Result<Manifest, BackupError> {
    let made_at = db.now().await?;
    let mut tables = Vec::new();
    for table in snapshot.tables().await? {
        let rows = snapshot.count(&table).await?;
        tables.push(Contents { table, rows });
    }
    let mut schema = 0;
    let versions = Sql::new("SELECT MAX(version) AS version FROM schema_migrations");
    for row in snapshot.fetch_all(versions).await? {
        schema = row.i64("version")?;
    }
    let mut keys = Vec::new();
    for row in snapshot.fetch_all(vault::select_recorded()).await? {
        keys.push(row.text("id")?);
    }
    let mut audit_head = None;
    for row in snapshot.fetch_all(Sql::new("SELECT seq, hash FROM audit_head")).await? {
        let hash = row.opt_bytes("hash")?.and_then(|hash| hash.try_into().ok());
        let seq = row.i64("seq")?;
        audit_head =
            hash.map(|hash| SignedHead::sign(&ring.chain(), made_at, seq, hash).to_string());
    }
    Ok(Manifest {
        form: FORM,
        product: version::VERSION.to_owned(),
        made_at,
        engine: db.dialect().as_str().to_owned(),
        schema,
        tables,
        audit_head,
        keys,
        key_ring: None,
    })
}
