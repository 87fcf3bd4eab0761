//! `hub rrpc`.

use std::process::ExitCode;

use super::args;
use super::{payload, show};
use crate::client::connection::{part, Connection};
use crate::client::output;
use crate::client::trouble::Trouble;
use hub_core::messaging::model::{AskDevice, Payload, Rrpc, RrpcList, RrpcState};

/// Carries the command out.
pub fn run(args: &args::Rrpc) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    let path = format!("/api/devices/{}/rrpc", part(&args.client_id));
    if args.list {
        let list: RrpcList = hub.get(&path)?;
        match json {
            true => output::json(&list),
            false => table(&list),
        }
    } else {
        let what = AskDevice { payload: payload(&args.message)?, timeout_ms: Some(args.timeout) };
        let rrpc: Rrpc = hub.post(&path, &what)?;
        match json {
            true => output::json(&rrpc),
            false => output::line(&answer(&rrpc)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(rrpc: &Rrpc) -> String {
    show(rrpc.answer.as_ref().unwrap_or(&Payload::default()))
}

fn table(list: &RrpcList) {
    let row = |rrpc: &Rrpc| {
        let state = match rrpc.state {
            RrpcState::Waiting => "waiting",
            RrpcState::Answered => "answered",
            RrpcState::TimedOut => "timed out",
            RrpcState::Late => "too late",
        };
        let state = if rrpc.answers > 1 { format!("{state}, {} times", rrpc.answers) } else { state.to_owned() };
        [rrpc.id.to_string(), output::time(rrpc.asked_at), state, show(&rrpc.request), answer(rrpc)]
    };
    let rows: Vec<_> = list.requests.iter().map(row).collect();
    output::table(["ID", "ASKED", "STATE", "REQUEST", "ANSWER"], &rows, "no requests");
}
