//! The page of a type through every layer: read, written, looked at before saving, started; by whom and by whom not.

mod web_kit;

use app::identity::Role;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use server::store::Sql;
use web_kit::{Answer, Kit, Who, people::Proof};

const PAGE: &str = "/system/ops/runbooks/system.self_check";
const API: &str = "/api/v1/runbooks/system.self_check";

async fn put(kit: &Kit, proof: &Proof, path: &str, body: serde_json::Value) -> Answer {
    let request = proof.on(Request::put(path)).header("content-type", "application/json");
    kit.send(request, body.to_string()).await
}

/// What stands in a hidden field of the page.
fn hidden(page: &Answer, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let rest = page.text().split_once(&field).unwrap_or_else(|| panic!("no {name}")).1;
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Without the marks that the drawing leaves between texts.
fn plain(page: &Answer) -> String {
    page.text().replace("<!---->", "").replace("<!>", "")
}

/// The page itself, without what stands around every page.
fn main_of(page: &Answer) -> &str {
    page.text().split_once("<main").map_or("", |(_, main)| main)
}

#[tokio::test]
async fn the_page_says_what_it_is_and_who_may_what() {
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let operator = kit.signed_in("operator", Some((Role::Operator, None))).await;
    let auditor = kit.signed_in("auditor", Some((Role::Auditor, None))).await;
    let nobody = kit.signed_in("nobody", None).await;
    for (proof, starts, writes) in
        [(&admin, true, true), (&operator, true, false), (&auditor, false, false)]
    {
        let page = kit.get_as(proof, PAGE).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        let main = main_of(&page);
        for said in [
            "Self-check",
            "system.self_check",
            "every 5 minutes",
            "starts again by itself",
            "1 min, as the type declares",
            "It was not done yet.",
            "of the product",
        ] {
            assert!(main.contains(said), "{said} is missing in {main}");
        }
        assert_eq!(main.contains("name=\"key\""), starts);
        assert_eq!(main.contains("name=\"input.only\""), starts);
        assert_eq!(main.contains("<textarea"), writes);
        assert_eq!(main.contains("platform.runbooks.manage"), !writes);
    }
    let refused = kit.get_as(&nobody, PAGE).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for missing in
        ["/system/ops/runbooks/no.such", "/system/ops/runbooks/system.self_check?workspace_id=9"]
    {
        assert_eq!(kit.get_as(&admin, missing).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let odd = kit.get_as(&admin, &format!("{PAGE}?workspace_id=x")).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_starts_once() {
    let kit = Kit::new(Who::Real).await;
    let operator = kit.signed_in("operator", Some((Role::Operator, None))).await;
    let key = hidden(&kit.get_as(&operator, PAGE).await, "key");
    let fields = [
        ("do", "start"),
        ("key", key.as_str()),
        ("input.only", "disk"),
        ("workspace_id", "1"),
        ("target", ""),
        ("priority", "5"),
        ("scheduled_at", ""),
    ];
    let first = kit.form(&operator, PAGE, &fields).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    assert!(first.header("set-cookie").contains("operation-started"));
    let second = kit.form(&operator, PAGE, &fields).await;
    assert_eq!(second.header("location"), first.header("location"));
    assert!(second.header("set-cookie").contains("operation-exists"));
    let list = kit.get_as(&operator, "/api/v1/operations").await.json();
    assert_eq!((&list["total"], &list["items"][0]["input"]), (&json!(1), &json!({"only": "disk"})));
    assert_eq!(list["items"][0]["priority"], 5);
    // The same key with other values is another form: said so, and the next try has a key of its own.
    let mut other = fields;
    other[2].1 = "store";
    let clash = kit.form(&operator, PAGE, &other).await;
    assert_eq!(clash.status, StatusCode::CONFLICT);
    assert!(clash.text().contains("started an operation") && hidden(&clash, "key") != key);
    // The button of the list as well.
    let shelf = kit.get_as(&operator, "/system/ops/runbooks").await;
    let key = hidden(&shelf, "key");
    let button = [("type", "system.self_check"), ("key", key.as_str())];
    let first = kit.form(&operator, "/system/ops/runbooks", &button).await;
    let second = kit.form(&operator, "/system/ops/runbooks", &button).await;
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(kit.get_as(&operator, "/api/v1/operations").await.json()["total"], 2);
}

#[tokio::test]
async fn a_refused_start_keeps_what_was_typed() {
    let kit = Kit::new(Who::Real).await;
    let operator = kit.signed_in("operator", Some((Role::Operator, None))).await;
    for (wrong, value, said) in [
        ("input.only", "moon", "input.only"),
        ("priority", "101", "priority"),
        ("target", "nothing", "target"),
        ("scheduled_at", "tomorrow", "scheduled_at"),
        ("workspace_id", "x", "workspace_id"),
        ("colour", "red", "colour"),
    ] {
        let fields = [("do", "start"), ("key", "k"), (wrong, value)];
        let refused = kit.form(&operator, PAGE, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(refused.text().contains(said) && refused.text().contains("Not started"), "{wrong}");
        if wrong == "target" {
            assert!(refused.text().contains("value=\"nothing\""), "{}", refused.text());
        }
    }
    assert_eq!(kit.get_as(&operator, "/api/v1/operations").await.json()["total"], 0);
}

#[tokio::test]
async fn what_is_written_is_looked_at_saved_and_brought_back() {
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let write = |does: &'static str, text: &'static str, version: &'static str| {
        [("do", does), ("workspace_id", "1"), ("version", version), ("markdown", text)]
    };
    let preview = kit.form(&admin, PAGE, &write("preview", "*our* way", "0")).await;
    assert_eq!(preview.status, StatusCode::OK);
    assert!(preview.text().contains("Preview, not saved yet"));
    assert!(plain(&preview).contains("<em>our</em>"), "{}", preview.text());
    assert!(preview.text().contains("\n*our* way</textarea>"), "{}", preview.text());
    assert_eq!(kit.get_as(&admin, API).await.json()["version"], 0);
    let saved = kit.form(&admin, PAGE, &write("save", "*our* way", "0")).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    assert_eq!(saved.header("location"), format!("{PAGE}?workspace_id=1"));
    let page = kit.get_as(&admin, PAGE).await;
    assert!(plain(&page).contains("<em>our</em>"));
    assert!(page.text().contains("version 1 of platform"));
    // Somebody else began at the same version: refused, with their text in the form.
    let late = kit.form(&admin, PAGE, &write("save", "my </textarea> way", "0")).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text().contains("\nmy &lt;/textarea&gt; way</textarea>"), "{}", late.text());
    assert!(late.text().contains("somebody else was faster") && hidden(&late, "version") == "1");
    // Looking at it first does not make it newer than it is.
    let again = kit.form(&admin, PAGE, &write("preview", "my way", "0")).await;
    assert_eq!(hidden(&again, "version"), "0");
    let second = kit.form(&admin, PAGE, &write("save", "", "1")).await;
    assert_eq!(second.status, StatusCode::SEE_OTHER);
    assert_eq!(kit.get_as(&admin, API).await.json()["source"], "product");
    let old = kit.get_as(&admin, &format!("{PAGE}?workspace_id=1&version=1")).await;
    assert!(old.text().contains("Version 1 against the text of the product"), "{}", old.text());
    assert!(old.text().contains("<ins>+ *our* way"), "{}", old.text());
    let back = [("do", "restore"), ("workspace_id", "1"), ("version", "2"), ("restore", "1")];
    assert_eq!(kit.form(&admin, PAGE, &back).await.status, StatusCode::SEE_OTHER);
    let now = kit.get_as(&admin, API).await.json();
    assert_eq!((&now["version"], &now["markdown"]), (&json!(3), &json!("*our* way")));
    let sql = Sql::new(
        "SELECT details FROM audit_log WHERE action = 'platform.runbooks.save' ORDER BY seq",
    );
    let rows = kit.console.db.fetch_all(sql).await.expect("the log is there");
    let last: serde_json::Value =
        serde_json::from_str(&rows[2].text("details").expect("details")).expect("JSON");
    assert_eq!((rows.len(), &last["version"], &last["restores"]), (3, &json!(3), &json!(1)));
}

#[tokio::test]
async fn whoever_lacks_the_right_is_refused_and_written_down() {
    let kit = Kit::new(Who::Real).await;
    let operator = kit.signed_in("operator", Some((Role::Operator, None))).await;
    let auditor = kit.signed_in("auditor", Some((Role::Auditor, None))).await;
    let save = [("do", "save"), ("workspace_id", "1"), ("version", "0"), ("markdown", "x")];
    assert_eq!(kit.form(&operator, PAGE, &save).await.status, StatusCode::FORBIDDEN);
    let start = [("do", "start"), ("key", "k")];
    let refused = kit.form(&auditor, PAGE, &start).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("platform.operations.manage"));
    let body = json!({"markdown": "x", "version": 0});
    assert_eq!(put(&kit, &operator, API, body).await.status, StatusCode::FORBIDDEN);
    let sql = Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'denied'");
    let denied = kit.console.db.fetch_one(sql).await.expect("a count").i64("n").expect("a number");
    assert_eq!(denied, 3);
    assert_eq!(kit.get_as(&operator, API).await.json()["version"], 0);
}

#[tokio::test]
async fn json_says_the_same() {
    let kit = Kit::new(Who::Real).await;
    kit.workspace(7, "seven").await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let there = format!("{API}?workspace_id=7");
    let saved = put(&kit, &admin, &there, json!({"markdown": "ours", "version": 0})).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    assert_eq!(saved.json()["workspace"]["name"], "seven");
    let late = put(&kit, &admin, &there, json!({"markdown": "mine", "version": 0})).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "CHANGED_MEANWHILE"));
    let versions = kit.get_as(&admin, &format!("{API}/versions?workspace_id=7")).await.json();
    assert_eq!(
        (versions.as_array().map(Vec::len), &versions[0]["markdown"]),
        (Some(1), &json!("ours"))
    );
    let all = kit.get_as(&admin, "/api/v1/runbooks?workspace_id=7").await.json();
    let own =
        all.as_array().expect("a list").iter().find(|book| book["type"] == "system.self_check");
    assert_eq!(own.expect("it is there")["source"], "workspace");
    assert_eq!(kit.get_as(&admin, API).await.json()["source"], "product");
    for (path, field) in [
        ("?workspace_id=x", "workspace_id"),
        ("?colour=1", "colour"),
        ("?workspace_id=1&workspace_id=1", "workspace_id"),
    ] {
        let refused = kit.get_as(&admin, &format!("{API}{path}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(refused.violations().contains_key(field), "{path}");
    }
    let missing = kit.get_as(&admin, "/api/v1/runbooks/no.such").await;
    assert_eq!(missing.code(), "OPERATION_TYPE_NOT_FOUND");
    let wrong = json!({"type": "system.self_check", "input": {"only": "moon"}});
    let wrong = kit.json_as(&admin, "/api/v1/operations", wrong).await;
    assert!(wrong.violations().contains_key("input.only"), "{}", wrong.text());
}

/// What somebody with bad intentions writes: no element, no address and no attribute of theirs is in the page.
#[tokio::test]
async fn nothing_that_was_written_becomes_more_than_text() {
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let mut version = 0;
    for nasty in corpus() {
        let saved = put(&kit, &admin, API, json!({"markdown": nasty, "version": version})).await;
        assert_eq!(saved.status, StatusCode::OK, "{nasty:.80}");
        version += 1;
        let address = format!("{PAGE}?workspace_id=1&version={version}");
        let page = kit.get_as(&admin, &address).await;
        assert_eq!(page.status, StatusCode::OK, "{nasty:.80}");
        let preview = [
            ("do", "preview"),
            ("workspace_id", "1"),
            ("version", "0"),
            ("markdown", nasty.as_str()),
        ];
        let preview = kit.form(&admin, PAGE, &preview).await;
        for drawn in [&page, &preview] {
            assert_harmless(main_of(drawn), &nasty);
        }
    }
    let long = "x".repeat(100_000);
    let long = put(&kit, &admin, API, json!({"markdown": long, "version": version})).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Nothing of it is more than a form's own fault when it is sent by the page.
    let body = format!("do=save&workspace_id=1&version={version}&markdown={}", "x".repeat(100_000));
    let request =
        admin.on(Request::post(PAGE)).header("content-type", "application/x-www-form-urlencoded");
    let refused = kit.send(request, Body::from(body)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text().contains("20000 characters")
            && refused.text().contains(&"x".repeat(100_000))
    );
}

fn corpus() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b> <style>*{display:none}</style> <iframe src=//evil.example>",
        "<svg/onload=alert(1)>\n\n<details open ontoggle=alert(1)>",
        "</div></main><script>alert(1)</script>",
        "</textarea><script>alert(1)</script>",
        "<!--[if gt IE 1]><script>alert(1)</script><![endif]-->",
        "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](&#106;avascript:alert(1)) [d](java&Tab;script:alert(1))",
        "[a](<java\tscript:alert(1)>) [b](<javascript:alert(1)>) <javascript:alert(1)> [c](\u{1}javascript:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=) [b](vbscript:x) [c](//evil.example) [d](/\\evil.example) [e](\\\\evil.example)",
        "[a][b]\n\n[b]: javascript:alert(1) \"x\\\" onmouseover=alert(1)\"",
        "[a](https://a.example/\"onmouseover=alert(1)) [b](https://a.example 'x\" onmouseover=\"alert(1)')",
        "![x](javascript:alert(1)) ![y](https://evil.example/x.png) ![z](data:image/svg+xml,<svg/onload=alert(1)>)",
        "```\"><script>alert(1)</script>\n<script>alert(1)</script>\n```",
        "| <script>alert(1)</script> | b |\n|---|---|\n| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |",
        "- [ ] <script>alert(1)</script>\n- [x] [y](javascript:alert(1))",
        "[go](operation:system.self_check) [no](operation:\"><script>alert(1)</script>)",
        "\u{202e}[gnp.exe](https://a.example)\u{202c} # \u{200b}\n\n{{constructor.constructor('alert(1)')()}}",
    ]
    .map(str::to_owned)
    .to_vec();
    corpus.push(format!("{} deep", ">".repeat(15_000)));
    corpus.push("* ".repeat(9_000));
    corpus.push(format!("{}x{}", "[".repeat(8_000), "](y)".repeat(2_500)));
    corpus.push("<div>".repeat(3_900));
    corpus.push(format!("|{}\n|{}", "a|".repeat(2_000), "-|".repeat(2_000)));
    corpus.push("<script>alert(1)</script> [a](javascript:alert(1)) ".repeat(380));
    corpus
}

