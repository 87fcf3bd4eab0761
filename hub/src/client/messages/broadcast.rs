//! `hub broadcast`.

use std::process::ExitCode;

use super::args;
use super::payload;
use crate::client::connection::Connection;
use crate::client::output;
use crate::client::trouble::Trouble;
use hub_core::messaging::model::{Broadcast, Broadcasted};

/// Carries the command out.
pub fn run(args: &args::Broadcast) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let what = Broadcast { product_id: args.product.clone(), payload: payload(&args.message)?, qos: args.qos };
    let told: Broadcasted = hub.post("/api/broadcasts", &what)?;
    match args.target.json {
        true => output::json(&told),
        false => {
            output::line(&format!("sent to {} of {} devices of product {}", told.sent, told.devices, told.product_id))
        }
    }
    Ok(ExitCode::SUCCESS)
}
