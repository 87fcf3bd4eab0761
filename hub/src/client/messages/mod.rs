//! `hub broadcast`, `hub rrpc`, `hub config` and `hub log`.

pub mod args;
pub mod broadcast;
pub mod config;
pub mod log;
pub mod rrpc;

use std::fs;
use std::io::Read;

use base64::prelude::{Engine, BASE64_STANDARD};

use super::trouble::Trouble;
use args::Message;
use hub_core::messaging::model::Payload;

/// What is to be sent.
fn payload(message: &Message) -> Result<Payload, Trouble> {
    match (&message.text, &message.file) {
        (Some(text), _) => Ok(Payload { text: Some(text.clone()), base64: None }),
        (None, Some(path)) => {
            let bytes =
                fs::read(path).map_err(|error| Trouble::failed(format!("--file {}: {error}", path.display())))?;
            Ok(Payload::of(&bytes))
        }
        (None, None) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Trouble::failed(format!("standard input: {error}")))?;
            Ok(Payload::of(&bytes))
        }
    }
}

/// The bytes of an answer as a line; those that are no text, in hex.
fn show(payload: &Payload) -> String {
    match (&payload.text, &payload.base64) {
        (Some(text), _) => text.clone(),
        (None, Some(base64)) => {
            let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
            format!("hex {}", hex::encode(bytes))
        }
        (None, None) => String::new(),
    }
}
