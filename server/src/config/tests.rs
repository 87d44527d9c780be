//! What a configuration may say, where it may say it, and what it hears when it is wrong.

use std::io::Write as _;

use super::{settings::SETTINGS, sources::read, *};

const NONE: [(&str, &str); 0] = [];

fn serve<K: Into<String>, V: Into<String>>(
    args: &[&str],
    environment: impl IntoIterator<Item = (K, V)>,
) -> Result<Config, String> {
    let args = std::iter::once("quarterdeck").chain(args.iter().copied());
    match read(args, &Environment::from_pairs(environment)) {
        Ok(Command::Serve(config)) => Ok(*config),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file for the test");
    file.write_all(text.as_bytes()).expect("room for a few lines");
    file
}

#[test]
fn every_default_is_valid_and_stands_in_the_help() {
    let config = serve(&[], NONE).expect("no setting is required");
    assert_eq!(config.listen.to_string(), "127.0.0.1:7080");
    assert_eq!(config.max_body_bytes, 1 << 20);
    let help = super::command::command().render_long_help().to_string();
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{}", setting.flag())), "{}", setting.key);
        assert!(help.contains(&setting.variable()), "{}", setting.key);
        assert!(help.contains(setting.group), "{}", setting.group);
    }
    assert!(help.contains("Examples:"));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = file("listen = \"127.0.0.1:1\"\nworkers = 1\nread_only = true\nsearch_rate = 7\n");
    let path = file.path().to_str().expect("a path of ASCII");
    let environment = [
        ("QUARTERDECK_LISTEN", "127.0.0.1:2"),
        ("QUARTERDECK_WORKERS", "2"),
        ("QUARTERDECK_CONFIG", path),
    ];
    let config = serve(&["--listen", "127.0.0.1:3"], environment).expect("all three are valid");
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.workers, 2);
    assert_eq!(config.search_rate, 7);
    assert!(config.read_only);
    let off =
        serve(&["serve", "--read-only=no", "--config", path], NONE).expect("a flag after serve");
    assert!(!off.read_only, "a flag can take back what the file says");
}

#[test]
fn lists_are_repeated_separated_or_an_array() {
    let wanted = ["a=http://h:1/", "b=http://h:2/"];
    let spelled = |config: Config| -> Vec<String> {
        config.upstreams.iter().map(|u| format!("{}={}", u.name, u.url)).collect()
    };
    let flags = serve(&["--upstreams", wanted[0], "--upstreams", wanted[1]], NONE);
    assert_eq!(spelled(flags.expect("two flags")), wanted);
    let variable = serve(&[], [("QUARTERDECK_UPSTREAMS", "a=http://h:1/, b=http://h:2/")]);
    assert_eq!(spelled(variable.expect("one variable")), wanted);
    let file = file(&format!("upstreams = {wanted:?}"));
    let array = serve(&["--config", file.path().to_str().expect("ASCII")], NONE);
    assert_eq!(spelled(array.expect("one array")), wanted);
}

#[test]
fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
    let file = file("lisen = \"127.0.0.1:1\"\nzebra = 1\n");
    let refused =
        serve(&["--config", file.path().to_str().expect("ASCII")], NONE).expect_err("lisen");
    assert!(refused.contains("lisen") && refused.contains("did you mean `listen`?"), "{refused}");
    assert!(refused.contains("zebra") && refused.contains("--help"), "{refused}");
    let refused = serve(&[], [("QUARTERDECK_LOGFORMAT", "json")]).expect_err("no such variable");
    assert!(refused.contains("did you mean `QUARTERDECK_LOG_FORMAT`?"), "{refused}");
    let refused = serve(&["--lissten", "x"], NONE).expect_err("no such flag");
    assert!(refused.contains("--listen"), "{refused}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let environment = [
        ("QUARTERDECK_SERVICE_HOST", "10.0.0.1"),
        ("QUARTERDECK_SERVICE_PORT_HTTP", "80"),
        ("QUARTERDECK_PORT", "tcp://10.0.0.1:80"),
        ("QUARTERDECK_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("QUARTERDECK_METRICS_SERVICE_HOST", "10.0.0.2"),
        ("QUARTERDECK_METRICS_SERVICE_PORT_METRICS", "7081"),
        ("QUARTERDECK_METRICS_PORT", "tcp://10.0.0.2:7081"),
        ("QUARTERDECK_METRICS_PORT_7081_TCP_PROTO", "tcp"),
        ("QUARTERDECK_TEST_POSTGRES_URL", "postgres://x"),
        ("QUARTERDECK_LISTEN", ""),
        ("PATH", "/bin"),
    ];
    let config = serve(&[], environment).expect("none of these is ours, or it is not set");
    assert_eq!(config.listen.port(), 7080);
}

