//! What `hub run --once` takes on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::verdict::Expect;

/// How the device of the test proves who it is, hence which listener it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// TLS with the device secret as pre-shared key
    Psk,
    /// Plain TCP with a password made of the device secret
    Password,
    /// TLS with a client certificate
    Certificate,
}

impl Auth {
    /// As it stands on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Auth::Psk => "psk",
            Auth::Password => "password",
            Auth::Certificate => "certificate",
        }
    }
}

#[derive(Args, Clone)]
#[command(next_help_heading = "One test")]
pub struct OnceArgs {
    /// Order one upgrade and end with it: exit with 0 when the device got where --expect says, with 1 when it got
    /// elsewhere or a fault rule never bit, with 3 when the time ran out. Without --devices it makes a device
    #[arg(long, requires = "image", conflicts_with_all = ["exit_when_done", "broker"])]
    pub once: bool,
    /// Where the device must get: it reports `done`, a failure (of this code), or that it runs the version on offer
    #[arg(long, value_name = "done|fail|fail=CODE|version", default_value = "done", requires = "once")]
    pub expect: Expect,
    /// How long that may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "once", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// The version the device must report first
    #[arg(long, value_name = "VERSION", requires = "once")]
    pub from_version: Option<String>,
    /// Offer a file of so many random bytes instead of --firmware
    #[arg(long, value_name = "BYTES", group = "image", conflicts_with = "firmware", requires_all = ["once", "version"],
          value_parser = clap::value_parser!(u64).range(1..=4_294_967_295))]
    pub size: Option<u64>,
    /// How many failed attempts before that are no failure of the test
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "once")]
    pub failures: u32,
    /// How the device comes in
    #[arg(long, value_enum, default_value = "psk", requires = "once")]
    pub auth: Auth,
    /// An empty folder for the device's files and the program to run in (default: a temporary one)
    #[arg(long, value_name = "DIR", requires = "once")]
    pub folder: Option<PathBuf>,
    /// This file in that folder must be the firmware when the device got there; NAMES as in ARGS
    #[arg(long, value_name = "FILE", requires = "once")]
    pub compare: Option<String>,
    /// Start the program again when it ends by itself, as a device that restarts
    #[arg(long, requires = "program")]
    pub restart: bool,
    /// Kill the program when the device reports that it has downloaded so much, and start it again
    #[arg(long, value_name = "PERCENT", requires = "program", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub kill_at: Option<u8>,
    /// The device's program, started and ended by the hub. {device_info}, {ca_file}, {endpoint}, {mqtt_psk} and every
    /// other text of the ready object are put into ARGS
    #[arg(last = true, value_name = "PROGRAM ARGS", requires = "once")]
    pub program: Vec<String>,
}
