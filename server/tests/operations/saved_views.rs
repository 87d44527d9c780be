//! Saved views: whose they are, who sees them, and one name for one view.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{Caller, Capability, Permit, Reach, permit},
    list::ListQuery,
    operations::{
        SavedViews, View,
        filters::List,
        saved_views::{NewSavedView, SavedView},
    },
};
use server::store::{Sql, testing};

use super::kit::Kit;

fn new(name: &str, shared: bool, workspace_id: i64) -> NewSavedView {
    NewSavedView {
        list: List::Runs,
        name: name.to_owned(),
        query: "status=running&page=3&type=test.steps".to_owned(),
        shared,
        workspace_id: Some(workspace_id),
    }
}

async fn sees(caller: &Caller) -> Permit<View> {
    permit::<View>(caller).await.expect("sees operations")
}

fn person(id: &str, capabilities: &[Capability], workspaces: &[i64]) -> Caller {
    let reach = Reach::Workspaces(workspaces.iter().copied().collect());
    testing::caller(id, capabilities.iter().map(|c| (*c, reach.clone())).collect())
}

const VIEWS: &[Capability] = &[Capability::OperationsView];
const MANAGES: &[Capability] = &[Capability::OperationsView, Capability::OperationsManage];

async fn kit(db: &server::store::Db) -> Kit {
    let kit = Kit::on(db);
    let mut tx = kit.db.begin().await.expect("a write begins");
    let place = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (7, 'seven', 0)");
    tx.execute(place).await.expect("a workspace");
    tx.commit(Vec::new()).await.expect("a commit");
    kit
}

async fn listed(kit: &Kit, caller: &Caller) -> Vec<SavedView> {
    let page = SavedViews::list(&kit.service, &sees(caller).await, &ListQuery::default()).await;
    page.expect("a list").items
}

fn names(views: &[SavedView]) -> Vec<&str> {
    views.iter().map(|view| view.name.as_str()).collect()
}

#[tokio::test]
async fn one_sees_ones_own_and_what_is_shared_within_reach() {
    for engine in testing::engines().await {
        let kit = kit(&engine.db).await;
        let (ada, bob) = (person("ada", MANAGES, &[1]), person("bob", VIEWS, &[1]));
        let eve = person("eve", MANAGES, &[7]);
        let create =
            async |caller: &Caller, new| kit.service.create(&sees(caller).await, new).await;
        let shared = create(&ada, new("ours", true, 1)).await.expect("she manages");
        assert_eq!(shared.query, "type=test.steps&status=running", "canonical, without its place");
        assert!(shared.changeable && shared.outdated.is_empty());
        create(&ada, new("hers", false, 1)).await.expect("her own");
        let his = create(&bob, new("hers", false, 1)).await.expect("his own, of the same name");
        create(&eve, new("ours", true, 7)).await.expect("another workspace");

        assert_eq!(names(&listed(&kit, &ada).await), ["ours", "hers"]);
        let bobs = listed(&kit, &bob).await;
        let said: Vec<_> = bobs.iter().map(|v| (v.owner_id.as_str(), v.changeable)).collect();
        assert_eq!(said, [("ada", false), ("bob", true)]);
        assert_eq!(names(&listed(&kit, &eve).await), ["ours"]);
        assert_eq!(listed(&kit, &kit.admin).await.len(), 2, "nobody sees what is another's own");

        let missing = Err(ApiError::NotFound(Thing::SavedView));
        let rename = async |caller: &Caller, id: &str, name: &str| {
            let renamed = kit.service.rename(&sees(caller).await, id, name).await;
            renamed.map(|view| view.name)
        };
        assert_eq!(rename(&ada, &his.id, "mine").await, missing);
        assert_eq!(rename(&eve, &shared.id, "mine").await, missing);
        let forbidden = Err(ApiError::Forbidden(Capability::OperationsManage));
        assert_eq!(rename(&bob, &shared.id, "mine").await, forbidden);
        assert_eq!(rename(&bob, &his.id, " his ").await.as_deref(), Ok("his"));
        assert!(rename(&bob, &his.id, &"x".repeat(81)).await.is_err());
        let forged = create(&bob, new("forged", true, 1)).await.map(|view| view.name);
        assert_eq!(forged, forbidden);
        let elsewhere = create(&bob, new("there", false, 7)).await.map(|view| view.name);
        assert_eq!(elsewhere, Err(ApiError::NotFound(Thing::Workspace)));
        let deleted = kit.service.delete(&sees(&bob).await, &shared.id).await.map(|v| v.name);
        assert_eq!(deleted, forbidden);
        let deleted = kit.service.delete(&sees(&ada).await, &shared.id).await.map(|v| v.name);
        assert_eq!(deleted.as_deref(), Ok("ours"));
        assert_eq!(names(&listed(&kit, &bob).await), ["his"]);

        let sql = Sql::new(
            "SELECT COUNT(*) AS n FROM audit_log WHERE action LIKE 'platform.saved_views.%' \
             AND decision = 'allowed' AND target_kind = 'saved_view'",
        );
        assert_eq!(kit.count(sql).await, 6, "four made, one renamed, one deleted");
    }
}

#[tokio::test]
async fn of_two_at_once_with_one_name_one_wins() {
    for engine in testing::engines().await {
        let kit = kit(&engine.db).await;
        let (ada, bob) = (sees(&person("ada", MANAGES, &[1])).await, sees(&kit.admin).await);
        for (shared, each) in [(true, &bob), (false, &ada)] {
            let name = if shared { "both" } else { "own" };
            let (one, other) = tokio::join!(
                kit.service.create(&ada, new(name, shared, 1)),
                kit.service.create(each, new(name, shared, 1)),
            );
            let taken = ApiError::Conflict(Conflict::NameTaken);
            let lost = [one.err(), other.err()];
            assert!(lost == [None, Some(taken.clone())] || lost == [Some(taken), None], "{lost:?}");
        }
        let second = kit.service.create(&ada, new("second", true, 1)).await.expect("free");
        let renamed = kit.service.rename(&ada, &second.id, "both").await.map(|view| view.name);
        assert_eq!(renamed, Err(ApiError::Conflict(Conflict::NameTaken)));
        let renamed = kit.service.rename(&ada, &second.id, "third").await.map(|view| view.name);
        assert_eq!(renamed.as_deref(), Ok("third"), "and nothing is left broken");
    }
}

#[tokio::test]
async fn a_view_whose_filter_is_gone_says_so() {
    for engine in testing::engines().await {
        let kit = kit(&engine.db).await;
        let ada = person("ada", VIEWS, &[1]);
        let view = kit.service.create(&sees(&ada).await, new("old", false, 1)).await;
        let view = view.expect("her own");
        let mut tx = kit.db.begin().await.expect("a write begins");
        let sql = Sql::new("UPDATE saved_views SET query = 'colour=red&type=a' WHERE id = ");
        tx.execute(sql.arg(&view.id)).await.expect("an update");
        tx.commit(Vec::new()).await.expect("a commit");
        let views = listed(&kit, &ada).await;
        assert_eq!(views[0].outdated.len(), 1);
        assert_eq!(views[0].outdated[0].field, "colour");
        assert!(kit.service.delete(&sees(&ada).await, &view.id).await.is_ok());
        let mut bad = new("new", false, 1);
        bad.query = "colour=red".to_owned();
        let refused = kit.service.create(&sees(&ada).await, bad).await.expect_err("unknown");
        assert_eq!(refused.status(), 422);
    }
}