#[test]
fn every_fault_is_told_at_once_with_its_setting_and_its_place() {
    let environment = [("QUARTERDECK_WORKERS", "many"), ("QUARTERDECK_LOG_FORMAT", "xml")];
    let refused = serve(&["--request-timeout", "0", "--max-body-bytes=7"], environment)
        .expect_err("all wrong");
    for told in [
        "workers (from QUARTERDECK_WORKERS): `many` is not a whole number from 0 to 16",
        "log_format (from QUARTERDECK_LOG_FORMAT): `xml` is not `json` or `pretty`",
        "request_timeout (from --request-timeout): `0` is not a number of seconds from 1 to 600",
        "max_body_bytes (from --max-body-bytes): `7` is not",
    ] {
        assert!(refused.contains(told), "{told} is missing in {refused}");
    }
}

#[test]
fn a_password_is_never_repeated() {
    for value in ["mysql://me:hunter2@h/d", "postgres://me:hunter2@h:port/d", "hunter2"] {
        let refused = serve(&[], [("DATABASE_URL", value)]).expect_err(value);
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(refused.contains("database_url (from DATABASE_URL)"), "{refused}");
    }
    let file = file("database_url = \"postgres://me:hunter2@h/d\n");
    let refused =
        serve(&["--config", file.path().to_str().expect("ASCII")], NONE).expect_err("no end");
    assert!(!refused.contains("hunter2") && refused.contains("line 1"), "{refused}");
    let refused = serve(&["--upstreams", "p=http://me:hunter2@h/"], NONE).expect_err("a password");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn a_key_ring_is_read_once_and_never_repeated() {
    let line = "k-1 cXVhcnRlcmRlY2sgdGVzdCByaW5nLCBub3Qgc2VjcmU=";
    let config = serve(&[], [("QUARTERDECK_VAULT_KEYS", line)]).expect("one key");
    let shown = format!("{config:?}");
    assert!(shown.contains("k-1") && !shown.contains("cXVh"), "{shown}");
    for wrong in [&line[..20], &line[4..], "# nothing"] {
        let refused = serve(&[], [("QUARTERDECK_VAULT_KEYS", wrong)]).expect_err(wrong);
        assert!(refused.contains("vault_keys (from QUARTERDECK_VAULT_KEYS)"), "{refused}");
        assert!(refused.contains("quarterdeck keys new") && !refused.contains("cXVh"), "{refused}");
    }
    let both = serve(&["--vault-key-file", "a.key"], [("QUARTERDECK_VAULT_KEYS", line)]);
    assert!(both.expect_err("two rings").contains("only one of them"));
}

#[test]
fn a_new_key_needs_no_configuration_and_the_list_has_one() {
    let wrong = Environment::from_pairs([("QUARTERDECK_VAULT_KEYS", "x")]);
    assert!(matches!(read(["quarterdeck", "keys", "new"], &wrong), Ok(Command::NewKey)));
    let args = ["quarterdeck", "keys", "list", "--database-url", "sqlite:mine.db"];
    match read(args, &Environment::default()) {
        Ok(Command::ListKeys(config)) => assert_eq!(config.database_url, "sqlite:mine.db"),
        other => panic!("{other:?}"),
    }
    assert!(read(["quarterdeck", "keys"], &Environment::default()).is_err());
}

#[test]
fn our_own_variable_wins_over_the_customary_one() {
    let environment =
        [("DATABASE_URL", "postgres://a@h/a"), ("QUARTERDECK_DATABASE_URL", "sqlite:mine.db")];
    assert_eq!(serve(&[], environment).expect("both valid").database_url, "sqlite:mine.db");
}

#[test]
fn a_console_that_others_can_reach_says_how_it_is_reached() {
    for address in ["0.0.0.0:7080", "[::]:7080", "10.0.0.1:7080"] {
        let refused = serve(&["--listen", address], NONE).expect_err(address);
        assert!(refused.contains("`public_url` does not say how"), "{refused}");
        let published = ["--listen", address, "--public-url", "https://ops.example"];
        assert!(serve(&published, NONE).is_ok());
        let plain = ["--listen", address, "--public-url", "http://ops.example"];
        assert!(serve(&plain, NONE).expect_err(address).contains("plain http"));
        assert!(serve(&["--metrics-listen", address], NONE).is_ok());
        let demo = [
            "--listen",
            address,
            "--demo-users",
            "x.json",
            "--public-url",
            "http://localhost:7080",
        ];
        assert!(serve(&demo, NONE).expect_err(address).contains("demo_users"));
    }
    let demo = ["--demo-users", "x.json", "--public-url", "https://ops.example"];
    assert!(serve(&demo, NONE).expect_err("published").contains("demo_users"));
    assert!(serve(&["--demo-users", "x.json"], NONE).is_ok());
    assert!(serve(&["--listen", "[::1]:7080"], NONE).is_ok());
    let same = serve(&["--metrics-listen", "127.0.0.1:7080"], NONE).expect_err("one port, twice");
    assert!(same.contains("is taken by `listen`"), "{same}");
    let off = serve(&["--metrics-listen", "off"], NONE).expect("off is a word for nowhere");
    assert_eq!(off.metrics_listen, None);
}

#[test]
fn a_public_address_is_whole_and_safe() {
    let read = |url: &str| serve(&["--public-url", url], NONE);
    let url = read("https://Ops.example/console/").expect("a sub-path").public_url.expect("given");
    assert_eq!((url.origin.as_str(), url.base.as_str()), ("https://ops.example", "/console"));
    assert_eq!(
        read("https://ops.example:8443").expect("a port").public_url.expect("given").host,
        "ops.example:8443"
    );
    for wrong in [
        "ops.example",
        "ftp://ops.example",
        "https://ops.example/?a=1",
        "https://me@ops.example/",
        "https://ops.example/a//b",
        "https://ops.example/a b",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let plain = read("http://ops.example").expect_err("plain http on another machine");
    assert!(plain.contains("insecure_http"), "{plain}");
    assert!(read("http://localhost:7080/console").is_ok());
    assert!(serve(&["--public-url", "http://ops.example", "--insecure-http"], NONE).is_ok());
}

#[test]
fn a_file_of_authorities_is_read_at_start_and_must_hold_some() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["ca.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("signed").pem();
    let two = file(&format!("# ours\n{certificate}{certificate}"));
    let read = |path: &str| serve(&["--egress-ca-files", path], NONE);
    let config = read(two.path().to_str().expect("ASCII")).expect("two certificates");
    assert_eq!(config.egress_ca_files[0].0.len(), 2);
    let damaged = certificate.replacen("MII", "!!!", 1);
    for (text, why) in [
        ("", "no PEM certificate"),
        (key.serialize_pem().as_str(), "no PEM certificate"),
        (damaged.as_str(), "damaged"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        let file = file(text);
        let refused = read(file.path().to_str().expect("ASCII")).expect_err(why);
        assert!(refused.contains("egress_ca_files") && refused.contains(why), "{refused}");
        assert!(!refused.contains("PRIVATE"), "{refused}");
    }
    let refused = read("/nowhere/ca.pem").expect_err("no such file");
    assert!(refused.contains("`/nowhere/ca.pem` cannot be read: No such file"), "{refused}");
}

#[test]
fn a_worker_is_told_its_queues_and_a_zone_must_exist() {
    let args = [
        "quarterdeck",
        "work",
        "--queues",
        "system,upkeep",
        "--queues",
        "agents",
        "--workers",
        "2",
    ];
    match read(args, &Environment::default()) {
        Ok(Command::Work(config)) => {
            assert_eq!(config.queues, ["system", "upkeep", "agents"]);
            assert_eq!(config.workers, 2);
        }
        other => panic!("{other:?}"),
    }
    let none = serve(&["--workers", "0"], [("QUARTERDECK_QUEUES", "a, b")]).expect("others work");
    assert_eq!((none.workers, none.queues.len()), (0, 2));
    assert!(
        serve(&["--queues", "System!"], NONE).expect_err("no name").contains("`System!` is not")
    );
    let zone = serve(&["--schedule-time-zone", "Europe/Berlin"], NONE).expect("a zone");
    assert_eq!(zone.schedule_time_zone.iana_name(), Some("Europe/Berlin"));
    let refused = serve(&["--schedule-time-zone", "Mars/Olympus"], NONE).expect_err("no zone");
    assert!(refused.contains("`Mars/Olympus` is not a time zone"), "{refused}");
}

#[test]
fn what_is_kept_is_kept_as_long_as_was_decided() {
    let kept = serve(&[], NONE).expect("the defaults").retention;
    let wanted = Retention {
        run_days: 90,
        failed_run_days: 180,
        run_log_days: 14,
        open_work_days: 7,
        health_days: 7,
        removed_cluster_days: 30,
        event_hours: 24,
        event_count: 100_000,
    };
    assert_eq!(kept, wanted);
    let other = serve(&["--run-log-retention-days", "3"], NONE).expect("shorter").retention;
    assert_eq!(other, Retention { run_log_days: 3, ..wanted });
}
