//! Exports: what was sent verifies with the key ring alone, and whatever is done to it afterwards is found.

use std::collections::BTreeSet;

use app::identity::Reach;
use futures::{StreamExt as _, TryStreamExt as _};
use server::{
    audit::{
        AuditService, BrokenBundle, BundleFault, BundleVerdict, Fault, Format, Retention, Unread,
        WholeBundle, verify_bundle,
    },
    clock::Rng,
    store::{Db, Sql, testing},
    vault::{ChainKeys, KeyRing},
};
use tokio_util::sync::CancellationToken;

use super::{
    append,
    list::{permitted, query},
    row, tamper, write,
};

async fn export(db: &Db, format: Format, reach: Reach, pairs: &[(&str, &str)]) -> String {
    let permit = permitted(db, reach).await;
    let export = AuditService::new(db.clone()).export(&permit, format, &query(pairs)).await;
    export.expect("it begins").stream().try_collect().await.expect("it ends")
}

async fn bundle(db: &Db, pairs: &[(&str, &str)]) -> String {
    export(db, Format::Ndjson, Reach::Everything, pairs).await
}

fn whole(text: &str) -> WholeBundle {
    match verify_bundle(text.as_bytes(), &ChainKeys::for_tests(), None).expect("it is read") {
        BundleVerdict::Whole(whole) => whole,
        BundleVerdict::Broken(broken) => panic!("{broken}"),
    }
}

fn broken(text: &str, what: &str) -> BrokenBundle {
    match verify_bundle(text.as_bytes(), &ChainKeys::for_tests(), None).expect("it is read") {
        BundleVerdict::Broken(broken) => broken,
        BundleVerdict::Whole(whole) => panic!("{what}: said to be whole: {whole:?}"),
    }
}

#[tokio::test]
async fn the_whole_log_is_a_chain_again() {
    for engine in testing::engines().await {
        write(&engine.db, 1_203).await;
        let text = bundle(&engine.db, &[]).await;
        let looked = whole(&text);
        // The export's own row is the last of them.
        assert_eq!((looked.rows, looked.span), (1_204, Some((1, 1_204))));
        assert!(looked.header.whole_chain && looked.header.query.is_empty());
        assert_eq!(looked.header.exported_by.id, "u-1");
        let heads = engine.db.fetch_one(Sql::new("SELECT seq FROM audit_heads")).await;
        assert_eq!(heads.expect("a signed head").i64("seq").expect("a number"), 1_204);

        let head = looked.header.head.parse().expect("a head");
        let given = verify_bundle(text.as_bytes(), &ChainKeys::for_tests(), Some(&head));
        assert!(matches!(given, Ok(BundleVerdict::Whole(_))), "{given:?}");
    }
}

#[tokio::test]
async fn a_query_and_a_narrow_reach_prove_their_rows_and_say_so() {
    for engine in testing::engines().await {
        write(&engine.db, 30).await;
        let denied = whole(&bundle(&engine.db, &[("decision", "denied")]).await);
        assert_eq!((denied.rows, denied.span), (10, Some((2, 29))));
        assert!(!denied.header.whole_chain);
        assert_eq!(denied.header.query, "decision=denied");
        let mine = Reach::Workspaces(BTreeSet::from([3, 4]));
        let mine = whole(&export(&engine.db, Format::Ndjson, mine, &[]).await);
        assert_eq!((mine.rows, mine.header.whole_chain), (2, false));
        let none = whole(&bundle(&engine.db, &[("actor", "nobody")]).await);
        assert_eq!((none.rows, none.span), (0, None));
    }
}

/// Every line in turn, of both kinds of bundle.
#[tokio::test]
async fn whatever_is_done_to_a_bundle_is_found() {
    for engine in testing::engines().await {
        write(&engine.db, 9).await;
        for pairs in [&[][..], &[("decision", "allowed")]] {
            let text = bundle(&engine.db, pairs).await;
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let last = lines.len() - 1;
            for n in 0..lines.len() {
                let what = format!("{pairs:?}, line {}", n + 1);
                remove(&lines, n, &what);
                cut(&text, &lines, n, &what);
                twice(&lines, n, &what);
                edit(&lines, n, &what);
                if n + 1 < last && n > 0 {
                    let mut swapped = lines.clone();
                    swapped.swap(n, n + 1);
                    let found = broken(&swapped.concat(), &what);
                    assert_eq!(found.line, n as u64 + 1, "{what}: {found}");
                }
            }
            let more = [text.as_str(), lines[1]].concat();
            assert_eq!(broken(&more, "more").fault, BundleFault::AfterSeal);
        }
    }
}

