//! The cloud's reply, as far as it is not encrypted.

use super::Failure;
use crate::helpers::json::{self, Kind, Value};
use crate::helpers::redact::without_url_secrets;

/// What of the cloud's words goes into the log, in bytes.
const MAX_MESSAGE: usize = 200;

/// A reply that grants the registration.
pub(super) struct Reply {
    /// Base64 as it came.
    pub(super) payload: Vec<u8>,
    /// Length of the plain text, where the cloud tells one that can be.
    pub(super) len: Option<usize>,
}

impl Reply {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let keys = ["code", "message", "len", "payload"];
        let [code, message, len, payload] = json::values(json::message(body), keys).map_err(|_| Failure::NoCode)?;
        let code = code.and_then(|code| code.whole()).and_then(|code| i32::try_from(code).ok());
        match code.ok_or(Failure::NoCode)? {
            0 => {}
            code => return Err(Failure::Refused(code, shown(message))),
        }
        Reply::new(len, payload)
    }
}

impl Reply {
    /// A reply of the servers of 3.3.0: all of it in one member.
    pub(super) fn parse_signed(body: &[u8]) -> Result<Self, Failure> {
        let [response] = json::values(json::message(body), ["Response"]).map_err(|_| Failure::NoCode)?;
        let response = response.filter(|response| response.kind() == Kind::Object).ok_or(Failure::NoCode)?;
        let keys = ["Error", "Len", "Payload"];
        let [error, len, payload] = json::values(response.source(), keys).map_err(|_| Failure::NoCode)?;
        if let Some(error) = error.filter(|error| error.kind() == Kind::Object) {
            let [code, message] = json::values(error.source(), ["Code", "Message"]).map_err(|_| Failure::NoCode)?;
            return Err(Failure::Declined(format!("{}: {}", shown(code), shown(message))));
        }
        Reply::new(len, payload)
    }

    fn new(len: Option<Value<'_>>, payload: Option<Value<'_>>) -> Result<Self, Failure> {
        let payload = payload.and_then(|payload| payload.text()).ok_or(Failure::Unusable("it holds no payload"))?;
        let payload = payload.decoded().map_err(|_| Failure::Unusable("its payload can't be read"))?.into_owned();
        let len = len.and_then(|len| len.whole()).and_then(|len| usize::try_from(len).ok()).filter(|len| *len > 0);
        Ok(Reply { payload, len })
    }
}

/// The cloud's words for the log: one line.
fn shown(message: Option<Value<'_>>) -> String {
    let Some(text) = message.and_then(|message| message.text()?.decoded().ok()) else { return String::new() };
    let text = without_url_secrets(text.get(..MAX_MESSAGE).unwrap_or(&text));
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
