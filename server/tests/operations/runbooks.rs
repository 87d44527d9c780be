//! Runbooks of workspaces: which text counts, its versions, who may write, and two who write at once.

use app::{
    error::{ApiError, Conflict, Rule, Thing},
    identity::{Caller, Capability, Reach, permit},
    operations::{
        View,
        runbooks::{ManageRunbooks, Runbook, RunbookSource, Runbooks as _, SaveRunbook},
    },
};
use server::store::{Db, Sql, testing};

use super::kit::{Kit, SPEC};

const KIND: &str = SPEC.kind;

async fn workspace(db: &Db, id: i64, name: &str) {
    let mut tx = db.begin().await.expect("a write begins");
    let sql = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (").arg(id);
    tx.execute(sql.push(", ").arg(name).push(", 0)")).await.expect("a workspace");
    tx.commit(Vec::new()).await.expect("a commit");
}

async fn save(
    kit: &Kit,
    caller: &Caller,
    workspace: i64,
    markdown: &str,
    version: i64,
) -> Result<Runbook, ApiError> {
    let permit = permit::<ManageRunbooks>(caller).await?;
    let save = SaveRunbook { markdown: markdown.to_owned(), version, restores: None };
    kit.service.save(&permit, KIND, workspace, save).await
}

async fn runbook(kit: &Kit, workspace: i64) -> Runbook {
    let permit = permit::<View>(&kit.admin).await.expect("an admin may look");
    kit.service.runbook(&permit, KIND, workspace).await.expect("it is there")
}

#[tokio::test]
async fn the_newest_version_of_a_workspace_counts_there_and_nowhere_else() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        workspace(&kit.db, 7, "seven").await;
        let product = runbook(&kit, 7).await;
        assert_eq!((product.source, product.version), (RunbookSource::Product, 0));
        assert_eq!(product.markdown, "# Steps");
        let first = save(&kit, &kit.admin, 7, "ours\r\n", 0).await.expect("saved");
        assert_eq!((first.version, first.markdown.as_str()), (1, "ours"));
        assert_eq!(first.author_name.as_deref(), Some("admin"));
        save(&kit, &kit.admin, 7, "ours, better", 1).await.expect("saved");
        assert_eq!(runbook(&kit, 7).await.markdown, "ours, better");
        assert_eq!(runbook(&kit, 1).await.source, RunbookSource::Product);
        let back = save(&kit, &kit.admin, 7, " \n", 2).await.expect("saved");
        assert_eq!((back.source, back.version), (RunbookSource::Product, 3));
        let view = permit::<View>(&kit.admin).await.expect("an admin may look");
        let versions = kit.service.versions(&view, KIND, 7).await.expect("a history");
        let texts: Vec<_> = versions.iter().map(|v| (v.version, v.markdown.as_str())).collect();
        assert_eq!(texts, [(3, ""), (2, "ours, better"), (1, "ours")]);
        let all = kit.service.all(&view, 7).await.expect("every type");
        assert!(all.len() > 1 && all.iter().all(|book| book.source == RunbookSource::Product));
        let log = Sql::new(
            "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'platform.runbooks.save' AND workspace_id = 7",
        );
        assert_eq!(kit.count(log).await, 3);
    }
}

#[tokio::test]
async fn the_same_text_again_is_no_version() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        assert_eq!(
            save(&kit, &kit.admin, 1, "# Steps", 0).await.expect("nothing to do").version,
            0
        );
        assert_eq!(save(&kit, &kit.admin, 1, "", 0).await.expect("nothing to do").version, 0);
        save(&kit, &kit.admin, 1, "x", 0).await.expect("saved");
        assert_eq!(save(&kit, &kit.admin, 1, "x\n", 1).await.expect("nothing to do").version, 1);
    }
}

#[tokio::test]
async fn of_two_who_write_at_once_one_is_told_so() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let (one, two) =
            tokio::join!(save(&kit, &kit.admin, 1, "one", 0), save(&kit, &kit.admin, 1, "two", 0));
        let changed = |saved: &Result<Runbook, ApiError>| {
            saved.as_ref().err() == Some(&ApiError::Conflict(Conflict::Changed))
        };
        assert!(one.is_ok() ^ two.is_ok(), "{one:?} {two:?}");
        assert!(changed(&one) ^ changed(&two), "{one:?} {two:?}");
        assert_eq!(runbook(&kit, 1).await.version, 1);
        let late = save(&kit, &kit.admin, 1, "three", 0).await;
        assert!(changed(&late), "{late:?}");
        let early = save(&kit, &kit.admin, 1, "three", 5).await;
        assert!(changed(&early), "{early:?}");
    }
}

#[tokio::test]
async fn who_writes_needs_the_right_there() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        workspace(&kit.db, 7, "seven").await;
        let there = Reach::of(Some(7));
        let rights = vec![
            (Capability::OperationsView, Reach::Everything),
            (Capability::RunbooksManage, there.clone()),
        ];
        let writer = testing::caller("writer", rights);
        assert!(save(&kit, &writer, 7, "ours", 0).await.is_ok());
        let elsewhere = save(&kit, &writer, 1, "ours", 0).await;
        assert_eq!(elsewhere, Err(ApiError::NotFound(Thing::Workspace)));
        let nowhere = save(&kit, &kit.admin, 99, "ours", 0).await;
        assert_eq!(nowhere, Err(ApiError::NotFound(Thing::Workspace)));
        let reader = testing::caller("reader", vec![(Capability::OperationsView, there)]);
        let refused = save(&kit, &reader, 7, "mine", 1).await;
        assert_eq!(refused, Err(ApiError::Forbidden(Capability::RunbooksManage)));
        let view = permit::<View>(&reader).await.expect("may look");
        assert!(kit.service.runbook(&view, KIND, 7).await.is_ok());
        let hidden = kit.service.runbook(&view, KIND, 1).await;
        assert_eq!(hidden, Err(ApiError::NotFound(Thing::Workspace)));
        let desk = kit.service.desk(&view, KIND, None).await.expect("their own workspace");
        assert_eq!((desk.runbook.workspace.id, desk.editable), (7, false));
        assert!(desk.startable_in.is_empty());
        let unknown = kit.service.desk(&view, "no.such", None).await;
        assert_eq!(unknown.err(), Some(ApiError::NotFound(Thing::OperationType)));
    }
}

#[tokio::test]
async fn an_archived_workspace_and_too_long_a_text_take_nothing() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        workspace(&kit.db, 7, "seven").await;
        let long = save(&kit, &kit.admin, 7, &"x".repeat(20_001), 0).await;
        let rule = Rule::Length { min: 0, max: 20_000 };
        assert_eq!(long, Err(ApiError::invalid("markdown", rule)));
        let mut tx = kit.db.begin().await.expect("a write begins");
        tx.execute(Sql::new("UPDATE workspaces SET archived_at = 1 WHERE id = 7"))
            .await
            .expect("an update");
        tx.commit(Vec::new()).await.expect("a commit");
        let archived = save(&kit, &kit.admin, 7, "ours", 0).await;
        assert_eq!(archived, Err(ApiError::Conflict(Conflict::Archived)));
        assert_eq!(runbook(&kit, 7).await.version, 0);
    }
}
