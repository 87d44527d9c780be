//! What keeps guessers slow.

use std::time::Duration;

use futures::future::join_all;
use server::store::Sql;

use crate::{
    kit::{console, consoles},
    web_kit::{Answer, people::PASSWORD},
};

const WRONG: &str = "wrong horse battery staple";

fn wait(answer: &Answer) -> Option<u64> {
    (answer.status.as_u16() == 429)
        .then(|| answer.header("retry-after").parse().expect("a number of seconds"))
}

#[tokio::test]
async fn the_wait_for_an_account_grows_wherever_the_guesses_come_from() {
    for (kit, hand) in consoles().await {
        kit.person("ada").await;
        for n in 0..5 {
            let answer = kit.try_from(&format!("192.0.2.{n}"), "ada", WRONG).await;
            assert_eq!(answer.status.as_u16(), 401, "the first five cost nothing");
        }
        let mut last = 0;
        for n in 0..8 {
            let from = format!("198.51.100.{n}");
            let told = wait(&kit.try_from(&from, "ada", WRONG).await).expect("a wait");
            assert!(told > last || told > 60, "{told} after {last}");
            assert!(told <= 61, "an owner is never kept out for longer than a minute");
            let right = kit.try_from(&from, "ada", PASSWORD).await;
            assert_eq!(wait(&right), Some(told), "the right one tells no more than a wrong one");
            hand.advance(Duration::from_secs(told));
            last = told;
            assert_eq!(kit.try_from(&from, "ada", WRONG).await.status.as_u16(), 401);
        }
        assert_eq!(kit.try_from("192.0.2.1", "bob", WRONG).await.status.as_u16(), 401);
    }
}

#[tokio::test]
async fn a_right_password_takes_the_count_away() {
    for (kit, hand) in consoles().await {
        kit.person("ada").await;
        for _ in 0..5 {
            kit.try_from("192.0.2.1", "ada", WRONG).await;
        }
        hand.advance(Duration::from_secs(3));
        assert_eq!(kit.try_from("192.0.2.1", "ada", PASSWORD).await.status.as_u16(), 201);
        for _ in 0..5 {
            let answer = kit.try_from("192.0.2.1", "ada", WRONG).await;
            assert_eq!(answer.status.as_u16(), 401, "counted from nothing again");
        }
        assert!(wait(&kit.try_from("192.0.2.1", "ada", WRONG).await).is_some());
    }
}

#[tokio::test]
async fn one_address_cannot_try_every_account() {
    for (kit, hand) in consoles().await {
        for n in 0..20 {
            let answer = kit.try_from("2001:db8:1:2::1", &format!("person-{n}"), WRONG).await;
            assert_eq!(answer.status.as_u16(), 401);
        }
        let neighbour = "2001:db8:1:2:ffff::9";
        assert!(wait(&kit.try_from(neighbour, "another", WRONG).await).is_some());
        let elsewhere = kit.try_from("2001:db8:1:3::1", "another", WRONG).await;
        assert_eq!(elsewhere.status.as_u16(), 401, "other people are not kept out");
        hand.advance(Duration::from_mins(15));
        assert_eq!(kit.try_from(neighbour, "another", WRONG).await.status.as_u16(), 401);
    }
}

/// Tries that run side by side do not slip past the count.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_are_judged_no_more_than_five() {
    for (kit, _hand) in consoles().await {
        kit.person("ada").await;
        let from: Vec<String> = (0..50).map(|n| format!("192.0.2.{n}")).collect();
        let answers = join_all(from.iter().map(|from| kit.try_from(from, "ada", WRONG))).await;
        let of = |status: u16| answers.iter().filter(|a| a.status.as_u16() == status).count();
        assert_eq!((of(401), of(429)), (5, 45));
        let counted =
            Sql::new("SELECT failures AS n FROM sign_in_failures WHERE subject LIKE 'account:%'");
        assert_eq!(kit.count(counted).await, 5);
        let refused = Sql::new("SELECT COUNT(*) AS n FROM audit_log");
        assert_eq!(kit.count(refused).await, 5, "and each of them is in the audit log");
    }
}

#[tokio::test]
async fn the_password_form_of_a_stolen_session_is_slow_too() {
    let (kit, _hand) = console().await;
    let ada = kit.person("ada").await;
    let session = kit.enter(&ada).await;
    let guess = [("password", WRONG), ("new_password", "a new password of mine")];
    for _ in 0..5 {
        assert_eq!(kit.form(&session, "/account/password", &guess).await.status.as_u16(), 401);
    }
    let refused = kit.form(&session, "/account/password", &guess).await;
    assert!(wait(&refused).is_some(), "a form is told how long, too");
}
