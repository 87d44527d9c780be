//! The program, started for one test and looked at from outside.

#![expect(dead_code, reason = "each test program uses its own part")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Where the demo writes who may enter.
const ACCESS: &str = "access.json";
const VERSION: &str = " HTTP/1.1";
/// Nothing here takes longer on a slow machine, unless it hangs.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub fn program(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("QUARTERDECK_") || name == "DATABASE_URL" || name == "RUST_BACKTRACE" {
            command.env_remove(name);
        }
    }
    command.current_dir(folder.path());
    command
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// A console that serves, with its log.
pub struct Serving {
    child: Child,
    pub console: SocketAddr,
    pub metrics: SocketAddr,
    /// What programs may enter with: the demo's admin.
    pub key: String,
    lines: mpsc::Receiver<String>,
    seen: Vec<serde_json::Value>,
}

impl Serving {
    /// With the demo's people, whose file is in the folder.
    pub fn start(folder: &tempfile::TempDir, flags: &[&str]) -> Self {
        let file = folder.path().join(ACCESS);
        let flags = [["--demo-users", file.to_str().expect("UTF-8")].as_slice(), flags].concat();
        let mut serving = Self::alone(folder, &flags);
        if !flags.contains(&"--read-only") {
            serving.line(|line| line["message"].as_str().is_some_and(|m| m.starts_with("demo:")));
            let access = std::fs::read(&file).expect("the file is there before anybody is let in");
            let access: serde_json::Value = serde_json::from_slice(&access).expect("JSON");
            access["api_keys"]["admin"].as_str().expect("a key").clone_into(&mut serving.key);
        }
        serving
    }

    /// With nobody. What it prints for people goes into the file `stdout` of the folder.
    pub fn alone(folder: &tempfile::TempDir, flags: &[&str]) -> Self {
        let listen = [["serve", "--listen", "127.0.0.1:0"].as_slice(), flags].concat();
        Self::run(folder, &listen)
    }

    /// `quarterdeck work`: nobody can ask it but for metrics.
    pub fn work(folder: &tempfile::TempDir, flags: &[&str]) -> Self {
        Self::run(folder, &[["work"].as_slice(), flags].concat())
    }

    fn run(folder: &tempfile::TempDir, flags: &[&str]) -> Self {
        let printed = std::fs::File::create(folder.path().join("stdout")).expect("a file");
        let any = ["--metrics-listen", "127.0.0.1:0", "--log-format", "json"];
        let mut child = program(folder)
            .args(flags)
            .args(any)
            .stderr(Stdio::piped())
            .stdout(Stdio::from(printed))
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut serving = Self {
            child,
            console: nowhere,
            metrics: nowhere,
            key: String::new(),
            lines,
            seen: Vec::new(),
        };
        let up = serving.line(|line| line.get("metrics").is_some());
        let address = |key: &str| {
            let url = up[key].as_str().expect("an address");
            let rest = url.strip_prefix("http://").expect("http");
            rest.split('/').next().and_then(|host| host.parse().ok()).expect("an address")
        };
        if up.get("url").is_some() {
            serving.console = address("url");
        }
        serving.metrics = address("metrics");
        serving
    }

    /// The first line that fits.
    pub fn line(&mut self, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let until = Instant::now() + PATIENCE;
        if let Some(line) = self.seen.iter().find(|line| fits(line)) {
            return line.clone();
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no such line; there were {:#?}", self.seen);
            };
            let line: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line} is no JSON"));
            self.seen.push(line.clone());
            if fits(&line) {
                return line;
            }
        }
    }

    /// The answer to a request of the demo's admin.
    pub fn ask(&self, request: &str) -> String {
        let ends = if request.contains(VERSION) { "" } else { VERSION };
        ask(self.console, &format!("{request}{ends}\r\nAuthorization: Bearer {}", self.key))
    }

    pub fn terminate(&self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill is there").success());
    }

    /// Signal 9.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end; the log was {:#?}", self.lines.try_iter().collect::<Vec<_>>());
    }

    pub fn rest_of_log(&mut self) -> String {
        let rest: Vec<String> = self.lines.iter().collect();
        let seen = self.seen.iter().map(ToString::to_string);
        seen.chain(rest).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream
}

/// The whole answer of a connection that closes after it.
pub fn ask(address: SocketAddr, request: &str) -> String {
    let ends = if request.contains(VERSION) { "" } else { VERSION };
    send(address, &format!("{request}{ends}\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// The same for a request that is complete.
pub fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
