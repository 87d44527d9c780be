//! Owns every process that xtask starts, so that none outlives it.
//!
//! ```text
//! SIGINT, SIGTERM, SIGHUP ─► xtask ─► SIGTERM to the process group of each child ─► waits ─► cleans up ─► ends
//! SIGKILL ─► xtask is gone ─► the guard's pipe closes ─► guard: SIGTERM to each group, later SIGKILL
//! ```
//!
//! Each child leads a process group, so that what it starts in turn is ended with it. Must not know what any
//! child is for.

mod guard;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::guard::groups;

/// How long a child may take to end by itself once it was asked to.
const GRACE: Duration = Duration::from_secs(20);

/// How much of a failed step's log is shown; the file has the rest.
const TAIL_LINES: usize = 30;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns the signals that end a program into: end the children, then unwind as after any error.
pub fn end_children_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("no signal handler")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            // Asked twice: whoever still hangs is not waited for.
            let again = INTERRUPTED.swap(true, Ordering::SeqCst);
            let signal = if again { Signal::KILL } else { Signal::TERM };
            groups().each(|group| send(group, signal));
        }
    });
    Ok(())
}

/// True once the user asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// A command whose process ends when xtask does, however xtask ends.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    // Nothing that xtask starts asks questions, and a group in the background could not read the answers.
    command.process_group(0).stdin(Stdio::null());
    command
}

/// Runs to the end with its output on the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = wait(command)?;
    check(command, status)
}

/// Runs to the end with its output in a file; a failure shows the end of it.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = create_log(log)?;
    command.stdout(file.try_clone().context("log file")?).stderr(file);
    let status = wait(command)?;
    check(command, status).map_err(|error| match tail(log) {
        // The first line alone must tell what went wrong: summaries show no more.
        Ok(tail) if !interrupted() => anyhow!("{error}\n{tail}\n(all of it: {})", log.display()),
        _ => error,
    })
}

/// Runs to the end and gives what it printed on standard output.
pub fn capture(command: &mut Command) -> Result<String> {
    let child = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let output = child.wait_with_output(&describe(command))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return check(command, output.status).map(|()| String::new()).with_context(|| words);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{} printed no text", describe(command)))
}

/// True when the program is there and accepts these arguments; its words are thrown away.
pub fn succeeds(program: impl AsRef<Path>, args: &[&str]) -> bool {
    let mut probe = command(program);
    probe.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    wait(&mut probe).is_ok_and(|status| status.success())
}

/// A child that runs beside xtask and is ended when this value goes.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    running: Running,
    /// What asks it to end in good order.
    stop: Signal,
}

impl Service {
    /// Starts it with its output in a file.
    pub fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = create_log(log)?;
        command.stdout(file.try_clone().context("log file")?).stderr(file);
        Self::start_as_is(name, command)
    }

    /// Starts it with its output on the terminal.
    pub fn start_as_is(name: &'static str, command: &mut Command) -> Result<Self> {
        Ok(Self { name, running: Running::start(command)?, stop: Signal::TERM })
    }

    /// For programs that mean something else by SIGTERM.
    pub fn stopped_by(mut self, signal: Signal) -> Self {
        self.stop = signal;
        self
    }

    /// The exit status if it ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.running
            .child
            .try_wait()
            .with_context(|| format!("cannot ask for the state of {}", self.name))
    }

    /// Asks it to end, waits, and ends its whole group when it does not listen.
    fn end(&mut self) {
        let group = self.running.group;
        send(group, self.stop);
        let since = Instant::now();
        while since.elapsed() < GRACE {
            if !matches!(self.running.child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        send(group, Signal::KILL);
        // Reaps it; an error means that it was reaped before.
        drop(self.running.child.wait());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// A started child, known to the signal handler for as long as it runs.
#[derive(Debug)]
struct Running {
    child: Child,
    group: Pid,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        if interrupted() {
            bail!("interrupted");
        }
        let child =
            command.spawn().with_context(|| format!("cannot start {}", describe(command)))?;
        let group = Pid::from_child(&child);
        groups().add(group)?;
        if interrupted() {
            send(group, Signal::TERM);
        }
        Ok(Self { child, group })
    }

    fn wait_with_output(mut self, name: &str) -> Result<std::process::Output> {
        let mut errors = self.child.stderr.take();
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = errors.as_mut() {
                // What could not be read is missing from an error message, no more.
                drop(pipe.read_to_end(&mut bytes));
            }
            bytes
        });
        let mut stdout = Vec::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout).with_context(|| format!("cannot read from {name}"))?;
        }
        let status = self.child.wait().with_context(|| format!("cannot wait for {name}"))?;
        Ok(std::process::Output { status, stdout, stderr: reader.join().unwrap_or_default() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        groups().remove(self.group);
    }
}

fn wait(command: &mut Command) -> Result<ExitStatus> {
    let mut running = Running::start(command)?;
    running.child.wait().with_context(|| format!("cannot wait for {}", describe(command)))
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if interrupted() {
        bail!("interrupted");
    }
    if !status.success() {
        bail!("`{}` failed ({status})", describe(command));
    }
    Ok(())
}

/// The command as one would type it.
fn describe(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}

fn send(group: Pid, signal: Signal) {
    // The group may have ended a moment ago; that is what we wanted.
    let _gone = kill_process_group(group, signal);
}

/// Looks a program up as a shell would.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn create_log(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    File::create(log).with_context(|| format!("cannot write {}", log.display()))
}

/// The last lines of a log.
pub fn tail(log: &Path) -> Result<String> {
    /// More than thirty long lines never need.
    const WINDOW: u64 = 16 * 1024;
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_shows_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("step.log");
        let error = run_logged(command("sh").args(["-c", "seq 1 100; exit 3"]), &log).unwrap_err();
        let words = format!("{error:#}");
        assert!(words.contains("100") && !words.contains("\n69\n"), "{words}");
        assert!(words.contains("exit status: 3"), "{words}");
    }

    #[test]
    fn a_service_ends_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("service.log");
        let service =
            Service::start("nest", command("sh").args(["-c", "sleep 600 & echo $!; wait"]), &log)
                .unwrap();
        let grandchild = loop {
            let text = fs::read_to_string(&log).unwrap();
            if let Some(pid) = text.lines().next() {
                break pid.to_owned();
            }
            thread::sleep(Duration::from_millis(5));
        };
        drop(service);
        // The kernel carries a signal out when it next runs the process, a moment after `kill`.
        let since = Instant::now();
        while runs(&grandchild) {
            assert!(since.elapsed() < GRACE, "{grandchild} goes on");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn runs(pid: &str) -> bool {
        Path::new(&format!("/proc/{pid}/cmdline")).exists() && !is_zombie(pid)
    }

    /// Nobody may have reaped the orphan yet; it runs no more.
    fn is_zombie(pid: &str) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }
}
