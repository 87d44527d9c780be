//! All SQL of the fleet: clusters are read here and written in [`changes`], what opens them is in [`credentials`], figures
//! in [`overview`], registrations that are not decided yet in [`drafts`]. Probes, watches and discovery bring files of
//! their own.

pub mod changes;
pub mod credentials;
pub mod discovery;
pub mod drafts;
pub mod exchange;
pub mod expiry;
pub mod overview;
pub mod probes;
pub mod removed;

pub use changes::{
    NewRow, Place, has_external_id, insert, make_due, make_due_with_run, place, remove, restart,
    typed_platform, update,
};

use std::collections::BTreeMap;

use app::{
    error::ApiError,
    fleet::{
        credentials::{CredentialMeta, Expiry},
        model::{Cluster, ClusterCapabilities, ClusterEndpoints, ClusterStatus, Platform},
    },
    identity::Reach,
    list::{ListQuery, Page},
    time::Micros,
};
use serde::de::DeserializeOwned;

use crate::store::{
    Db, Row, Sql, StoreError, Tx,
    paged::{Ask, like, paged},
};

/// What the domain answers when the store could not.
pub fn refused(error: StoreError) -> ApiError {
    tracing::error!(%error, "The store could not answer for the fleet.");
    error.into()
}

const COLUMNS: &str = "SELECT c.id, c.workspace_id, c.tenant_id, c.name, c.external_id, c.display_name, \
     c.api_server_url, c.transport, c.cluster_type, c.environment, c.region, c.platform, c.platform_version, \
     c.found_platform, c.found_version, c.kubernetes_version, c.prometheus_url, c.tempo_url, c.loki_url, \
     c.alertmanager_url, c.thanos_url, c.state, c.state_since, c.connectivity, c.health_score, \
     c.api_server_healthy, c.prometheus_healthy, c.tempo_healthy, c.loki_healthy, c.last_error_code, c.last_error, \
     c.deductions, c.checked_at, c.last_seen_at, c.certificate_expires_at, c.discovered_at, c.discovery_error, \
     c.capabilities, c.created_at, c.updated_at, c.version, \
     k.version AS credential_version, k.auth_type, k.identity, k.secret_ref, k.expires_at AS credential_expires_at, \
     k.created_at AS credential_created_at, k.created_by, k.validated_at, k.validation";

const FROM: &str = " FROM clusters c LEFT JOIN cluster_credentials k ON k.cluster_id = c.id AND k.part = 'api' \
     WHERE c.removed_at IS NULL";

fn within(sql: Sql, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(" AND c.workspace_id IN ").list(ids.iter().copied()),
    }
}

pub async fn list(db: &Db, reach: &Reach, query: &ListQuery) -> Result<Page<Cluster>, StoreError> {
    let now = db.now().await?;
    let sql = filtered(within(Sql::new(FROM), reach), query);
    let order = " ORDER BY c.name, c.id";
    let ask = Ask { select: COLUMNS, from_where: sql, order };
    let mut page = paged(db, query, ask, |row| cluster(row, now)).await?;
    complete(db, &mut page.items).await?;
    Ok(page)
}

fn filtered(mut sql: Sql, query: &ListQuery) -> Sql {
    if let Some(words) = query.value("name") {
        sql = sql
            .push(" AND (c.name LIKE ")
            .arg(like(words))
            .push(" ESCAPE '\\' OR LOWER(c.display_name) LIKE ")
            .arg(like(words))
            .push(" ESCAPE '\\')");
    }
    for (key, column) in [
        ("state", " AND c.state IN "),
        ("environment", " AND c.environment IN "),
        ("cluster_type", " AND c.cluster_type IN "),
        ("region", " AND c.region IN "),
        ("transport", " AND c.transport IN "),
    ] {
        let values = query.values(key);
        if !values.is_empty() {
            sql = sql.push(column).list(values.iter().map(String::as_str));
        }
    }
    for (key, column) in
        [("has_gpu", " AND c.has_gpu_nodes IN "), ("has_cnf", " AND c.has_cnf_workloads IN ")]
    {
        let values = query.values(key);
        if !values.is_empty() {
            sql = sql.push(column).list(values.iter().map(|value| value == "true"));
        }
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND c.workspace_id IN ").list(ids);
    }
    // Each label narrows, as selectors do.
    for label in query.values("label") {
        sql = sql.push(
            " AND EXISTS (SELECT 1 FROM cluster_labels l WHERE l.cluster_id = c.id AND l.key = ",
        );
        sql = match label.split_once('=') {
            Some((key, value)) => sql.arg(key).push(" AND l.value = ").arg(value).push(")"),
            None => sql.arg(label).push(")"),
        };
    }
    sql
}

