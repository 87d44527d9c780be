//! All SQL of what opens clusters: one row per cluster and part, sealed by the vault.

use app::{
    fleet::{credentials::AuthType, model::Transport},
    time::Micros,
};

use crate::{
    store::{Db, Row, Sql, StoreError, Tx},
    vault::{RowName, SealedColumn},
};

/// What is sealed here.
pub const SEALED: SealedColumn =
    SealedColumn { table: "cluster_credentials", column: "sealed", row: RowName::Text("id") };

/// What a row opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Api,
    Prometheus,
    Tempo,
    Loki,
}

impl Part {
    pub const UPSTREAMS: [Self; 3] = [Self::Prometheus, Self::Tempo, Self::Loki];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Prometheus => "prometheus",
            Self::Tempo => "tempo",
            Self::Loki => "loki",
        }
    }
}

/// A credential as it lies in the store.
pub struct Stored {
    pub id: String,
    pub version: i64,
    pub auth_type: AuthType,
    pub sealed: Option<Vec<u8>>,
    pub secret_ref: Option<String>,
    pub expires_at: Option<Micros>,
}

/// All that a client of one cluster is made from.
pub struct Way {
    pub name: String,
    pub workspace_id: i64,
    pub transport: Transport,
    pub api_server_url: String,
    pub credential: Option<Stored>,
}

/// None for a cluster that is removed.
pub async fn find_way(db: &Db, cluster_id: &str, part: Part) -> Result<Option<Way>, StoreError> {
    let sql = Sql::new(
        "SELECT c.name, c.workspace_id, c.transport, c.api_server_url, k.id AS credential_id, k.version, \
         k.auth_type, k.sealed, k.secret_ref, k.expires_at FROM clusters c LEFT JOIN cluster_credentials k \
         ON k.cluster_id = c.id AND k.part = ",
    )
    .arg(part.as_str())
    .push(" WHERE c.removed_at IS NULL AND c.id = ")
    .arg(cluster_id);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some(Way {
        name: row.text("name")?,
        workspace_id: row.i64("workspace_id")?,
        transport: row.word("transport")?,
        api_server_url: row.text("api_server_url")?,
        credential: stored(&row)?,
    }))
}

fn stored(row: &Row) -> Result<Option<Stored>, StoreError> {
    let Some(id) = row.opt_text("credential_id")? else { return Ok(None) };
    Ok(Some(Stored {
        id,
        version: row.i64("version")?,
        auth_type: row.word("auth_type")?,
        sealed: row.opt_bytes("sealed")?,
        secret_ref: row.opt_text("secret_ref")?,
        expires_at: row.opt_micros("expires_at")?,
    }))
}

/// The version of the cluster's next credential.
pub async fn next_version(tx: &mut Tx, cluster_id: &str) -> Result<i64, StoreError> {
    // Counted on the cluster's own row, which outlives its credentials.
    let sql = Sql::new("SELECT credentials_stored AS n FROM clusters WHERE id = ").arg(cluster_id);
    let before = tx.fetch_one(sql).await?.i64("n")?;
    let sql = Sql::new("UPDATE clusters SET credentials_stored = ")
        .arg(before + 1)
        .push(" WHERE id = ")
        .arg(cluster_id);
    tx.execute(sql).await?;
    Ok(before + 1)
}

/// One credential that is to be stored.
pub struct NewStored<'a> {
    pub id: &'a str,
    pub cluster_id: &'a str,
    pub part: Part,
    pub version: i64,
    pub auth_type: AuthType,
    pub identity: Option<&'a str>,
    pub sealed: Option<Vec<u8>>,
    pub secret_ref: Option<&'a str>,
    pub expires_at: Option<Micros>,
    pub created_by: &'a str,
    /// What the look at the cluster said, if there was one.
    pub validation: Option<&'a str>,
}

/// In place of the one that was there.
pub async fn replace(tx: &mut Tx, new: NewStored<'_>) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("DELETE FROM cluster_credentials WHERE cluster_id = ")
        .arg(new.cluster_id)
        .push(" AND part = ")
        .arg(new.part.as_str());
    tx.execute(sql).await?;
    let sql = Sql::new(
        "INSERT INTO cluster_credentials (id, cluster_id, part, version, auth_type, identity, sealed, secret_ref, \
         expires_at, created_at, created_by, validated_at, validation) VALUES (",
    )
    .arg(new.id)
    .push(", ")
    .arg(new.cluster_id)
    .push(", ")
    .arg(new.part.as_str())
    .push(", ")
    .arg(new.version)
    .push(", ")
    .arg(new.auth_type.as_str())
    .push(", ")
    .arg(new.identity)
    .push(", ")
    .arg(new.sealed)
    .push(", ")
    .arg(new.secret_ref)
    .push(", ")
    .arg(new.expires_at)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(new.created_by)
    .push(", ")
    .arg(new.validation.map(|_| now))
    .push(", ")
    .arg(new.validation)
    .push(")");
    tx.execute(sql).await.map(|_| ())
}

/// How many rows there were.
pub async fn erase(tx: &mut Tx, cluster_id: &str) -> Result<u64, StoreError> {
    let sql = Sql::new("DELETE FROM cluster_credentials WHERE cluster_id = ").arg(cluster_id);
    tx.execute(sql).await
}

/// What a look said of the credential of this version; nothing of one that was replaced meanwhile.
pub async fn validated(
    tx: &mut Tx,
    cluster_id: &str,
    version: i64,
    says: &str,
    identity: Option<&str>,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE cluster_credentials SET validated_at = ")
        .arg(now)
        .push(", validation = ")
        .arg(says)
        .push(", identity = COALESCE(")
        .arg(identity)
        .push(", identity) WHERE part = 'api' AND cluster_id = ")
        .arg(cluster_id)
        .push(" AND version = ")
        .arg(version);
    tx.execute(sql).await.map(|_| ())
}
