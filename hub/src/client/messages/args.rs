//! What the commands take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::client::args::Target;

/// What is sent; without either, standard input.
#[derive(Args)]
pub struct Message {
    /// The message (default: what comes on standard input)
    pub text: Option<String>,
    /// The message as bytes of a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Broadcast {
    #[command(flatten)]
    pub target: Target,
    /// The product whose devices are told
    #[arg(long, value_name = "ID")]
    pub product: String,
    #[command(flatten)]
    pub message: Message,
    /// 0: at most once; 1: at least once
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub qos: u8,
}

#[derive(Args)]
pub struct Rrpc {
    #[command(flatten)]
    pub target: Target,
    /// Product id and device name without a separator
    pub client_id: String,
    #[command(flatten)]
    pub message: Message,
    /// How many milliseconds the device has, at most 30000
    #[arg(long, value_name = "MS", default_value_t = 4000)]
    pub timeout: u64,
    /// Ask nothing: list the last requests to the device, with their answers
    #[arg(long, conflicts_with_all = ["text", "file", "timeout"])]
    pub list: bool,
}

#[derive(Args)]
pub struct Config {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
}

#[derive(Subcommand)]
pub enum ConfigAction {
    /// List the products with a configuration (also without a subcommand).
    List,
    /// Show a product's configuration, and what its devices were told.
    Show {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
    /// Publish a configuration: devices that are there are told, the others when they ask.
    Set {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
        #[command(flatten)]
        message: Message,
        /// Tell nobody who does not ask
        #[arg(long)]
        quiet: bool,
    },
    /// Tell the connected devices once more.
    Push {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
    /// Let devices have the configuration.
    On {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
    /// Tell devices that ask that there is no remote configuration (1001).
    Off {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
    /// Remove the configuration.
    Remove {
        /// The product
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
}

#[derive(Args)]
pub struct Log {
    #[command(flatten)]
    pub target: Target,
    /// Product id and device name without a separator
    pub client_id: String,
    /// Show so many lines, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub lines: u64,
    /// Upload from now on: 0 errors, only while something goes wrong; 1 errors; 2 warnings; 3 information; 4 everything
    #[arg(long, conflicts_with_all = ["lines", "clear"], value_parser = clap::value_parser!(u8).range(0..=4))]
    pub level: Option<u8>,
    /// Remove the lines
    #[arg(long, conflicts_with = "lines")]
    pub clear: bool,
}