/// One that is not removed.
pub async fn find(db: &Db, reach: &Reach, id: &str) -> Result<Option<Cluster>, StoreError> {
    let sql = Sql::new(COLUMNS).push(FROM).push(" AND c.id = ").arg(id);
    find_by(db, within(sql, reach)).await
}

pub async fn find_by_name(
    db: &Db,
    reach: &Reach,
    name: &str,
) -> Result<Option<Cluster>, StoreError> {
    let sql = Sql::new(COLUMNS).push(FROM).push(" AND c.name = ").arg(name);
    find_by(db, within(sql, reach)).await
}

async fn find_by(db: &Db, sql: Sql) -> Result<Option<Cluster>, StoreError> {
    let now = db.now().await?;
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    let mut found = [cluster(&row, now)?];
    complete(db, &mut found).await?;
    let [found] = found;
    Ok(Some(found))
}

/// What a change is decided by, read in its own transaction.
pub async fn find_in(tx: &mut Tx, reach: &Reach, id: &str) -> Result<Option<Cluster>, StoreError> {
    let now = tx.now().await?;
    // Held, so that two changes at once follow each other. The joined row cannot be locked on Postgres.
    let lock = Sql::new("UPDATE clusters SET version = version WHERE id = ").arg(id);
    tx.execute(lock).await?;
    let sql = Sql::new(COLUMNS).push(FROM).push(" AND c.id = ").arg(id);
    let Some(row) = tx.fetch_optional(within(sql, reach)).await? else { return Ok(None) };
    let mut found = cluster(&row, now)?;
    let labels = Sql::new("SELECT key, value FROM cluster_labels WHERE cluster_id = ").arg(id);
    for row in tx.fetch_all(labels).await? {
        found.labels.insert(row.text("key")?, row.text("value")?);
    }
    Ok(Some(found))
}

/// Labels, and which upstreams have a token of their own.
async fn complete(db: &Db, clusters: &mut [Cluster]) -> Result<(), StoreError> {
    if clusters.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = clusters.iter().map(|cluster| cluster.id.clone()).collect();
    let labels = Sql::new("SELECT cluster_id, key, value FROM cluster_labels WHERE cluster_id IN ");
    let mut of: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in db.fetch_all(labels.list(ids.iter().map(String::as_str))).await? {
        let labels = of.entry(row.text("cluster_id")?).or_default();
        labels.insert(row.text("key")?, row.text("value")?);
    }
    let parts = Sql::new(
        "SELECT cluster_id, part, secret_ref FROM cluster_credentials WHERE part <> 'api' AND cluster_id IN ",
    )
    .list(ids.iter().map(String::as_str))
    .push(" ORDER BY part");
    for row in db.fetch_all(parts).await? {
        let (id, part) = (row.text("cluster_id")?, row.text("part")?);
        let owner = clusters.iter_mut().find(|cluster| cluster.id == id);
        let Some(meta) = owner.and_then(|cluster| cluster.credential.as_mut()) else { continue };
        if part == "prometheus" {
            meta.prometheus_token_secret_ref = row.opt_text("secret_ref")?;
        }
        meta.upstream_tokens.push(part);
    }
    for cluster in clusters {
        cluster.labels = of.remove(&cluster.id).unwrap_or_default();
    }
    Ok(())
}

/// A JSON column, which only this program writes.
pub fn json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Column { column, reason: error.to_string() })
}

