//! CoAP: a client that posts messages and is answered (coap.md).

mod answer;
pub mod packet;
mod session;

pub use answer::{Answer, Ending, Event};
pub use session::{Authentication, Due, Received, Refusal, Session, Terms, MAX_TOPIC, MAX_WAITING};
