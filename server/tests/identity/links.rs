//! Links that work once.

use std::time::Duration;

use server::{
    identity::local::{first_link, links::For},
    store::Sql,
};

use crate::{
    kit::consoles,
    web_kit::{
        Answer, Kit,
        people::{PASSWORD, Proof},
    },
};

async fn first(kit: &Kit) -> Option<String> {
    let link = first_link(&kit.console.db, &kit.console.rng).await.expect("the store answers");
    link.map(|link| link.reveal().to_owned())
}

async fn become_admin(kit: &Kit, link: &str, name: &str) -> Answer {
    let fields =
        [("link", link), ("name", name), ("display_name", "The First"), ("password", PASSWORD)];
    kit.form(&Proof::Nothing, "/welcome", &fields).await
}

async fn choose(kit: &Kit, link: &str, password: &str) -> Answer {
    kit.form(&Proof::Nothing, "/welcome", &[("link", link), ("password", password)]).await
}

async fn people(kit: &Kit) -> i64 {
    kit.count(Sql::new("SELECT COUNT(*) AS n FROM people")).await
}

#[tokio::test]
async fn the_first_link_makes_one_admin_and_is_spent() {
    for (kit, _hand) in consoles().await {
        let link = first(&kit).await.expect("a fresh console has nobody");
        let page = kit.get_as(&Proof::Nothing, &format!("/welcome?link={link}")).await;
        assert_eq!(page.status.as_u16(), 200);
        let weak = [("link", link.as_str()), ("name", "ada"), ("password", "short")];
        let refused = kit.form(&Proof::Nothing, "/welcome", &weak).await;
        assert_eq!((refused.status.as_u16(), people(&kit).await), (422, 0));
        let made = become_admin(&kit, &link, "Ada").await;
        assert_eq!(made.status.as_u16(), 303, "a refusal does not spend the link");
        let session = Proof::Session(made.session().expect("a session"));
        let me = kit.get_as(&session, "/api/v1/me").await.json();
        let all = app::identity::Capability::ALL.len();
        assert_eq!(me["capabilities"].as_array().map(Vec::len), Some(all));
        assert_eq!(become_admin(&kit, &link, "eve").await.session(), None);
        assert_eq!((people(&kit).await, first(&kit).await), (1, None));
        let actions: Vec<_> = kit.audited().await.into_iter().map(|(action, _)| action).collect();
        let expected = ["identity.person.add", "identity.grant.add", "identity.session.begin"];
        assert_eq!(actions, expected);
    }
}

/// Each start prints another link; two people use theirs at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_once_one_becomes_the_first_admin() {
    for (kit, _hand) in consoles().await {
        let (one, two) = (first(&kit).await.expect("a link"), first(&kit).await.expect("a link"));
        let all = [(&one, "ada"), (&one, "bob"), (&two, "eve"), (&two, "mal")];
        let answers =
            futures::future::join_all(all.map(|(link, name)| become_admin(&kit, link, name))).await;
        let entered = answers.iter().filter(|answer| answer.status.as_u16() == 303).count();
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(entered, 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| *status < 500), "{statuses:?}");
        assert_eq!(people(&kit).await, 1);
        let admins = Sql::new("SELECT COUNT(*) AS n FROM grants WHERE role = 'admin'");
        assert_eq!(kit.count(admins).await, 1);
    }
}

#[tokio::test]
async fn a_link_gives_its_person_a_new_password_once() {
    for (kit, _hand) in consoles().await {
        let ada = kit.person("ada").await;
        let before = kit.enter(&ada).await;
        let old = kit.link(&For::Person(ada.clone())).await;
        let link = kit.link(&For::Person(ada.clone())).await;
        assert_eq!(choose(&kit, &old, "a password by the old link").await.session(), None);
        let chosen = choose(&kit, &link, "a password by the link").await;
        assert_eq!(chosen.status.as_u16(), 303);
        let session = Proof::Session(chosen.session().expect("a session"));
        assert_eq!(kit.get_as(&session, "/api/v1/me").await.json()["id"], ada);
        let ended = kit.get_as(&before, "/api/v1/me").await.status.as_u16();
        assert_eq!(ended, 401, "whoever had the old password is out");
        assert_eq!(choose(&kit, &link, "and another password").await.session(), None);
        assert_eq!(kit.try_from("127.0.0.1", "ada", PASSWORD).await.status.as_u16(), 401);
        let right = kit.try_from("127.0.0.1", "ada", "a password by the link").await;
        assert_eq!(right.status.as_u16(), 201);
    }
}

#[tokio::test]
async fn a_link_for_a_person_makes_nobody_an_admin() {
    for (kit, _hand) in consoles().await {
        let ada = kit.person("ada").await;
        let link = kit.link(&For::Person(ada)).await;
        assert_eq!(become_admin(&kit, &link, "eve").await.session(), None);
        assert_eq!(people(&kit).await, 1);
        assert_eq!(kit.count(Sql::new("SELECT COUNT(*) AS n FROM grants")).await, 0);
        let still = choose(&kit, &link, "a password by the link").await;
        assert_eq!(still.status.as_u16(), 303, "and is not spent by the attempt");
    }
}

#[tokio::test]
async fn a_day_later_a_link_is_worth_nothing() {
    for (kit, hand) in consoles().await {
        let link = first(&kit).await.expect("a link");
        let ada = kit.person("ada").await;
        let of_ada = kit.link(&For::Person(ada.clone())).await;
        hand.advance(Duration::from_hours(24));
        for link in [&link, &of_ada] {
            let page = kit.get_as(&Proof::Nothing, &format!("/welcome?link={link}")).await;
            assert_ne!(page.status.as_u16(), 200);
            assert_eq!(choose(&kit, link, "a password by the link").await.session(), None);
        }
        let fresh = kit.link(&For::Person(ada.clone())).await;
        kit.disable(&ada).await;
        let answer = choose(&kit, &fresh, "a password by the link").await;
        assert_eq!(answer.session(), None, "nor is one for somebody who is disabled");
        assert_eq!(choose(&kit, "made-up", "a password by the link").await.session(), None);
    }
}
