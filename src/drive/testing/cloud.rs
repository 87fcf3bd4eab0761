//! The cloud as a script: what it answers to each packet of a device.

use std::collections::VecDeque;

use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};
use rumqttc::QoS;

/// What the cloud does with a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    Granted,
    Refused,
    /// No SUBACK.
    Silent,
}

/// A message: topic and payload.
type Message = (String, Vec<u8>);
/// From what the device publishes to what the cloud answers with QoS 0.
type Service = Box<dyn FnMut(&str, &[u8]) -> Option<Message> + Send>;

/// A cloud that grants all but subscriptions to what begins with "refused".
#[derive(Default)]
pub(crate) struct Cloud {
    /// What it does with the next SUBSCRIBEs, instead.
    pub(crate) grants: VecDeque<Grant>,
    /// What its CONNACK says of the session.
    pub(crate) session_present: bool,
    services: Vec<Service>,
}

impl Cloud {
    /// A cloud that knows the time.
    pub(crate) fn that_knows_the_time(product_id: &str, device_name: &str) -> Self {
        let request = format!("$sys/operation/{product_id}/{device_name}");
        let result = format!("$sys/operation/result/{product_id}/{device_name}");
        let answer = br#"{"type":"get","time":1604458421}"#;
        Cloud::default().answer_with(move |topic, _| (topic == request).then(|| (result.clone(), answer.to_vec())))
    }

    /// Adds a service.
    pub(crate) fn answer_with(
        mut self,
        service: impl FnMut(&str, &[u8]) -> Option<(String, Vec<u8>)> + Send + 'static,
    ) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// What it sends because of `packet`, in order.
    pub(crate) fn answers_to(&mut self, packet: &Packet) -> Vec<Packet> {
        match packet {
            Packet::Connect(_) => {
                vec![Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, self.session_present))]
            }
            Packet::Subscribe(subscribe) => {
                let grant = self.grants.pop_front().unwrap_or_else(|| {
                    let refused = subscribe.filters[0].path.starts_with("refused");
                    if refused {
                        Grant::Refused
                    } else {
                        Grant::Granted
                    }
                });
                let code = match grant {
                    Grant::Granted => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                    Grant::Refused => SubscribeReasonCode::Failure,
                    Grant::Silent => return Vec::new(),
                };
                vec![Packet::SubAck(SubAck::new(subscribe.pkid, vec![code]))]
            }
            Packet::Unsubscribe(unsubscribe) => vec![Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))],
            Packet::Publish(publish) => {
                let messages = self.services.iter_mut().filter_map(|serve| serve(&publish.topic, &publish.payload));
                let message = |(topic, payload)| Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload));
                let ack = (publish.pkid != 0).then(|| Packet::PubAck(PubAck::new(publish.pkid)));
                messages.map(message).chain(ack).collect()
            }
            Packet::PingReq => vec![Packet::PingResp],
            _ => Vec::new(),
        }
    }
}
