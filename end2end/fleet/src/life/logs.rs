//! The pods' logs: files in the format of a container runtime, to which something is added now and then.
//!
//! KWOK serves them. A workload's pods share one file, which is started anew before it grows large.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use jiff::Timestamp;

use super::teams;
use crate::troubles;

/// Between two rounds; each gives every log one line.
const PAUSE: Duration = Duration::from_secs(2);
/// Some ten thousand lines; a reader that follows goes on in the new file.
const LIMIT: u64 = 1 << 20;

/// Where the log of a container lies.
pub fn file(folder: &Path, namespace: &str, container: &str) -> PathBuf {
    folder.join("logs").join(namespace).join(format!("{container}.log"))
}

/// Writes the first lines of every log; KWOK must find the files.
pub fn begin(folder: &Path) -> Result<()> {
    for namespace in teams::namespaces() {
        for container in teams::containers(namespace) {
            let path = file(folder, namespace, container);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let text: String =
                (0..20).map(|number| line(Timestamp::now(), container, number)).collect();
            fs::write(path, text)?;
        }
        for (container, lines) in troubles::logs(namespace) {
            let text: String = lines.iter().map(|text| said(Timestamp::now(), text)).collect();
            fs::write(file(folder, namespace, container), text)?;
        }
    }
    Ok(())
}

/// What a container in trouble says; a container that runs again says the same again.
fn said(now: Timestamp, text: &str) -> String {
    let stream = if text.contains("level=error") { "stderr" } else { "stdout" };
    format!("{now:.9} {stream} F {text}\n")
}

/// Adds to all logs until it is dropped.
pub async fn grow(folder: &Path) {
    for number in 20.. {
        tokio::time::sleep(PAUSE).await;
        for namespace in teams::namespaces() {
            for container in teams::containers(namespace) {
                // A full disk stops the logs, not the fleet.
                drop(append(
                    &file(folder, namespace, container),
                    &line(Timestamp::now(), container, number),
                ));
            }
        }
    }
}

fn append(path: &Path, text: &str) -> Result<()> {
    if fs::metadata(path)?.len() > LIMIT {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

/// One line as a container runtime writes it: time, stream, `F` for a full line, text.
fn line(now: Timestamp, container: &str, number: u64) -> String {
    let (stream, text) = match number % 17 {
        16 => (
            "stderr",
            format!(
                "level=error msg=\"upstream timed out\" component={container} attempt={number}"
            ),
        ),
        5 | 11 => (
            "stderr",
            format!(
                "level=warn msg=\"slow request\" component={container} ms={}",
                400 + number % 900
            ),
        ),
        _ => (
            "stdout",
            format!(
                "level=info msg=\"request served\" component={container} ms={} n={number}",
                3 + number % 40
            ),
        ),
    };
    format!("{now:.9} {stream} F {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_runtimes_format() {
        let text = line(Timestamp::UNIX_EPOCH, "web", 1);
        assert_eq!(
            text,
            "1970-01-01T00:00:00.000000000Z stdout F level=info msg=\"request served\" component=web ms=4 n=1\n"
        );
    }

    #[test]
    fn a_large_log_is_started_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.log");
        fs::write(&path, vec![b'x'; usize::try_from(LIMIT).expect("small") + 1]).expect("written");
        append(&path, "new\n").expect("appended");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new\n");
    }
}
