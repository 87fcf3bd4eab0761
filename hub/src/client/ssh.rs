//! `hub ssh`.

use std::process::ExitCode;

use super::args;
use super::connection::{part, Connection};
use super::output;
use super::trouble::Trouble;
use hub_core::model::{OpenSsh, SshTunnel};

/// Carries the command out.
pub fn run(args: &args::Ssh) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let path = format!("/api/devices/{}/ssh", part(&args.client_id));
    if args.close {
        hub.delete(&path)?;
        if !args.target.json {
            output::line(&format!("the tunnel to {} is closed", args.client_id));
        }
    } else {
        let tunnel: SshTunnel = hub.post(&path, &OpenSsh { port: args.port })?;
        match args.target.json {
            true => output::json(&tunnel),
            false => output::line(&format!("ssh -p {} {}", tunnel.port, tunnel.host)),
        }
    }
    Ok(ExitCode::SUCCESS)
}
