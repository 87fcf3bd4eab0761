//! `hub cert`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hub_core::error::Result;
use hub_mqtt::tls::certs::Authority;

/// Options of `hub cert`.
#[derive(Args)]
pub struct CertArgs {
    /// The folder that holds (or will hold) the CA
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Product id and device name without a separator
    #[arg(long, value_name = "ID")]
    pub client_id: String,
}

/// Makes or finds a client certificate and prints the paths as JSON.
pub fn run(args: &CertArgs) -> Result<ExitCode> {
    let authority = Authority::open(&args.state)?;
    let paths = authority.client(&args.client_id)?;
    println!("{}", serde_json::json!({ "ca_file": authority.ca_file(), "cert": paths.cert, "key": paths.key }));
    Ok(ExitCode::SUCCESS)
}
