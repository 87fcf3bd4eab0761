//! Against a server of the tests' own that says what a test wants, so that what is rare and wrong can be tried.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use hub_core::model::ProblemKind;

use super::*;
use crate::draft::PART;

const SECRET: &str = "swordfish";

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Say {
    Answer(u16, &'static str),
    /// That the object has so many bytes.
    Size(usize),
    /// Nothing, for as long as the client waits.
    Nothing,
    /// Nothing, and closes the connection.
    Break,
}

const ID: Say =
    Say::Answer(200, "<InitiateMultipartUploadResult><UploadId>a&amp;b</UploadId></InitiateMultipartUploadResult>");
const GOOD: Say = Say::Answer(200, "");
const BUSY: Say = Say::Answer(503, "<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>");
const DENIED: Say = Say::Answer(403, "<Error><Code>AccessDenied</Code><Message>No\nway</Message></Error>");
const GONE: Say = Say::Answer(404, "<Error><Code>NoSuchKey</Code></Error>");
const LATE: Say = Say::Answer(200, "<Error><Code>InternalError</Code><Message>We are sorry.</Message></Error>");

#[derive(Default)]
struct Heard {
    script: VecDeque<Say>,
    /// Method and query's first key of each request, and the length of its body.
    requests: Vec<(String, usize)>,
}

struct Server {
    address: String,
    heard: Arc<Mutex<Heard>>,
}

impl Server {
    fn saying(script: &[Say]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Heard { script: script.iter().copied().collect(), requests: Vec::new() }));
        let server = Server { address, heard: heard.clone() };
        spawn(move || {
            for stream in listener.incoming().map_while(io::Result::ok) {
                let heard = heard.clone();
                spawn(move || serve(stream, &heard));
            }
        });
        server
    }

    fn store(&self) -> ObjectStore {
        let access = Access { pause: Duration::from_millis(1), ..access(&self.address) };
        open("s3://bucket/fw/", access).expect("a store")
    }

    /// What was asked for; all that the server had to say must have been said.
    fn requests(&self) -> Vec<(String, usize)> {
        let heard = self.heard.lock().expect("lock");
        assert!(heard.script.is_empty(), "asked for less: {:?}", heard.requests);
        heard.requests.clone()
    }

    fn methods(&self) -> String {
        let requests = self.requests();
        let methods: Vec<&str> = requests.iter().map(|(request, _)| request.as_str()).collect();
        methods.join(", ")
    }
}