fn remove(lines: &[&str], n: usize, what: &str) {
    let mut rest = lines.to_vec();
    rest.remove(n);
    let found = broken(&rest.concat(), what);
    let last = lines.len() - 1;
    let fault = match n {
        0 => BundleFault::Header,
        n if n == last => BundleFault::NoSeal,
        n if n == last - 1 => BundleFault::SealRows(lines.len() as u64 - 2),
        n => BundleFault::MissingLine(n as u64),
    };
    assert_eq!((found.line, found.fault), (n as u64 + 1, fault), "{what} removed");
    // Renumbered by whoever removed it.
    if n > 0 && n + 1 < last {
        let renumbered: String =
            lines[n + 1..last].iter().zip(n..).fold(lines[..n].concat(), |text, (line, n)| {
                text + &line.replacen(&format!("\"n\":{}", n + 1), &format!("\"n\":{n}"), 1)
            });
        broken(&(renumbered + lines[last]), what);
    }
}

/// At the end of a line, and in the middle of it.
fn cut(text: &str, lines: &[&str], n: usize, what: &str) {
    let before = lines[..n].concat();
    let found = broken(&before, what);
    let fault = if n == 0 { BundleFault::Header } else { BundleFault::NoSeal };
    assert_eq!((found.line, found.fault), (n as u64 + 1, fault), "{what} cut");
    let within = before.len() + lines[n].len() / 2;
    let within = (within..=text.len()).find(|at| text.is_char_boundary(*at)).expect("a place");
    assert_eq!(broken(&text[..within], what).line, n as u64 + 1, "{what} cut within");
    let without_end = text[..before.len() + lines[n].len() - 1].to_owned();
    assert_eq!(broken(&without_end, what).line, n as u64 + 1, "{what} without its end");
}

fn twice(lines: &[&str], n: usize, what: &str) {
    let mut more = lines.to_vec();
    more.insert(n, lines[n]);
    let found = broken(&more.concat(), what);
    assert_eq!(found.line, n as u64 + 2, "{what} twice: {found}");
}

/// Each letter and digit of the line, one at a time; the first line's are told by the seal if by nothing before.
fn edit(lines: &[&str], n: usize, what: &str) {
    let bytes = lines[n].as_bytes();
    for at in (0..bytes.len()).filter(|at| bytes[*at].is_ascii_alphanumeric()) {
        let mut line = bytes.to_vec();
        line[at] = match line[at] {
            b'9' => b'8',
            b'z' | b'Z' => line[at] - 1,
            other => other + 1,
        };
        let line = String::from_utf8(line).expect("still text");
        let mut edited = lines.to_vec();
        edited[n] = &line;
        let found = broken(&edited.concat(), what);
        if n > 0 {
            assert_eq!(found.line, n as u64 + 1, "{what} edited at {at}: {found}\n{line}");
        }
    }
    // What a reader of JSON passes over.
    for (from, to) in [("{", "{ "), ("{\"", "{\"x\":1,\""), (":", ": ")] {
        let line = lines[n].replacen(from, to, 1);
        let mut edited = lines.to_vec();
        edited[n] = &line;
        assert_eq!(broken(&edited.concat(), what).line, n as u64 + 1, "{what}: {line}");
    }
}