fn cluster(row: &Row, now: Micros) -> Result<Cluster, StoreError> {
    let found = opt_word::<Platform>(row, "found_platform")?;
    let typed = opt_word::<Platform>(row, "platform")?;
    let found_version = row.opt_text("found_version")?;
    let typed_version = row.opt_text("platform_version")?;
    let discovered_at = row.opt_micros("discovered_at")?;
    let capabilities = row.opt_text("capabilities")?;
    let capabilities = capabilities
        .map(|text| json::<ClusterCapabilities>(&text, "capabilities"))
        .transpose()?
        .map(|read| ClusterCapabilities { discovered_at, ..read });
    let id = row.text("id")?;
    Ok(Cluster {
        name: row.text("name")?,
        display_name: row.opt_text("display_name")?,
        api_server_url: row.text("api_server_url")?,
        cluster_type: row.word("cluster_type")?,
        platform: found.or(typed),
        registered_platform: found.and(typed).filter(|typed| Some(*typed) != found),
        registered_platform_version: found_version
            .as_ref()
            .and(typed_version.clone())
            .filter(|typed| Some(typed) != found_version.as_ref()),
        platform_version: found_version.or(typed_version),
        region: row.opt_text("region")?,
        environment: row.word("environment")?,
        status: status(row)?,
        capabilities,
        endpoints: ClusterEndpoints {
            prometheus_url: row.opt_text("prometheus_url")?,
            tempo_url: row.opt_text("tempo_url")?,
            loki_url: row.opt_text("loki_url")?,
            alertmanager_url: row.opt_text("alertmanager_url")?,
            thanos_url: row.opt_text("thanos_url")?,
        },
        labels: BTreeMap::new(),
        created_at: row.micros("created_at")?,
        updated_at: row.micros("updated_at")?,
        last_seen_at: row.opt_micros("last_seen_at")?,
        external_id: row.text("external_id")?,
        workspace_id: row.i64("workspace_id")?,
        tenant_id: row.opt_i64("tenant_id")?,
        transport: row.word("transport")?,
        kubernetes_version: row.opt_text("kubernetes_version")?,
        discovery_error: row.opt_text("discovery_error")?,
        credential: credential(row, &id, now)?,
        version: row.i64("version")?,
        id,
    })
}

fn status(row: &Row) -> Result<ClusterStatus, StoreError> {
    let flag = |column| Ok::<_, StoreError>(row.opt_i64(column)?.map(|value| value != 0));
    Ok(ClusterStatus {
        state: row.word("state")?,
        health_score: row.opt_i64("health_score")?,
        last_error: row.opt_text("last_error")?,
        connectivity: row.word("connectivity")?,
        api_server_healthy: flag("api_server_healthy")?,
        prometheus_healthy: flag("prometheus_healthy")?,
        tempo_healthy: flag("tempo_healthy")?,
        loki_healthy: flag("loki_healthy")?,
        last_error_code: row.opt_text("last_error_code")?,
        state_since: row.micros("state_since")?,
        last_check_at: row.opt_micros("checked_at")?,
        deductions: json(&row.text("deductions")?, "deductions")?,
        certificate_expires_at: row.opt_micros("certificate_expires_at")?,
    })
}

fn credential(row: &Row, id: &str, now: Micros) -> Result<Option<CredentialMeta>, StoreError> {
    let Some(version) = row.opt_i64("credential_version")? else { return Ok(None) };
    let expires_at = row.opt_micros("credential_expires_at")?;
    Ok(Some(CredentialMeta {
        cluster_id: id.to_owned(),
        auth_type: row.word("auth_type")?,
        version,
        identity: row.opt_text("identity")?,
        service_account_token_secret_ref: row.opt_text("secret_ref")?,
        prometheus_token_secret_ref: None,
        upstream_tokens: Vec::new(),
        created_at: row.micros("credential_created_at")?,
        created_by: row.text("created_by")?,
        expires_at,
        expiry: Expiry::of(expires_at, now),
        validated_at: row.opt_micros("validated_at")?,
        validation: row.opt_text("validation")?,
    }))
}

fn opt_word<T: std::str::FromStr>(
    row: &Row,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    if row.opt_text(column)?.is_none() { Ok(None) } else { row.word(column).map(Some) }
}
