//! `audit.verify` as an operation, on both engines: a whole chain, and the first row that is not as it was written.

use app::operations::{Operations as _, model::Outcome};
use server::{
    audit::operations::verify,
    clock::Rng,
    journal::AuditRow,
    operations::{OperationsService, spec::Catalog},
    store::{Db, Sql, testing},
};
use tokio_util::sync::CancellationToken;

use super::kit::{Kit, request};

fn service(db: &Db) -> OperationsService {
    let catalog = verify::register(Catalog::default(), db);
    OperationsService::new(db.clone(), Rng::system(), catalog, Vec::new(), testing::admin())
}

async fn verify_once(db: &Db) -> i64 {
    let service = service(db);
    let started = service.start(&testing::admin(), request("audit.verify"), None).await;
    let worker = service.worker("w", &["upkeep"]);
    assert!(worker.work_one(&CancellationToken::new()).await.expect("the store answers"));
    started.expect("started").run.id
}

async fn write(db: &Db, rows: usize) {
    let row = AuditRow::allowed(&testing::admin(), "test.row");
    let tx = db.begin().await.expect("a write");
    tx.commit(vec![row; rows]).await.expect("a commit");
}

#[tokio::test]
async fn a_whole_chain_is_called_whole_with_its_rows() {
    for engine in testing::engines().await {
        write(&engine.db, 1_200).await;
        let id = verify_once(&engine.db).await;
        let detail = Kit::on(&engine.db).get(id).await;
        assert_eq!(detail.run.outcome, Outcome::Succeeded, "{:?}", detail.run.error_summary);
        let steps: Vec<&str> = detail.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(steps, ["ends", "rows"]);
        // The start of the run is a row itself.
        let said = |n: usize| detail.steps[n].detail.as_deref().unwrap_or_default();
        assert_eq!(said(0), "Rows 1 to 1201.");
        assert!(said(1).starts_with("1201 rows are as they were written"), "{}", said(1));
    }
}

#[tokio::test]
async fn the_first_row_that_was_changed_is_named() {
    for engine in testing::engines().await {
        write(&engine.db, 40).await;
        let mut tx = engine.db.begin().await.expect("a write");
        let change = Sql::new("UPDATE audit_log SET reason = 'nothing' WHERE seq IN (17, 30)");
        tx.execute(change).await.expect("tampered with");
        tx.commit(Vec::new()).await.expect("a commit");
        let id = verify_once(&engine.db).await;
        let detail = Kit::on(&engine.db).get(id).await;
        assert_eq!(detail.run.outcome, Outcome::Failed);
        let why = detail.run.error_summary.unwrap_or_default();
        assert!(why.starts_with("The audit chain is broken: row 17 was changed"), "{why}");
    }
}

#[tokio::test]
async fn who_only_sees_starts_none() {
    use app::{error::ApiError, identity::Capability, identity::Reach};
    for engine in testing::engines().await {
        let sees = [Capability::AuditView, Capability::OperationsView];
        let auditor = testing::caller("a", sees.map(|one| (one, Reach::Everything)).to_vec());
        let refused = service(&engine.db).start(&auditor, request("audit.verify"), None).await;
        assert_eq!(refused, Err(ApiError::Forbidden(Capability::OperationsManage)));
    }
}