#[tokio::test]
async fn a_tampered_log_is_exported_and_does_not_verify() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 9).await;
        tamper(db, Sql::new("UPDATE audit_log SET reason = 'none' WHERE seq = 5")).await;
        let found = broken(&bundle(db, &[]).await, "tampered");
        let expected = BundleFault::Row(Fault::Hash);
        assert_eq!((found.line, found.row, found.fault), (6, Some(5), expected));
        tamper(db, Sql::new("DELETE FROM audit_log WHERE seq = 5")).await;
        let permit = permitted(db, Reach::Everything).await;
        let service = AuditService::new(db.clone());
        let export = service.export(&permit, Format::Ndjson, &query(&[])).await.expect("it begins");
        let pieces: Vec<_> = export.stream().collect().await;
        assert!(pieces.last().is_some_and(Result::is_err), "a gap ends it without a seal");
        let last = Sql::new("DELETE FROM audit_log WHERE seq > 8");
        tamper(db, last).await;
        let back =
            "UPDATE audit_head SET seq = 8, hash = (SELECT hash FROM audit_log WHERE seq = 8)";
        tamper(db, Sql::new(back)).await;
        let refused = service.export(&permit, Format::Ndjson, &query(&[])).await;
        assert!(refused.is_err(), "a cut tail is not signed as if nothing were the matter");
    }
}

#[tokio::test]
async fn another_ring_does_not_know_the_bundle() {
    for engine in testing::engines().await {
        write(&engine.db, 3).await;
        let text = bundle(&engine.db, &[]).await;
        let other = KeyRing::generate(&Rng::seeded(9)).chain();
        let looked = verify_bundle(text.as_bytes(), &other, None).expect("it is read");
        assert!(matches!(looked, BundleVerdict::Broken(b) if b.fault == BundleFault::Head));
        let head = server::audit::SignedHead::sign(
            &ChainKeys::for_tests(),
            app::time::Micros(1),
            99,
            [1; 32],
        );
        let looked = verify_bundle(text.as_bytes(), &ChainKeys::for_tests(), Some(&head));
        assert!(matches!(looked, Err(Unread::NoSuchRow(99))), "{looked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_beside_an_export_do_not_disturb_it() {
    for engine in testing::engines().await {
        write(&engine.db, 1_500).await;
        let beside = engine.again().await;
        let permit = permitted(&engine.db, Reach::Everything).await;
        let service = AuditService::new(engine.db.clone());
        let export = service.export(&permit, Format::Ndjson, &query(&[])).await.expect("it begins");
        let mut text = String::new();
        let mut stream = std::pin::pin!(export.stream());
        // Between any two pieces others write.
        while let Some(piece) = stream.next().await {
            text += &piece.expect("a piece");
            append(&beside, vec![row(1), row(2)]).await.expect("appended");
        }
        assert_eq!(whole(&text).rows, 1_501);
    }
}

#[tokio::test]
async fn after_pruning_a_bundle_begins_at_the_checkpoint() {
    let start = app::time::Micros(1_700_000_000_000_000);
    for (engine, hand) in testing::engines_at(start).await {
        let db = &engine.db;
        write(db, 20).await;
        hand.advance(std::time::Duration::from_hours(24 * 401));
        write(db, 5).await;
        let retention = Retention::new(db.clone(), ChainKeys::for_tests(), testing::admin(), 400);
        retention.prune(&CancellationToken::new()).await.expect("pruned");
        let text = bundle(db, &[]).await;
        assert_eq!(whole(&text).span, Some((21, 27)));
        let (before, after) = text.split_once("\"checkpoint\":").expect("it is there");
        let (_, rest) = after.split_once('\n').expect("a line");
        let without = format!("{before}\"checkpoint\":null}}\n{rest}");
        let found = broken(&without, "no checkpoint");
        assert_eq!((found.line, found.fault), (2, BundleFault::Checkpoint));
    }
}

#[tokio::test]
async fn a_spreadsheet_gets_no_formula_and_the_anchor() {
    for engine in testing::engines().await {
        let formula = row(3).reason("=HYPERLINK(\"http://evil\",\"a\nb\")");
        append(&engine.db, vec![formula]).await.expect("appended");
        let text =
            export(&engine.db, Format::Csv, Reach::Everything, &[("decision", "allowed")]).await;
        assert!(text.contains("\"'=HYPERLINK(\"\"http://evil\"\",\"\"a\nb\"\")\""), "{text}");
        for said in
            ["\"# query: decision=allowed\"", "\"# head: qd-audit-head:1:2:", "\"seq\",\"at\","]
        {
            assert!(text.contains(said), "{said} is missing: {text}");
        }
        let last = text.lines().last().expect("a line");
        assert!(last.starts_with("\"# seal: {\"\"seal\"\":{\"\"rows\"\":2,"), "{last}");
    }
}
