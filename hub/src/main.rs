//! The cloud on your desk: plays Tencent Cloud's IoT Hub for a few devices or a few hundred.
//!
//! An MQTT broker with the platform's three ways of authentication, the OTA service behind it, and a firmware server.
//! Rules (`auth`, `topic`, `ota`, `http::range`, `site`, `commands`) are pure; the rest moves bytes. What is kept
//! is in `store`; `desk` is what a person can do, `service` what devices can.

mod api;
mod auth;
mod broker;
mod cli;
mod client;
mod commands;
mod data_folder;
mod devices;
mod error;
mod events;
mod fault;
mod firmware;
mod http;
mod hub;
mod model;
mod once;
mod operations;
mod ota;
mod ports;
mod problems;
mod random;
mod remote;
mod run;
mod service;
mod site;
mod state_file;
mod store;
mod tls;
mod topic;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Run(args) => run::run(args),
        cli::Command::Cert(args) => tls::certs::command(&args),
        cli::Command::Faults => {
            print!("{}", fault::guide());
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Firmware(args) => return client::end(client::firmware::run(&args)),
        cli::Command::Devices(args) => return client::end(client::devices::run(&args)),
        cli::Command::Upgrade(args) => return client::end(client::upgrade::run(&args)),
        cli::Command::Watch(args) => return client::end(client::watch::run(&args)),
    };
    outcome.unwrap_or_else(|fatal| {
        eprintln!("hub: {fatal}");
        ExitCode::from(2)
    })
}
