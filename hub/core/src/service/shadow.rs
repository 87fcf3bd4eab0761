//! The shadow service at work.

use rumqttc::mqttbytes::v4::Publish;

use crate::devices::Device;
use crate::hub::{now_ms, Hub};
use crate::model::Problem;
use crate::ota::Outgoing;
use crate::ports::Received;
use crate::shadow::message::{self, Wish};
use crate::shadow::{Document, DONE};

impl Hub {
    /// Answers what a device asks of its shadow. `service` is `$shadow` or `$template`.
    pub(super) fn ask_shadow(
        &self,
        client_id: &str,
        device: &Device,
        service: &str,
        message: &Publish,
    ) -> Result<Received, Problem> {
        let request = match message::read(&message.payload) {
            Ok(request) => request,
            Err(text) => {
                self.warn_of(client_id, text);
                return Ok(Received::default());
            }
        };
        let now = now_ms();
        let (answer, action, result, version) = match &request.wish {
            Ok(Wish::Get) => {
                let document = self.store.shadow(client_id)?;
                (message::document(&request, &document, now), "get", DONE, document.version)
            }
            Ok(Wish::Update(change, state)) => {
                let (mut result, mut document) = (DONE, Document::default());
                self.store.change_shadow(client_id, &mut |there| match there.changed(change, now) {
                    Ok(changed) => {
                        (result, document) = (DONE, changed);
                        Ok(Some(document.clone()))
                    }
                    Err(refusal) => {
                        (result, document) = (refusal, there.clone());
                        Ok(None)
                    }
                })?;
                let answer = match result {
                    DONE => message::updated(&request, state, &document, now),
                    result => message::refused(&request, result, &document, now),
                };
                (answer, "update", result, document.version)
            }
            Err(result) => {
                let document = self.store.shadow(client_id)?;
                (message::refused(&request, *result, &document, now), "refuse", *result, document.version)
            }
        };
        let topic = format!("{service}/operation/result/{}/{}", device.product_id, device.device_name);
        self.send(Outgoing { topic, payload: answer, acknowledged: false });
        self.tell_of_shadow(client_id, action, result, version);
        Ok(Received::default())
    }
}
