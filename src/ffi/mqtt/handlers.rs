//! What a client's events and messages become for C handlers.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::Arc;

use iot_abi::mqtt::{MQTTEventMsg, MQTTEventType, MQTTMessage, OnMessageHandler, OnSubEventHandler};
use iot_abi::raw;
use iot_engine::mqtt::Message;

use crate::drive::mqtt::{Client, Listener, Notice, Subscriber, SubscriptionEvent};
use crate::ffi::handle;
use crate::ffi::memory::with_nul;
use crate::hal::callout;

/// Packet ids travel to C as pointers.
fn id_as_pointer(id: u16) -> *mut c_void {
    ptr::without_provenance_mut(usize::from(id))
}

/// Runs `body` with a C view of `message`. Topic and payload are followed by a NUL there, since much C code treats
/// them as strings.
fn with_c_message(message: &Message, body: impl FnOnce(*mut MQTTMessage)) {
    let (Some(topic), Some(mut payload)) = (with_nul(message.topic.as_bytes()), with_nul(&message.payload)) else {
        // The server decides how long a message is, so this must not abort.
        log::error!(target: "mqtt_message", "no memory to hand on a message of {} bytes", message.payload.len());
        return;
    };
    let mut view = MQTTMessage {
        qos: raw::QoS::from(message.qos),
        retained: u8::from(message.retain),
        dup: u8::from(message.dup),
        id: message.id,
        ptopic: topic.as_ptr().cast::<c_char>(),
        topic_len: message.topic.len(),
        payload: payload.as_mut_ptr().cast::<c_void>(),
        payload_len: message.payload.len(),
    };
    body(&mut view);
}

type EventHandler = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut MQTTEventMsg);
type MessageHandler = unsafe extern "C" fn(*mut c_void, *mut MQTTMessage, *mut c_void);

/// The event handler of `MQTTInitParams`.
pub(super) struct CListener {
    pub(super) handler: EventHandler,
    pub(super) context: *mut c_void,
    /// What the handler gets for the client; NULL inside: its own handle.
    pub(super) known_as: Arc<AtomicPtr<c_void>>,
}

// SAFETY: `context` is only handed back; the user's handler is called from whichever thread pumps, as documented.
unsafe impl Send for CListener {}
// SAFETY: as above.
unsafe impl Sync for CListener {}

impl CListener {
    fn call(&self, client: &Arc<Client>, event_type: MQTTEventType, msg: *mut c_void) {
        let mut event = MQTTEventMsg { event_type: event_type as raw::MQTTEventType, msg };
        let known_as = self.known_as.load(Ordering::Relaxed);
        let known_as = if known_as.is_null() { handle::of(client) } else { known_as };
        // SAFETY: the handler is the user's, with the signature of the header; the pointers are valid for the call.
        unsafe {
            callout::three_pointers(
                std::mem::transmute::<EventHandler, callout::ThreePointers>(self.handler),
                known_as,
                self.context,
                ptr::from_mut(&mut event).cast(),
            );
        }
    }
}

