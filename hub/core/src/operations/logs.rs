//! Devices' logs: what people read and set, what devices upload and ask.

use std::time::Duration;

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;

use crate::devices::Device;
use crate::events::Event;
use crate::hub::{now_ms, Hub};
use crate::messaging::log::{self, Form, Refusal, Request};
use crate::messaging::model::{DeviceLog, LogLevel, SetLogLevel};
use crate::messaging::{log_topic, Address};
use crate::model::{Problem, ProblemCode};
use crate::ports::store::Outcome;

/// Lines that are shown where nobody says how many, and at most.
const SHOWN: u64 = 200;

impl Hub {
    /// What a device has uploaded: what follows a line, else the newest.
    pub fn device_log(&self, client_id: &str, after: Option<i64>, limit: Option<u64>) -> Outcome<DeviceLog> {
        self.known_device(client_id)?;
        let lines = self.store.log(client_id, after, limit.unwrap_or(SHOWN).min(crate::ports::logs::LINES))?;
        Ok(DeviceLog { level: self.level(client_id)?, lines })
    }

    /// Forgets what a device has uploaded.
    pub fn clear_log(&self, client_id: &str) -> Outcome<()> {
        self.known_device(client_id)?;
        self.store.clear_log(client_id)
    }

    /// Sets what a device is to upload, and tells it if it is there.
    pub fn set_log_level(&self, client_id: &str, what: &SetLogLevel) -> Outcome<LogLevel> {
        let level = what.level;
        if level > log::MAX_LEVEL {
            return Err(Problem::invalid(format!("`level` is 0 to {}.", log::MAX_LEVEL))
                .coded(ProblemCode::LogLevelBad, &[("max", &log::MAX_LEVEL)]));
        }
        let device = self.known_device(client_id)?;
        self.store.set_log_level(client_id, level)?;
        let sent = self.is_online(client_id) != Some(false) && self.tell_level(&device, level, None);
        Ok(LogLevel { client_id: client_id.to_owned(), level, sent })
    }

    fn level(&self, client_id: &str) -> Outcome<u8> {
        Ok(self.store.log_level(client_id)?.unwrap_or(log::LEVEL))
    }

    fn tell_level(&self, device: &Device, level: u8, token: Option<&str>) -> bool {
        let topic = log_topic(&device.product_id, &device.device_name);
        let text = log::level_text(level, token, now_ms() / 1000);
        let sent = self.downlink.send(Publish::new(topic, QoS::AtMostOnce, text));
        let client_id = format!("{}{}", device.product_id, device.device_name);
        self.events.emit(&Event::LogLevel { client_id, level, asked: token.is_some() });
        sent
    }

    /// A device asks for its level.
    pub(crate) fn take_level_question(&self, address: &Address<'_>, question: &[u8]) -> Outcome<()> {
        let client_id = address.client_id();
        match log::read_question(question) {
            Err(text) => self.warn_of(&client_id, text),
            Ok(token) => {
                let device = self.known_device(&client_id)?;
                self.tell_level(&device, self.level(&client_id)?, Some(token.as_deref().unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// Takes an upload in, and returns the answer; or when to come again.
    pub fn take_log(&self, form: Form, request: &Request) -> Result<&'static str, Duration> {
        let refuse = |client_id: Option<String>, why, text: &str| {
            let text = format!("an upload of log lines is refused: {text}");
            self.events.emit(&Event::Warning { client_id, text });
            Ok(log::refused(form, why))
        };
        let upload = match log::read(form, request) {
            Ok(upload) => upload,
            Err(text) => return refuse(None, Refusal::Form, text),
        };
        let client_id = upload.client_id();
        let device = match self.store.find_device(&client_id) {
            Ok(device) => device.filter(|device| device.product_id == upload.product_id),
            Err(problem) => return refuse(None, Refusal::NotKept, &problem.detail),
        };
        let Some(device) = device else {
            return refuse(None, Refusal::Signature, "a device that is not in the list");
        };
        let is_signed = match (log::signed_by_private_key(form, request), &device.key) {
            (Some((text, signature)), _) => self.certificates.is_signed(&client_id, text.as_bytes(), &signature),
            (None, Some(key)) => log::is_signed(form, request, &log::key_of_secret(key)),
            (None, None) => {
                let file = self.certificates.client_certificate(&client_id);
                let key = file.and_then(|file| log::key_of_certificate(&String::from_utf8_lossy(&file)));
                key.is_some_and(|key| log::is_signed(form, request, &key))
            }
        };
        if !is_signed {
            return refuse(Some(client_id), Refusal::Signature, "its signature is not the device's");
        }
        if !upload.is_timely(now_ms() / 1000) {
            return refuse(Some(client_id), Refusal::Signature, "its time is more than 10 minutes off");
        }
        self.may_upload(&client_id)?;
        if let Err(problem) = self.store.add_log(&client_id, upload.sent_at, &upload.lines, now_ms()) {
            return refuse(Some(client_id), Refusal::NotKept, &problem.detail);
        }
        self.events.emit(&Event::Log { client_id, lines: upload.lines });
        Ok(log::taken(form))
    }
}
