//! The resource service at work.

use crate::events::Event;
use crate::hub::{now_ms, Hub};
use crate::messaging::Address;
use crate::model::{Direction, Resource};
use crate::ota::Outgoing;
use crate::ports::resources::ResourceReport;
use crate::ports::store::Outcome;
use crate::resource::message::{self, Said};
use crate::resource::{file_name, is_name, topic, MAX_SIZE};

/// What is kept of a text that a device may have made as long as it likes.
const MAX_TEXT: usize = 256;
/// Longest state that is one.
const MAX_STATE: usize = 16;

impl Hub {
    /// Takes what a device said on the resource topic.
    pub(crate) fn take_resource(&self, address: &Address<'_>, payload: &[u8]) -> Outcome<()> {
        let client_id = address.client_id();
        let answer = match message::read(payload) {
            Err(text) => {
                self.warn_of(&client_id, text);
                return Ok(());
            }
            Ok(Said::GetDownload) => match self.store.open_download(&client_id)? {
                Some(resource) => self.resource_task("get_download_task_rsp", &resource),
                None => None,
            },
            Ok(Said::CreateUpload { name, size, md5 }) => Some(self.give_leave(&client_id, name, size, md5)?),
            Ok(Said::Progress { direction, name, state, percent, result_code, result_msg }) => {
                let report = ResourceReport {
                    direction,
                    name: &name,
                    state: state.get(..MAX_STATE).unwrap_or(&state),
                    percent,
                    result_code,
                    result_msg: &result_msg.chars().take(MAX_TEXT).collect::<String>(),
                };
                // A failure that the library has told already, its program may tell once more.
                if let Some(resource) = self.store.report_resource(&client_id, &report, now_ms())? {
                    self.tell_of_resource(&resource);
                }
                Some(message::taken(direction))
            }
        };
        if let Some(payload) = answer {
            let topic = topic(address.product_id, address.device_name);
            self.send(Outgoing { topic, payload, acknowledged: true });
        }
        Ok(())
    }

    fn give_leave(&self, client_id: &str, name: String, size: u64, md5: String) -> Outcome<String> {
        let is_md5 = md5.len() == 32 && md5.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name(&name) || size == 0 || !is_md5 {
            return Ok(message::refusal("the name, the size or the MD5 is none"));
        }
        if size > MAX_SIZE as u64 {
            return Ok(message::refusal(&format!("this hub takes files of at most {MAX_SIZE} bytes")));
        }
        let resource = Resource {
            client_id: client_id.to_owned(),
            direction: Direction::Upload,
            name,
            size,
            md5: md5.to_lowercase(),
            state: "waiting".to_owned(),
            ..Resource::default()
        };
        let id = self.store.add_resource(&resource, now_ms())?;
        let resource = Resource { id, ..resource };
        self.tell_of_resource(&resource);
        let task = self.resource_task("create_upload_task_rsp", &resource);
        Ok(task.unwrap_or_else(|| message::refusal("the hub's web server is off")))
    }

    /// The task of a resource; `None` where there is no server for its file.
    pub(crate) fn resource_task(&self, kind: &str, resource: &Resource) -> Option<String> {
        let url = self.site.own_url(&file_name(resource.id), now_ms() / 1000)?;
        Some(message::task(kind, resource, &url))
    }

    pub(crate) fn tell_of_resource(&self, resource: &Resource) {
        self.events.emit(&Event::Resource {
            client_id: resource.client_id.clone(),
            id: resource.id,
            direction: resource.direction.word(),
            name: resource.name.clone(),
            state: resource.state.clone(),
            percent: resource.percent,
            result_code: resource.result_code,
        });
    }
}