fn serve(stream: TcpStream, heard: &Mutex<Heard>) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let (method, target) = line.split_once(' ')?;
    // Presigned: the query begins with what the request is of, or with its signature.
    let query = target.split_once('?')?.1;
    let of = ["partNumber", "uploadId", "uploads"].into_iter().find(|key| query.contains(&format!("{key}=")));
    let what = format!("{method} {}", of.unwrap_or("object"));
    let mut length = 0;
    loop {
        line.clear();
        input.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let took = io::copy(&mut input.by_ref().take(length), &mut io::sink()).ok()?;
    let say = {
        let mut heard = heard.lock().ok()?;
        heard.requests.push((what, usize::try_from(took).ok()?));
        heard.script.pop_front()?
    };
    let (status, length, body) = match say {
        Say::Answer(status, body) => (status, body.len(), body),
        Say::Size(size) => (200, size, ""),
        Say::Break => return None,
        Say::Nothing => {
            // Until the client gives up.
            let _ = input.read(&mut [0]);
            return None;
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\nETag: \"e\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    (&stream).write_all(format!("{head}{body}").as_bytes()).ok()
}

fn access(endpoint: &str) -> Access {
    let read = |name: &str| {
        let value = match name {
            "AWS_ENDPOINT_URL" => endpoint,
            "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY" => SECRET,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Access::of(&read).expect("all that is needed")
}

fn upload(store: &ObjectStore, content: &[u8]) -> Outcome<String> {
    let mut draft = store.begin("P1_1.0")?;
    draft.write(content)?;
    draft.seal()?;
    let name = draft.name().to_owned();
    draft.keep();
    Ok(name)
}

#[test]
fn a_file_goes_by_parts_and_is_kept_once_the_server_has_all_of_it() {
    let content = vec![7; PART + 1];
    let server = Server::saying(&[ID, GOOD, GOOD, GOOD, Say::Size(content.len())]);
    let store = server.store();
    let [first, second] = [(); 2].map(|()| store.begin("P1_1.0").expect("a draft").name().to_owned());
    assert!(first.starts_with("P1_1.0/") && first != second, "two uploads never meet: {first}");
    upload(&store, &content).expect("an upload");
    let requests = server.requests();
    assert_eq!(requests[0], ("POST uploads".to_owned(), 0));
    assert_eq!(requests[1], ("PUT partNumber".to_owned(), PART));
    assert_eq!(requests[2], ("PUT partNumber".to_owned(), 1));
    assert_eq!(requests[3].0, "POST uploadId");
    assert_eq!((requests[4].0.as_str(), requests.len()), ("HEAD object", 5));
}

#[test]
fn what_is_not_kept_does_not_stay() {
    // Cut off before the first part is full: nothing was ever there.
    let server = Server::saying(&[]);
    server.store().begin("P1_1.0").and_then(|mut draft| draft.write(b"half")).expect("a draft");
    assert_eq!(server.methods(), "");
    // After it.
    let server = Server::saying(&[ID, GOOD, GOOD]);
    server.store().begin("P1_1.0").and_then(|mut draft| draft.write(&vec![0; PART + 5])).expect("a draft");
    assert_eq!(server.methods(), "POST uploads, PUT partNumber, DELETE uploadId");
    // Whole, but the database took it for another one.
    let server = Server::saying(&[ID, GOOD, GOOD, Say::Size(1), GOOD]);
    server
        .store()
        .begin("P1_1.0")
        .and_then(|mut draft| draft.write(b"x").and_then(|()| draft.seal()))
        .expect("a draft");
    assert_eq!(server.methods(), "POST uploads, PUT partNumber, POST uploadId, HEAD object, DELETE object");
}

#[test]
fn what_fails_by_chance_is_tried_again() {
    let server = Server::saying(&[BUSY, ID, Say::Break, BUSY, BUSY, GOOD, GOOD, Say::Size(1)]);
    upload(&server.store(), b"x").expect("an upload");
    assert!(server.methods().starts_with("POST uploads, POST uploads, PUT partNumber, PUT partNumber"));
    // Completed, and the answer was lost: asked again, the server knows no such upload any more.
    let server = Server::saying(&[ID, GOOD, Say::Break, GONE, Say::Size(1)]);
    upload(&server.store(), b"x").expect("an upload");
    assert_eq!(server.methods(), "POST uploads, PUT partNumber, POST uploadId, POST uploadId, HEAD object");
}

#[test]
fn what_goes_on_failing_is_told_in_words_and_ends() {
    for (script, said, kind) in [
        (&[BUSY; 4][..], "try again later (SlowDown, \"Reduce your rate.\")", ProblemKind::Internal),
        (&[DENIED], "needs the rights s3:PutObject", ProblemKind::Internal),
        (&[DENIED], "(AccessDenied, \"Noway\")", ProblemKind::Internal),
        (&[ID, DENIED, GOOD], "it denies access", ProblemKind::Internal),
        (&[Say::Break; 4], "cannot be reached", ProblemKind::Internal),
        (&[GOOD], "is it an S3 server?", ProblemKind::Internal),
        // An error behind a status of 200, and no object.
        (&[ID, GOOD, LATE, GONE, GOOD], "We are sorry.", ProblemKind::Internal),
        (&[ID, GOOD, GOOD, Say::Size(3), GOOD], "another size", ProblemKind::Internal),
    ] {
        let server = Server::saying(script);
        let problem = upload(&server.store(), b"x").expect_err("must be told");
        assert!(problem.detail.contains(said) && problem.detail.contains(&server.address), "{}", problem.detail);
        assert!(!problem.detail.contains(SECRET) && !problem.detail.contains("Signature"), "{}", problem.detail);
        assert_eq!(problem.kind, kind);
        server.requests();
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let server = Server::saying(&[Say::Nothing]);
    let access = Access { silence: Duration::from_millis(50), ..access(&server.address) };
    let store = open("s3://bucket", access).expect("a store");
    let problem = upload(&store, b"x").expect_err("must be told");
    assert_eq!(problem.kind, ProblemKind::TimedOut, "{}", problem.detail);
    // Nobody is there at all.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let access = Access { pause: Duration::from_millis(1), ..self::access(&address) };
    let problem = upload(&open("s3://bucket", access).expect("a store"), b"x").expect_err("must be told");
    assert!(problem.detail.contains("cannot be reached") && problem.detail.contains("refused"), "{}", problem.detail);
}

#[test]
fn what_devices_would_not_get_is_found_out() {
    for (script, said) in [
        (&[Say::Size(5)][..], None),
        (&[Say::Size(6)], Some("has 6 bytes instead of 5")),
        (&[GONE], Some("is no longer")),
        (&[DENIED], Some("it denies access")),
        (&[BUSY; 4], Some("try again later")),
    ] {
        let server = Server::saying(script);
        let problem = server.store().check("P1_1.0/00", 5).err();
        let detail = problem.map(|problem| problem.detail).unwrap_or_default();
        assert!(said.map_or(detail.is_empty(), |said| detail.contains(said)), "{detail}");
        server.requests();
    }
}

#[test]
fn an_object_is_removed_once_and_for_all() {
    for script in [&[GOOD][..], &[GONE], &[BUSY, GOOD]] {
        let server = Server::saying(script);
        server.store().remove("P1_1.0/00").expect("removed");
        server.requests();
    }
    let server = Server::saying(&[DENIED]);
    assert!(server
        .store()
        .remove("P1_1.0/00")
        .is_err_and(|problem| problem.detail.contains("remove fw/P1_1.0/00.bin")));
}

#[test]
fn urls_of_any_server() {
    let url = |endpoint: &str| {
        open("s3://bucket/a/b", access(endpoint)).expect("a store").url("P_1%2B/0f", 1_369_353_600, 60)
    };
    let path = url("http://127.0.0.1:9000").expect("a URL");
    assert!(path.starts_with("http://127.0.0.1:9000/bucket/a/b/P_1%252B/0f.bin?X-Amz-"), "{path}");
    for part in
        ["X-Amz-Expires=60&", "X-Amz-Date=20130524T000000Z", "X-Amz-Signature=", "AKIDEXAMPLE%2F20130524%2Fus-east-1"]
    {
        assert!(path.contains(part), "{path}");
    }
    assert!(!path.contains(SECRET));
    // A server that has a host for each bucket.
    let host = url("https://bucket.cos.example").expect("a URL");
    assert!(host.starts_with("https://bucket.cos.example/a/b/P_1%252B/0f.bin?"), "{host}");
}

#[test]
fn places_that_are_none_are_refused() {
    for bad in [
        "bucket",
        "http://bucket",
        "s3://",
        "s3:///x",
        "s3://a",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://b?c/d",
        "s3://bucket/a b",
    ] {
        let error = open(bad, access("http://127.0.0.1:1")).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains(bad)), "{bad}");
    }
    for bad in ["127.0.0.1:9000", "ftp://127.0.0.1", ""] {
        let error = open("s3://bucket", access(bad)).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("AWS_ENDPOINT_URL")), "{bad}");
    }
    let error = Access::of(&|name| (name != "AWS_SECRET_ACCESS_KEY").then(|| "x".to_owned())).err();
    assert!(error.is_some_and(|error| error.to_string().contains("AWS_SECRET_ACCESS_KEY")));
    let nowhere = Access::of(&|name| name.contains("KEY").then(|| "x".to_owned())).err();
    assert!(nowhere.is_some_and(|error| error.to_string().contains("AWS_REGION")));
}
