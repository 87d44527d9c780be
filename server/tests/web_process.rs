//! The program itself: what it prints, how it starts, how it stops.

#![expect(
    clippy::disallowed_methods,
    reason = "a process is looked at from outside, where there is neither our clock nor our tasks"
)]

mod process_kit;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use process_kit::{PATIENCE, Serving, ask, connect, folder, program, send};

fn run(command: &mut Command) -> (Output, String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

/// An answer's body.
fn json(answer: &str) -> serde_json::Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn help_teaches_and_mistakes_are_told() {
    let folder = folder();
    let (output, out, _) = run(program(&folder).arg("--help"));
    assert!(output.status.success());
    for told in
        ["--listen", "QUARTERDECK_LISTEN", "127.0.0.1:7080", "Examples:", "migrate", "Storage:"]
    {
        assert!(out.contains(told), "{told} is missing in {out}");
    }
    let (output, _, err) = run(program(&folder).env("QUARTERDECK_WORKERS", "none").arg("serve"));
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("workers (from QUARTERDECK_WORKERS)"), "{err}");
    let (output, _, err) = run(program(&folder).args(["--listen", "0.0.0.0:7080"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("`public_url` does not say how"), "{err}");
    let missing = [
        "--database-url",
        "sqlite:no/such/folder/q.db",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "off",
    ];
    let (output, _, err) = run(program(&folder).args(missing));
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("no/such/folder"), "{err}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("some port");
    let address = taken.local_addr().expect("bound").to_string();
    let (output, _, err) = run(program(&folder()).args(["--listen", &address]));
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains(&format!("listen: {address}")), "{err}");
}

#[test]
fn migrate_says_what_is_missing_and_brings_it() {
    let folder = folder();
    let (before, out, _) = run(program(&folder).args(["migrate", "--check"]));
    assert_eq!(before.status.code(), Some(1), "{out}");
    assert!(out.contains("quarterdeck migrate"), "{out}");
    let (done, out, _) = run(program(&folder).arg("migrate"));
    assert!(done.status.success() && out.contains("applied 0001_base"), "{out}");
    let (after, out, _) = run(program(&folder).args(["migrate", "--check"]));
    assert!(after.status.success(), "{out}");
}

#[test]
fn a_read_only_console_does_not_touch_an_old_database() {
    let folder = folder();
    std::fs::write(folder.path().join("quarterdeck.db"), b"").expect("an empty file");
    let any = ["--read-only", "--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    let (output, _, err) = run(program(&folder).args(any));
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("quarterdeck migrate"), "{err}");
}

#[test]
fn a_sqlite_file_serves_one_process_and_readers() {
    let folder = folder();
    let serving = Serving::start(&folder, &[]);
    let any = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let (output, _, err) = run(program(&folder).args(any));
    assert!(!output.status.success());
    assert!(err.contains("another console works on quarterdeck.db"), "{err}");
    let reading = Serving::start(&folder, &["--read-only"]);
    assert!(ask(reading.console, "GET /readyz").ends_with("ready\n"));
    drop((serving, reading));
    Serving::start(&folder, &[]);
}

/// A request up to the end of its head.
fn read_head(stream: &mut impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn start_self_check(serving: &Serving) -> serde_json::Value {
    let body = r#"{"type":"system.self_check"}"#;
    let (console, key) = (serving.console, &serving.key);
    json(&send(
        console,
        &format!(
            "POST /api/v1/operations HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\
             X-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    ))
}

fn await_run(
    serving: &Serving,
    id: &serde_json::Value,
    fits: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let run = json(&serving.ask(&format!("GET /api/v1/operations/{id}")));
        if fits(&run) {
            return run;
        }
        assert!(Instant::now() < until, "it never came so far: {run:#}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_console_takes_its_run_up_again_and_repeats_no_finished_step() {
    let folder = folder();
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").expect("some port");
    let slow = format!("slow=http://{}/", upstream.local_addr().expect("bound"));
    // The connection is taken and nobody answers: the run waits in its last step.
    let first = Serving::start(&folder, &["--upstreams", &slow]);
    let id = start_self_check(&first)["id"].clone();
    let waits = |run: &serde_json::Value| {
        run["steps"].as_array()?.last().cloned().filter(|s| s["status"] == "running")
    };
    let before =
        await_run(&first, &id, |run| waits(run).is_some_and(|step| step["name"] == "upstreams"));
    // kill -9.
    drop(first);
    thread::spawn(move || {
        for mut stream in upstream.incoming().flatten() {
            // An answer that comes before the question is none.
            let _ = read_head(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let second = Serving::start(&folder, &["--upstreams", &slow]);
    let after = await_run(&second, &id, |run| run["status"] == "completed");
    // Not the outcome: a program built without assets says so in its self-check.
    assert_eq!(after["attempt"], 2, "{after:#}");
    let steps = |run: &serde_json::Value| run["steps"].as_array().cloned().unwrap_or_default();
    let (was, is) = (steps(&before), steps(&after));
    assert_eq!(was.len(), is.len());
    let finished = was.len() - 1;
    assert!(finished >= 4, "{before:#}");
    assert_eq!(was[..finished], is[..finished], "with the times of the first attempt");
    assert_eq!(is[finished]["status"], "succeeded", "{after:#}");
}

#[test]
fn a_request_is_one_line_without_what_it_carried() {
    let folder = folder();
    let mut serving = Serving::start(&folder, &[]);
    let answer = serving.ask(
        "GET /settings/tasks?q=hunter2 HTTP/1.1\r\nX-Request-Id: trial-0001\r\nCookie: session=hunter2\r\n\
         Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("x-request-id: trial-0001"), "{answer}");
    let line = serving.line(|line| line["route"] == "/settings/tasks");
    assert_eq!((&line["method"], &line["status"]), (&"GET".into(), &200.into()));
    let caller = line["caller"].as_str().expect("a caller");
    assert!(caller.starts_with("api_key:") && !caller.contains("qd_"), "{caller}");
    assert!(
        line["duration_ms"].is_u64() && line["bytes"].as_u64().is_some_and(|n| n > 500),
        "{line}"
    );
    assert_eq!(line["span"]["request_id"], "trial-0001");
    assert_eq!(line["span"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    serving.terminate();
    assert!(serving.wait().success());
    let log = serving.rest_of_log();
    assert!(!log.contains("hunter2") && !log.contains(&serving.key), "{log}");
    assert_eq!(log.matches("\"route\":\"/settings/tasks\"").count(), 1, "{log}");
}

#[test]
fn stopping_lets_the_running_request_finish_and_ends_streams() {
    let folder = folder();
    let mut serving = Serving::start(&folder, &["--shutdown-grace", "50"]);
    assert!(ask(serving.console, "GET /readyz").ends_with("ready\n"));

    // A form that is half sent, and a live stream.
    let mut slow = connect(serving.console);
    let head = format!(
        "POST /api/ui/operations/newer HTTP/1.1\r\nHost: {}\r\nContent-Length: 14\r\nX-API-Key: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n",
        serving.console, serving.key
    );
    slow.write_all(head.as_bytes()).expect("it reads");
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).expect("its handler waits for the rest");
    assert!(go_on.starts_with(b"HTTP/1.1 100"));
    let mut stream = BufReader::new(connect(serving.console));
    let head = format!(
        "GET /events/stream HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\n\r\n",
        serving.console, serving.key
    );
    stream.get_mut().write_all(head.as_bytes()).expect("it reads");
    let mut line = String::new();
    while !line.starts_with("retry:") {
        line.clear();
        assert_ne!(stream.read_line(&mut line).expect("it streams"), 0, "the stream ended early");
    }

    serving.terminate();
    serving.line(|line| line["message"] == "SIGTERM: stopping");
    let ready = ask(serving.metrics, "GET /readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.ends_with("stopping\n"), "{ready}");
    // The line above is written before the socket is closed.
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(serving.console).is_ok() {
        assert!(Instant::now() < until, "nobody new is let in");
        thread::sleep(Duration::from_millis(10));
    }
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("the stream ends in good order");

    slow.write_all(b"query=&after=0").expect("it still reads");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("it answers, then closes");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert!(serving.wait().success());
    let log = serving.rest_of_log();
    assert!(log.contains("\"message\":\"stopped\""), "{log}");
    assert!(!log.contains("did not stop in time") && !log.contains("still running"), "{log}");
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_process() {
    let folder = folder();
    let mut serving = Serving::start(&folder, &["--shutdown-grace", "1"]);
    let mut slow = connect(serving.console);
    let head = format!(
        "POST /api/ui/operations/newer HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\nX-API-Key: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        serving.console, serving.key
    );
    slow.write_all(head.as_bytes()).expect("it reads");
    slow.read_exact(&mut [0; 25]).expect("its handler waits for the rest");
    serving.terminate();
    assert!(serving.wait().success());
    let log = serving.rest_of_log();
    assert!(log.contains("still running when the grace was over"), "{log}");
}
