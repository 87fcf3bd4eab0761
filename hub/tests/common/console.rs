//! The console, asked as a browser or a program would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, AsSendBody, Body};

use super::{tcp, Hub, PATIENCE};

/// An answer, as far as tests look at it.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// Makes sure that this is a refusal with this status, in the form that all have, and returns what it says.
    pub fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!((&problem["type"], &problem["status"]), (&Value::from("about:blank"), &Value::from(status)));
        assert!(problem["title"].is_string());
        problem["detail"].as_str().expect("detail").to_owned()
    }

    /// What a request that was good brought.
    pub fn good(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if status == 204 {
            return Value::Null;
        }
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }
}

/// A way to a hub's console.
pub struct Console {
    agent: Agent,
    pub base: String,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

impl Console {
    pub fn of(hub: &Hub) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).timeout_per_read(Some(PATIENCE)).build();
        Console { agent: agent.new_agent(), base: hub.text("console").to_owned(), headers: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn send(&self, method: &str, path: &str, content_type: Option<&str>, body: impl AsSendBody) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let content_type = content_type.map(|value| ("content-type", value.to_owned()));
        for (name, value) in self.headers.iter().chain(&content_type) {
            request = request.header(*name, value);
        }
        self.agent.run(request.body(body).expect("request")).expect("answer")
    }

    pub fn request(&self, method: &str, path: &str, content_type: Option<&str>, body: impl AsSendBody) -> Answer {
        let mut response = self.send(method, path, content_type, body);
        let text = response.body_mut().read_to_string().expect("text");
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None, ())
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None, ())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, Some("application/json"), body.to_string())
    }

    pub fn upload(&self, query: &str, content: &[u8]) -> Answer {
        self.request("POST", &format!("/api/firmware?{query}"), Some("application/octet-stream"), content)
    }

    /// Listens to changes.
    pub fn events(&self) -> Changes {
        let response = self.send("GET", "/api/events", None, ());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Changes::new(response.into_body().into_reader())
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.base.strip_prefix("http://").expect("address")
    }

    /// Sends a request byte for byte and returns the connection.
    pub fn raw(&self, request: &str) -> TcpStream {
        let mut stream = tcp(self.address());
        stream.write_all(request.as_bytes()).expect("send");
        stream
    }
}

/// Server-sent events: name and data.
pub struct Changes(Receiver<(String, Value)>);

impl Changes {
    pub fn new(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut name = String::new();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(text) = line.strip_prefix("event: ") {
                    text.clone_into(&mut name);
                } else if let Some(data) = line.strip_prefix("data: ") {
                    let data = serde_json::from_str(data).expect("each change is JSON");
                    if sender.send((name.clone(), data)).is_err() {
                        return;
                    }
                }
            }
        });
        Changes(receiver)
    }

    pub fn next(&self) -> (String, Value) {
        self.0.recv_timeout(PATIENCE).expect("a change")
    }

    /// Waits for a change of this kind that `wanted` likes; others are passed over.
    pub fn until(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next();
            assert_eq!(data["type"], name.as_str());
            if name == kind && wanted(&data) {
                return data;
            }
        }
    }
}
