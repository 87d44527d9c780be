//! The command line: what the program can be asked to do, and the words of `--help`.

use clap::{Arg, ArgAction, Command, builder::NonEmptyStringValueParser};

use super::{setting::Setting, settings::SETTINGS};

const EXAMPLES: &str = "\
Examples:
  quarterdeck
      Serves on http://127.0.0.1:7080 with a SQLite file in the current directory.
  quarterdeck migrate && quarterdeck serve --database-url postgres://quarterdeck@db/quarterdeck
      Prepares a Postgres database, then serves from it.
  quarterdeck work --queues upkeep --workers 2 --database-url postgres://quarterdeck@db/quarterdeck
      Works on operations beside consoles that serve the same Postgres; answers no page.
  quarterdeck backup quarterdeck-20261121.backup && quarterdeck restore --check quarterdeck-20261121.backup
      Copies the SQLite database beside the running console, and reads the copy once more.
  QUARTERDECK_LOG_FORMAT=json quarterdeck serve --config /etc/quarterdeck.toml
      Reads the file; the variable wins over the file, a flag would win over both.

The file has one line per setting, named as the flag with underscores:
  listen = \"127.0.0.1:7080\"
  upstreams = [\"prometheus=http://127.0.0.1:9090\"]";

/// The command line.
pub fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .global(true)
        .value_parser(NonEmptyStringValueParser::new())
        .help("A TOML file with settings. [env: QUARTERDECK_CONFIG]");
    let check = Arg::new("check")
        .long("check")
        .action(ArgAction::SetTrue)
        .help("Change nothing: say what is missing, and end with 1 when something is");
    Command::new("quarterdeck")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An operations console for fleets of Kubernetes clusters and the agents on them.")
        .after_help(EXAMPLES)
        .arg(config)
        .args(SETTINGS.iter().map(Setting::arg))
        .subcommand(Command::new("serve").about("Serve the console (also without a subcommand)"))
        .subcommand(
            Command::new("work")
                .about("Work on queued operations, without pages, beside consoles on the same Postgres")
                .long_about(
                    "Work on queued operations, without pages, beside consoles on the same Postgres: takes runs of the \
                     queues that --queues names, --workers at a time, and keeps time for schedules and lost workers. \
                     Metrics and readiness answer at --metrics-listen. SIGTERM lets the steps in hand finish within a \
                     few seconds and gives the rest back to the queue. A SQLite file serves one process, so this needs \
                     Postgres.",
                ),
        )
        .subcommand(
            Command::new("migrate")
                .about("Bring the database to this version's schema, under a lock")
                .arg(check),
        )
        .subcommand(backup())
        .subcommand(restore())
        .subcommand(audit())
        .subcommand(rbac())
        .subcommand(keys())
}

fn file(help: &'static str) -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(NonEmptyStringValueParser::new())
        .help(help)
}

fn backup() -> Command {
    let with_key = Arg::new("include-key").long("include-key").action(ArgAction::SetTrue).help(
        "Put the key ring into the file as well: whoever has the file can then open every secret in it and forge the \
         audit log",
    );
    Command::new("backup")
        .about("Write the whole database into one file, also beside a running console")
        .long_about(
            "Write the whole database into one file, also beside a running console: all tables as they were at one \
             moment, with what is needed to know the file again as whole and unchanged. The file can be restored into \
             either engine, by this version or a newer one.\n\n\
             Secrets are in it as they are in the database: sealed under the key ring, or as hashes. The key ring is \
             not in it: without a copy of the ring, kept apart, the secrets in the file cannot be opened and the file \
             is not restored. Making a backup is a row of the audit log, which is in the file.\n\n\
             FILE must not be there yet. It appears when it is whole; a backup that was killed leaves at most \
             .FILE.….partial beside it, which can be deleted.",
        )
        .arg(file("Where to write it; its owner's alone"))
        .arg(with_key)
}

