//! Shadows, from the side of people.

use std::sync::PoisonError;

use crate::events::Event;
use crate::hub::{now_ms, Hub};
use crate::model::{Desire, Problem, ProblemCode, ProblemKind, Shadow};
use crate::ota::Outgoing;
use crate::ports::store::{Outcome, Touched};
use crate::problems;
use crate::shadow::{self, message, Change, Document, Part};

impl Hub {
    /// A device's shadow.
    pub fn shadow(&self, client_id: &str) -> Outcome<Shadow> {
        Ok(Shadow::of(client_id, self.store.shadow(client_id)?))
    }

    /// Changes what is desired of a device, and tells it what it is not yet.
    pub fn desire(&self, client_id: &str, what: Desire) -> Outcome<Shadow> {
        let desired = what.desired.map_or(Part::Cleared, Part::Merged);
        let change = Change { desired, version: what.version.unwrap_or_default(), ..Change::default() };
        let now = now_ms();
        // A device must not hear of an earlier wish after a later one.
        let _in_sequence = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Document::default();
        self.store.change_shadow(client_id, &mut |there| {
            if what.version.is_some_and(|version| version != there.version) {
                return Err(other_version(there.version));
            }
            kept = there.changed(&change, now).map_err(|result| refused(result, there))?;
            Ok(Some(kept.clone()))
        })?;
        self.tell_delta(client_id, &kept, now)?;
        self.tell_of_shadow(client_id, "desire", shadow::DONE, kept.version);
        Ok(Shadow::of(client_id, kept))
    }

    fn tell_delta(&self, client_id: &str, document: &Document, now: u64) -> Outcome<()> {
        let device = self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        if let Some(payload) = message::delta(document, now) {
            // Which of the two a device uses, it alone knows.
            for service in ["$shadow", "$template"] {
                let topic = format!("{service}/operation/result/{}/{}", device.product_id, device.device_name);
                self.send(Outgoing { topic, payload: payload.clone(), acknowledged: false });
            }
        }
        Ok(())
    }

    /// Says that somebody has asked for a shadow or changed it.
    pub(crate) fn tell_of_shadow(&self, client_id: &str, action: &'static str, result: i64, version: u64) {
        self.events.emit(&Event::Shadow { client_id: client_id.to_owned(), action, result, version });
        if result == shadow::DONE && action != "get" {
            let mut touched = Touched::default();
            touched.shadows.insert(client_id.to_owned());
            self.notify(&touched);
        }
    }
}

fn other_version(version: u64) -> Problem {
    Problem::conflict(format!("The shadow has version {version} by now: look at it again."))
        .coded(ProblemCode::ShadowChanged, &[("version", &version)])
}

fn refused(result: i64, there: &Document) -> Problem {
    if result == shadow::OTHER_VERSION {
        return other_version(there.version);
    }
    Problem::new(
        ProblemKind::TooLarge,
        format!("A shadow may have {} bytes of JSON and {} levels.", shadow::MAX_DOCUMENT, shadow::MAX_DEPTH),
    )
    .coded(ProblemCode::ShadowTooLarge, &[("max", &shadow::MAX_DOCUMENT), ("levels", &shadow::MAX_DEPTH)])
}
