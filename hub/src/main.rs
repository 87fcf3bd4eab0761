//! The cloud on your desk: plays Tencent Cloud's IoT Hub for a few devices or a few hundred.
//!
//! The program: command line, files, terminal, and the order in which a hub is put together. What it is made of are the
//! crates `hub-core`, `hub-store`, `hub-mqtt`, `hub-http` and `hub-fault`.

#![forbid(unsafe_code)]

mod backup;
mod cert;
mod cli;
mod client;
mod commands;
mod console_tls;
mod data_folder;
mod once;
mod reporter;
mod run;
mod state_file;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().action {
        cli::Action::Run(args) => run::run(args),
        cli::Action::Cert(args) => cert::run(&args),
        cli::Action::Backup(args) => backup::back_up(&args),
        cli::Action::Restore(args) => backup::restore(&args),
        cli::Action::Faults => {
            print!("{}", hub_fault::guide());
            Ok(ExitCode::SUCCESS)
        }
        cli::Action::Firmware(args) => return client::end(client::firmware::run(&args)),
        cli::Action::Devices(args) => return client::end(client::devices::run(&args)),
        cli::Action::Upgrade(args) => return client::end(client::upgrade::run(&args)),
        cli::Action::Registration(args) => return client::end(client::registration::run(&args)),
        cli::Action::Shadow(args) => return client::end(client::shadow::run(&args)),
        cli::Action::Gateways(args) => return client::end(client::gateways::run(&args)),
        cli::Action::Ssh(args) => return client::end(client::ssh::run(&args)),
        cli::Action::Resources(args) => return client::end(client::resources::run(&args)),
        cli::Action::User(args) => return client::end(client::users::run(&args)),
        cli::Action::Audit(args) => return client::end(client::users::audit(&args)),
        cli::Action::Watch(args) => return client::end(client::watch::run(&args)),
        cli::Action::Broadcast(args) => return client::end(client::messages::broadcast::run(&args)),
        cli::Action::Rrpc(args) => return client::end(client::messages::rrpc::run(&args)),
        cli::Action::Config(args) => return client::end(client::messages::config::run(&args)),
        cli::Action::Log(args) => return client::end(client::messages::log::run(&args)),
    };
    outcome.unwrap_or_else(|fatal| {
        eprintln!("hub: {fatal}");
        ExitCode::from(2)
    })
}