fn restore() -> Command {
    let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help(
        "Only look whether the file is whole and goes with the key ring; no database is opened",
    );
    Command::new("restore")
        .about("Fill an empty database with a file of `quarterdeck backup`")
        .long_about(
            "Fill an empty database with a file of `quarterdeck backup`, whichever engine it came from. Needs the key \
             ring of the console that it was made of. First reads the whole file: one that is truncated, damaged, \
             changed, or made by a newer version is refused before anything is written. Then writes everything in one \
             transaction, brings the schema up to this version, and verifies the audit chain. No console may run on \
             the database meanwhile; one that is killed in between leaves an empty database.\n\n\
             What was true when the file was made is true again: sessions and keys that were revoked since are back, \
             and so are operations that were running, whose leases have ended.\n\n\
             A file with the key ring in it (--include-key) puts the ring where the console looks for it, if there is \
             none.\n\n\
             Ends with 1 also when the database was restored and its audit chain is broken, as it then was when the \
             file was made.",
        )
        .arg(file("A file that `quarterdeck backup` wrote"))
        .arg(check)
}

/// A name that may stand in a manifest as it is.
fn dns_label(text: &str) -> Result<String, String> {
    let good = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err("letters a to z, digits and - are taken".to_owned())
    }
}

fn rbac() -> Command {
    let name = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(dns_label).help(help)
    };
    Command::new("rbac")
        .about("Print the least that the console needs to be allowed in a cluster, for kubectl apply -f -")
        .arg(name("namespace", "NAMESPACE", "Where the service account is made [default: quarterdeck]"))
        .arg(name("name", "NAME", "Of account, role and binding [default: quarterdeck-viewer]"))
        .arg(
            name("observe", "NAMESPACE", "Also reach the services of this namespace through the API server; may be repeated")
                .action(ArgAction::Append),
        )
}

fn keys() -> Command {
    let id = Arg::new("id")
        .value_name("ID")
        .required(true)
        .value_parser(NonEmptyStringValueParser::new())
        .help("The key's name, as `quarterdeck keys list` shows it");
    Command::new("keys")
        .about("The key ring: print a new key, list those in use, change the active one, retire an old one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("new")
                .about("Print a fresh line for the key ring; put first, it becomes the active key"),
        )
        .subcommand(Command::new("list").about(
            "List the keys of the ring and of the database by name, with what each of them still seals and verifies; end \
             with 1 when the ring lacks one",
        ))
        .subcommand(Command::new("rotate").about(
            "Put a new key first in the key file; a console that is started then seals with it, and seals again what \
             older keys sealed",
        ))
        .subcommand(
            Command::new("retire")
                .about("Take a key out of the ring when no sealed value and no audit row needs it any more")
                .arg(id),
        )
}

fn audit() -> Command {
    let row = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("SEQ")
            .value_parser(clap::value_parser!(i64).range(1..))
            .help(help)
    };
    let head = Arg::new("head")
        .long("head")
        .value_name("LINE")
        .value_parser(NonEmptyStringValueParser::new())
        .help("A line of the log with a signed head: the chain must still contain it");
    let bundle = Arg::new("bundle")
        .long("bundle")
        .value_name("FILE")
        .value_parser(NonEmptyStringValueParser::new())
        .conflicts_with_all(["from", "to"])
        .help("Verify an exported NDJSON bundle instead, with the key ring alone: no database is opened");
    let verify = Command::new("verify")
        .about("Verify the audit chain, and name the first row that is not as it was written")
        .long_about(
            "Verify the audit chain, and name the first row that is not as it was written. Only reads, also \
             beside a running console. Needs the key ring of the console.\n\n\
             With --bundle it verifies a file that was exported as NDJSON. A bundle of the whole log proves every \
             row from the first one kept to the signed head; one of a query proves its rows, and that the file is as \
             it was exported, but not what lies between its rows.\n\n\
             Ends with 0 when the chain is whole, 1 when it is broken, 2 when it could not be checked.",
        )
        .arg(row("from", "The first row to look at; it must follow the row before it [default: the first]"))
        .arg(row("to", "The last row to look at [default: the last]"))
        .arg(head)
        .arg(bundle);
    Command::new("audit")
        .about("Verify the audit chain")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(verify)
}
