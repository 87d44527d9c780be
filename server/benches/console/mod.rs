//! The real console over a database of the benchmark's, asked over HTTP.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use server::vault::TEST_KEYS;

pub struct Timing {
    pub first_byte: Duration,
    pub whole: Duration,
}

pub struct Console {
    child: Child,
    address: String,
    /// The demo's admin asks.
    key: String,
    _folder: tempfile::TempDir,
}

impl Console {
    pub fn start(url: &str) -> Self {
        let (listen, metrics) = (free_address(), free_address());
        let folder = tempfile::tempdir().expect("a folder");
        let access = folder.path().join("access.json");
        let own = |name: &str| name.starts_with("QUARTERDECK_") || name == "DATABASE_URL";
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
        // What whoever measures has set, and cargo for the build, is not for this console.
        for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        let child = command
            // The limit on searches would be measured otherwise.
            .args(["serve", "--log-level", "error", "--search-rate", "100000"])
            .args(["--listen", &listen, "--metrics-listen", &metrics, "--database-url", url])
            .arg("--demo-users")
            .arg(&access)
            .env("QUARTERDECK_VAULT_KEYS", TEST_KEYS)
            .stdout(Stdio::null())
            .spawn()
            .expect("the console starts");
        let mut console = Self { child, address: listen, key: String::new(), _folder: folder };
        let deadline = Instant::now() + Duration::from_mins(1);
        while console.ask("/readyz").is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "the console is not ready after 60 s");
            std::thread::sleep(Duration::from_millis(50));
        }
        // The file is there before the first answer.
        let access = std::fs::read(&access).expect("the demo's file");
        let access: serde_json::Value = serde_json::from_slice(&access).expect("JSON");
        access["api_keys"]["admin"].as_str().expect("a key").clone_into(&mut console.key);
        console
    }

    /// An answer of 200; any other ends the benchmark.
    pub fn get(&self, path: &str) -> Timing {
        let (status, timing) = self.ask(path).expect("the console answers");
        assert_eq!(status, 200, "{path}");
        timing
    }

    /// One request on a connection of its own, read to its end.
    fn ask(&self, path: &str) -> Option<(u16, Timing)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_nodelay(true).ok()?;
        let started = Instant::now();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\nConnection: close\r\n\r\n",
            self.address, self.key
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = vec![0; 64 * 1024];
        let mut length = stream.read(&mut answer).ok()?;
        let first_byte = started.elapsed();
        let status = std::str::from_utf8(&answer[..length]).ok()?.get(9..12)?.parse().ok()?;
        while length > 0 {
            length = stream.read(&mut answer).ok()?;
        }
        Some((status, Timing { first_byte, whole: started.elapsed() }))
    }

    /// How much of the process is in memory. Of the program's own file the kernel keeps there what it likes, by the ten
    /// megabytes more or less from start to start; the rest is what the process holds.
    pub fn resident(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process runs");
        let mb = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            kb.unwrap_or(0) / 1024
        };
        format!("{} MB, {} of them its own and the rest its files'", mb("VmRSS:"), mb("RssAnon:"))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}
