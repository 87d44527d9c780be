//! The program `quarterdeck`.

use std::process::ExitCode;

use server::{cli, config, telemetry};

fn main() -> ExitCode {
    let command = match config::read() {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let done = match command {
        config::Command::Serve(config) => {
            telemetry::start(&config);
            runtime.block_on(cli::serve(*config)).map(|()| true)
        }
        config::Command::Work(config) => {
            telemetry::start(&config);
            runtime.block_on(cli::work(*config)).map(|()| true)
        }
        config::Command::AuditVerify { config, ask } => {
            return runtime.block_on(cli::audit_verify(&config, ask));
        }
        config::Command::Backup { config, ask } => {
            runtime.block_on(cli::backup(&config, &ask)).map(|()| true)
        }
        config::Command::Restore { config, ask } => runtime.block_on(cli::restore(&config, &ask)),
        config::Command::NewKey => {
            cli::new_key();
            Ok(true)
        }
        config::Command::Rbac(ask) => {
            cli::print_rbac(&ask);
            Ok(true)
        }
        config::Command::ListKeys(config) => runtime.block_on(cli::list_keys(&config)),
        config::Command::RotateKey(config) => cli::rotate_key(&config).map(|()| true),
        config::Command::RetireKey { config, id } => {
            runtime.block_on(cli::retire_key(&config, &id))
        }
        config::Command::Migrate { config, check } => {
            runtime.block_on(cli::migrate(&config, check))
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

/// The whole chain, for people.
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("quarterdeck: {error:#}");
    ExitCode::FAILURE
}
