//! Devices that ask and are answered, and hear nothing otherwise: over CoAP (coap.md section 7).

use rumqttc::mqttbytes::v4::Publish;

use super::clip;
use crate::devices::Device;
use crate::events::Event;
use crate::hub::{now_ms, Hub};
use crate::model::{Job, Problem};
use crate::ota::answers;
use crate::ota::message::{read_report, Said};
use crate::ota::{Address, Service};
use crate::ports::{Exchanged, Received};

impl Hub {
    /// [`Hub::receive`] for a device that has no subscription: what it is answered is returned. The caller has seen to it
    /// that the topic is the device's own.
    pub fn exchange(&self, client_id: &str, message: &Publish) -> Option<Exchanged> {
        self.events.emit(&Event::Message {
            client_id: client_id.to_owned(),
            topic: message.topic.clone(),
            qos: message.qos as u8,
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
        });
        self.downlink.pass_on(message);
        if Address::of(&message.topic).is_none_or(|address| address.service != Service::Ota) {
            return Some(Exchanged::default());
        }
        let done = self.exchange_report(client_id, &message.payload);
        done.map_or_else(
            |problem| {
                self.warn_of(
                    client_id,
                    format!("a message could not be kept, so it is not answered: {}", problem.detail),
                );
                None
            },
            Some,
        )
    }

    fn exchange_report(&self, client_id: &str, payload: &[u8]) -> Result<Exchanged, Problem> {
        let refuse = |text: String| {
            self.warn_of(client_id, text);
            Ok(Exchanged::default())
        };
        let Some(device) = self.store.find_device(client_id)? else {
            return refuse("a report of a device that is not in the list".to_owned());
        };
        match read_report(payload) {
            Err(text) => refuse(text),
            Ok(Said::WhatTime | Said::Tunnel(_)) => Ok(Exchanged::default()),
            Ok(Said::Version(version)) => self.exchange_version(client_id, &device, &version),
            Ok(Said::Progress(progress)) => {
                Ok(Exchanged { received: self.progress(client_id, progress)?, answer: None })
            }
        }
    }

    /// One report takes one answer: the update command where one is due.
    fn exchange_version(&self, client_id: &str, device: &Device, version: &str) -> Result<Exchanged, Problem> {
        let (tell, touched) = self.store.report_version(client_id, &device.product_id, clip(version), now_ms())?;
        let mut event = Some(Event::Version { client_id: client_id.to_owned(), version: version.to_owned() });
        let command = match &tell {
            None => None,
            Some(job) => {
                // What follows is told of after it, and is not the end.
                event.take().iter().for_each(|event| self.events.emit(event));
                self.command_of(device, job)?
            }
        };
        let answer =
            command.unwrap_or_else(|| answers::version(&device.product_id, &device.device_name, version).payload);
        self.notify(&touched);
        Ok(Exchanged { received: Received { event, verdict: None }, answer: Some(answer) })
    }

    /// The update command of a job, which counts as sent.
    fn command_of(&self, device: &Device, job: &Job) -> Result<Option<String>, Problem> {
        let Some(stored) = self.store.firmware_of_upgrade(job.upgrade_id)? else {
            return Ok(None);
        };
        let Some(command) = self.update_command(device, &stored) else {
            return Ok(None);
        };
        self.events.emit(&Event::Ordered { client_id: job.client_id.clone(), version: job.version.clone() });
        self.store.set_sent(&[job.id], now_ms())?;
        Ok(Some(command.payload))
    }
}
