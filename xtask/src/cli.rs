//! Owns the words of the command line: what may be typed, and what `--help` teaches.
//! Must not do any of it.

use anyhow::{Result, bail};

use crate::bench;
use crate::test::Part;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help(&'static str),
    Setup,
    Build { release: bool },
    Serve { args: Vec<String> },
    Demo { fleet: bool },
    Test { parts: Vec<Part> },
    Bench { name: String, args: Vec<String> },
}

const HELP: &str = "\
Quarterdeck's one entry for building, running and testing it.

    cargo xtask demo              the console and a practice fleet beside it, on this machine
    cargo xtask test              everything that CI runs, with one summary at the end
    cargo xtask serve -- --help   the console against a configuration of yours
    cargo xtask build --release   dist/quarterdeck: one file with its assets inside
    cargo xtask bench             the benchmarks and what they measure
    cargo xtask setup             only install what the others need

Each command installs what it needs and is missing: on Debian as root by apt, elsewhere it names the packages.
Go and Node.js are yours to install; every command says so in time.

    cargo xtask COMMAND --help    more about one of them

Environment:
    QUARTERDECK_CACHE   where heavy, versioned outputs live (default ~/.cache/quarterdeck)
    CHROMIUM            the browser for the browser tests (default: chromium on PATH)
    QUARTERDECK_WASM    `debian` takes Debian's compiler for wasm even where another one is at hand
";

const SETUP: &str = "\
cargo xtask setup

Installs everything that any command needs, and says where it found it. Not needed by itself: each command does
its part. Useful to fill a machine image, or once as root before working as somebody else.
";

const BUILD: &str = "\
cargo xtask build [--release]

Builds the part that runs in the browser, the stylesheet, and the server with both inside.

    target/site/assets/      what browsers load, under names with a hash; manifest.json lists it
    target/debug/quarterdeck the server
    --release                dist/quarterdeck instead, optimised

A second build with nothing changed takes a second.
";

const SERVE: &str = "\
cargo xtask serve [-- ARGUMENTS]

Builds the console and runs `quarterdeck serve ARGUMENTS` on this terminal. Its flags, environment variables and
configuration file are explained by

    cargo xtask serve -- --help
";

const DEMO: &str = "\
cargo xtask demo [--no-fleet]

Builds and starts the console on 127.0.0.1:7080 (or the next free port), prints how to get in, and then builds and
starts the practice fleet: three real Kubernetes clusters without machines. The first time takes a while, because
Kubernetes is compiled once; the console is there long before. Ctrl-C ends everything.

    --no-fleet               the console alone; needs no Go
    target/demo/access.json  url, clusters: for programs that want to come along
    target/demo/             database, logs and the fleet's files; delete it to start afresh
";

const TEST: &str = "\
cargo xtask test [PART...]

Without a part: everything that CI runs. A part that fails does not keep the others from running.

    fmt       rustfmt
    clippy    the workspace's lints, for the server and for the browser
    deny      licences, bans and sources of all dependencies, by deny.toml, without network
    unit      tests of all crates on SQLite, without the practice fleet
    store     the same on SQLite and a throw-away Postgres   (also: postgres)
    identity  sign-in against a real OpenID provider on loopback; also part of unit and store
    fleet     the practice fleet against real Kubernetes, and the effects of killed workers at it
    deploy    the Helm chart: linted, refused where it must be, taken by a real API server
    size      bytes of each asset
    budget    bytes of a first page against the budgets
    browser   Playwright in Chromium, with and without JavaScript
";

const BENCH: &str = "\
cargo xtask bench NAME [-- ARGUMENTS]

Benchmarks are programs of their own, built for release; a timed unit test proves nothing.

";

/// Prints a text of [`Command::Help`].
pub fn help(text: &str) {
    print!("{text}");
    if text == BENCH {
        bench::describe();
    }
}

pub fn parse(words: &[String]) -> Result<Command> {
    let Some((name, rest)) = words.split_first() else {
        return Ok(Command::Help(HELP));
    };
    // What follows `--` belongs to somebody else, `--help` too.
    let own = rest.split(|word| word == "--").next().unwrap_or_default();
    let passed = rest.get(own.len() + 1..).unwrap_or_default().to_vec();
    let help = own.iter().any(|word| word == "--help" || word == "-h");
    match name.as_str() {
        "help" | "--help" | "-h" => Ok(Command::Help(HELP)),
        "setup" if help => Ok(Command::Help(SETUP)),
        "build" if help => Ok(Command::Help(BUILD)),
        "serve" if help => Ok(Command::Help(SERVE)),
        "demo" if help => Ok(Command::Help(DEMO)),
        "test" if help => Ok(Command::Help(TEST)),
        "bench" if help => Ok(Command::Help(BENCH)),
        "setup" => flags(name, own, []).map(|[]| Command::Setup),
        "build" => flags(name, own, ["--release"]).map(|[release]| Command::Build { release }),
        "serve" => flags(name, own, []).map(|[]| Command::Serve { args: passed }),
        "demo" => flags(name, own, ["--no-fleet"]).map(|[alone]| Command::Demo { fleet: !alone }),
        "test" => own
            .iter()
            .map(|word| Part::parse(word))
            .collect::<Result<_>>()
            .map(|parts| Command::Test { parts }),
        "bench" => match own {
            [name] => Ok(Command::Bench { name: name.clone(), args: passed }),
            _ => bail!("cargo xtask bench takes one name; known: {}", bench::names()),
        },
        _ => bail!(
            "`{name}` is no command; known: setup, build, serve, demo, test, bench. `cargo xtask --help` explains"
        ),
    }
}

/// Which of the known flags were given; anything else is refused.
fn flags<const N: usize>(command: &str, words: &[String], known: [&str; N]) -> Result<[bool; N]> {
    if let Some(word) = words.iter().find(|word| !known.contains(&word.as_str())) {
        bail!(
            "`{word}` means nothing to `cargo xtask {command}`; `cargo xtask {command} --help` explains it"
        );
    }
    Ok(known.map(|flag| words.iter().any(|word| word == flag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn commands_and_their_flags() {
        assert_eq!(of("").unwrap(), Command::Help(HELP));
        assert_eq!(of("build --release").unwrap(), Command::Build { release: true });
        assert_eq!(of("demo").unwrap(), Command::Demo { fleet: true });
        assert_eq!(of("demo --no-fleet").unwrap(), Command::Demo { fleet: false });
        assert_eq!(of("test").unwrap(), Command::Test { parts: vec![] });
        assert_eq!(
            of("test fmt postgres").unwrap(),
            Command::Test { parts: vec![Part::Fmt, Part::Store] }
        );
        assert_eq!(of("demo --help").unwrap(), Command::Help(DEMO));
    }

    #[test]
    fn what_follows_two_dashes_is_passed_on() {
        let args = vec!["--listen".to_owned(), "--help".to_owned()];
        assert_eq!(of("serve -- --listen --help").unwrap(), Command::Serve { args });
    }

    #[test]
    fn a_word_that_means_nothing_is_named() {
        for line in ["demo --no-flet", "build all", "deploy", "test all", "bench", "serve --listen"]
        {
            let words = format!("{:#}", of(line).unwrap_err());
            let culprit = line.split_whitespace().last().unwrap();
            assert!(words.contains(culprit), "{line}: {words}");
        }
    }

    #[test]
    fn every_part_is_explained() {
        for part in Part::ALL {
            assert!(TEST.contains(&format!("\n    {:<10}", part.name())), "{}", part.name());
        }
    }
}