fn assert_harmless(main: &str, nasty: &str) {
    for element in [
        "<script>alert",
        "<img",
        "<iframe",
        "<style>*",
        "<svg/",
        "<details open ontoggle",
        "<b onclick",
        "<!--[",
    ] {
        assert!(!main.contains(element), "{element} of {nasty:.80}");
    }
    for tag in main.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        assert!(!tag.contains(" on"), "<{tag}> of {nasty:.80}");
        for attribute in ["href=\"", "src=\"", "action=\""] {
            let Some((_, value)) = tag.split_once(attribute) else { continue };
            let value = value.split('"').next().unwrap_or_default().to_lowercase();
            let good = ["/", "#", "https://a.example", "https://evil.example/x.png", "y"];
            let fine =
                good.iter().any(|start| value.starts_with(start)) && !value.contains("script:");
            assert!(
                fine && !value.starts_with("//") && !value.starts_with("/\\"),
                "{value} of {nasty:.80}"
            );
            assert!(!value.contains("data:"), "{value} of {nasty:.80}");
        }
    }
}

#[tokio::test]
async fn form_api_and_input_say_the_same_of_each_type() {
    let kit = Kit::new(Who::Admin).await;
    assert_eq!(kit.console.operations.disagreements(), []);
    let document = kit.get("/api/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["Input.system.self_check"];
    let words = schema["properties"]["only"]["enum"].as_array().map(Vec::len);
    assert_eq!((words, &schema["additionalProperties"]), (Some(5), &json!(false)), "{schema}");
    let start = &document["components"]["schemas"]["StartOperation"]["properties"]["input"];
    let named = start["anyOf"].as_array().is_some_and(|any| {
        any.iter().any(|one| one["$ref"] == "#/components/schemas/Input.system.self_check")
    });
    assert!(named, "{start}");
    let alone = kit.get("/api/schemas/Input.system.self_check.json").await;
    assert_eq!(alone.status, StatusCode::OK);
}