impl Listener for CListener {
    fn notice(&self, client: &Arc<Client>, notice: Notice<'_>) {
        use MQTTEventType as Event;
        let (event, id) = match notice {
            Notice::Disconnected => (Event::MQTT_EVENT_DISCONNECT, None),
            Notice::Reconnected => (Event::MQTT_EVENT_RECONNECT, None),
            Notice::Subscribed(id) => (Event::MQTT_EVENT_SUBCRIBE_SUCCESS, Some(id)),
            Notice::SubscribeRefused(id) => (Event::MQTT_EVENT_SUBCRIBE_NACK, Some(id)),
            Notice::SubscribeTimedOut(id) => (Event::MQTT_EVENT_SUBCRIBE_TIMEOUT, Some(id)),
            Notice::Unsubscribed(id) => (Event::MQTT_EVENT_UNSUBCRIBE_SUCCESS, Some(id)),
            Notice::UnsubscribeTimedOut(id) => (Event::MQTT_EVENT_UNSUBCRIBE_TIMEOUT, Some(id)),
            Notice::Published(id) => (Event::MQTT_EVENT_PUBLISH_SUCCESS, Some(id)),
            Notice::PublishTimedOut(id) => (Event::MQTT_EVENT_PUBLISH_TIMEOUT, Some(id)),
            #[cfg(all(feature = "gateway", feature = "abi-3-3"))]
            Notice::GatewaySearch(mut status) => {
                self.call(client, Event::MQTT_EVENT_GATEWAY_SEARCH, ptr::from_mut(&mut status).cast());
                return;
            }
            #[cfg(all(feature = "gateway", feature = "abi-3-3"))]
            Notice::GatewayUnbindAll => (Event::MQTT_EVENT_GATEWAY_UNBIND_ALL, None),
            Notice::Message(message) => {
                with_c_message(message, |view| {
                    self.call(client, Event::MQTT_EVENT_PUBLISH_RECVEIVED, view.cast::<c_void>());
                });
                return;
            }
        };
        self.call(client, event, id.map_or(ptr::null_mut(), id_as_pointer));
    }
}

/// The handlers of `SubscribeParams`.
pub(super) struct CSubscriber {
    pub(super) on_message: OnMessageHandler,
    pub(super) on_event: OnSubEventHandler,
    pub(super) user_data: *mut c_void,
    /// The handlers were told of the subscription's end: `user_data` may be gone.
    pub(super) over: AtomicBool,
}

// SAFETY: `user_data` is only handed back; the handlers are called from whichever thread pumps, as documented.
unsafe impl Send for CSubscriber {}
// SAFETY: as above.
unsafe impl Sync for CSubscriber {}

impl Subscriber for CSubscriber {
    fn message(&self, _client: &Arc<Client>, _topic: &str, _payload: &[u8]) {
        // `deliver` does it, with all that MQTT says about the message.
    }

    fn deliver(&self, client: &Arc<Client>, message: &Message) {
        let Some(handler) = self.on_message.filter(|_| !self.over.load(Ordering::Relaxed)) else {
            return;
        };
        with_c_message(message, |view| {
            // SAFETY: the handler is the user's, with the signature of the header; the pointers are valid for the
            // call.
            unsafe {
                callout::three_pointers(
                    std::mem::transmute::<MessageHandler, callout::ThreePointers>(handler),
                    handle::of(client),
                    view.cast(),
                    self.user_data,
                );
            }
        });
    }

    fn event(&self, client: &Arc<Client>, event: SubscriptionEvent) {
        let ends = matches!(event, SubscriptionEvent::Removed | SubscriptionEvent::ClientDestroyed);
        if self.over.fetch_or(ends, Ordering::Relaxed) {
            return;
        }
        let Some(handler) = self.on_event else {
            return;
        };
        let event = match event {
            SubscriptionEvent::Granted => MQTTEventType::MQTT_EVENT_SUBCRIBE_SUCCESS,
            SubscriptionEvent::Refused => MQTTEventType::MQTT_EVENT_SUBCRIBE_NACK,
            SubscriptionEvent::TimedOut => MQTTEventType::MQTT_EVENT_SUBCRIBE_TIMEOUT,
            SubscriptionEvent::Removed => MQTTEventType::MQTT_EVENT_UNSUBSCRIBE,
            SubscriptionEvent::ClientDestroyed => MQTTEventType::MQTT_EVENT_CLIENT_DESTROY,
        };
        // SAFETY: as in `deliver`.
        unsafe { callout::on_event(handler, handle::of(client), event as raw::MQTTEventType, self.user_data) };
    }

    fn takes_messages(&self) -> bool {
        self.on_message.is_some()
    }

    fn handlers(&self) -> Option<(usize, usize)> {
        let message = self.on_message.map_or(0, |handler| handler as usize);
        let event = self.on_event.map_or(0, |handler| handler as usize);
        Some((message, event))
    }
}
