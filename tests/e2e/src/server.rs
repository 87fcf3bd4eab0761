//! A web server that does what a test tells it, bad manners included.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::listener::Listener;
use crate::{Identity, Log, ReservedPort, LIMIT};

/// One request's head.
#[derive(Clone, Debug)]
pub struct Request {
    /// From 1, over all connections.
    pub number: usize,
    /// As received.
    pub method: String,
    /// As received.
    pub target: String,
    headers: Vec<(String, String)>,
    /// As long as its Content-Length says.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of the header that is spelled exactly so.
    pub fn header_spelled(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The header's value; names in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// First and last byte of `Range: bytes=first-last`.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("Range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }
}

/// Holds an answer back until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets the answer go on.
    pub fn open(&self) {
        *self.0 .0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0 .1.notify_all();
    }

    fn wait(&self) {
        let open = self.0 .0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0 .1.wait_timeout_while(open, LIMIT, |open| !*open));
    }
}

/// How the body's end is told.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// `Content-Length`.
    Length(usize),
    /// One of the lines says it.
    Said(usize),
    /// Chunks of this many bytes.
    Chunked(usize),
    /// The end of the connection.
    Close,
}

/// An answer to one request.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
    framing: Framing,
    cut: Option<usize>,
    stall: Option<(usize, Gate)>,
    byte_by_byte: bool,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            lines: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length(0),
            cut: None,
            stall: None,
            byte_by_byte: false,
        }
    }

    /// What a good server answers: the part that was asked for, or all of it.
    pub fn file(bytes: &[u8], request: &Request) -> Answer {
        match request.range() {
            Some((first, _)) if first >= bytes.len() => {
                Answer::status(416).header("Content-Range", &format!("bytes */{}", bytes.len()))
            }
            Some((first, last)) => {
                let last = last.min(bytes.len() - 1);
                let range = format!("bytes {first}-{last}/{}", bytes.len());
                Answer::status(206).header("Content-Range", &range).body(&bytes[first..=last])
            }
            None => Answer::status(200).body(bytes),
        }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these bytes as one more line of the head, whatever they are.
    pub fn line(mut self, bytes: &[u8]) -> Self {
        self.lines.push(bytes.to_owned());
        self
    }

    /// With this line instead of the one with the length.
    pub fn length_line(mut self, bytes: &[u8]) -> Self {
        self.framing = Framing::Said(self.body.len());
        self.line(bytes)
    }

    /// With the length it has.
    pub fn body(mut self, bytes: &[u8]) -> Self {
        self.body = bytes.to_owned();
        self.framing = Framing::Length(bytes.len());
        self
    }

    /// Tells the client this length, whatever the body's.
    pub fn claim_length(mut self, length: usize) -> Self {
        self.framing = Framing::Length(length);
        self
    }

    /// In chunks of so many bytes.
    pub fn chunked(mut self, size: usize) -> Self {
        self.framing = Framing::Chunked(size);
        self
    }

    /// Without a length, ended by closing.
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::Close;
        self
    }

    /// Cuts the connection after so many bytes of the body.
    pub fn cut_after(mut self, count: usize) -> Self {
        self.cut = Some(count);
        self
    }

    /// Stops after so many bytes of the body until the gate opens.
    pub fn stall_after(mut self, count: usize, gate: &Gate) -> Self {
        self.stall = Some((count, gate.clone()));
        self
    }

    /// Sends the head one byte at a time.
    pub fn byte_by_byte(mut self) -> Self {
        self.byte_by_byte = true;
        self
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Whatever\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Length(length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Framing::Chunked(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::Close => head.push_str("Connection: close\r\n"),
            Framing::Said(_) => (),
        }
        let mut head = head.into_bytes();
        for line in &self.lines {
            head.extend_from_slice(line);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Sends it. True when another request may follow on the connection.
    fn send(&self, stream: &mut impl Write) -> io::Result<bool> {
        let head = self.head();
        if self.byte_by_byte {
            for byte in head.chunks(1) {
                stream.write_all(byte)?;
                stream.flush()?;
            }
        } else {
            stream.write_all(&head)?;
        }
        let end = self.cut.unwrap_or(self.body.len()).min(self.body.len());
        let pause = self.stall.as_ref().map_or(end, |(count, _)| (*count).min(end));
        self.send_body(stream, &self.body[..pause])?;
        stream.flush()?;
        if let Some((_, gate)) = &self.stall {
            gate.wait();
        }
        self.send_body(stream, &self.body[pause..end])?;
        if self.cut.is_some() {
            stream.flush()?;
            return Ok(false);
        }
        if matches!(self.framing, Framing::Chunked(_)) {
            stream.write_all(b"0\r\n\r\n")?;
        }
        stream.flush()?;
        Ok(match self.framing {
            Framing::Length(length) | Framing::Said(length) => length == self.body.len(),
            Framing::Chunked(_) => true,
            Framing::Close => false,
        })
    }

    fn send_body(&self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        let Framing::Chunked(size) = self.framing else {
            return stream.write_all(bytes);
        };
        for chunk in bytes.chunks(size) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        Ok(())
    }
}

/// The server. It ends with this value; what a test failed on is printed with the requests it got.
pub struct Server {
    listener: Listener,
    tls: bool,
    requests: Log<Request>,
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

impl Server {
    /// Over HTTP. `script` is asked for each answer.
    pub fn http(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        Server::start(None, Arc::new(script))
    }

    /// Over HTTP, on a port that was reserved.
    pub fn http_on(port: &ReservedPort, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        Server::start_on(&port.address(), None, Arc::new(script))
    }

    /// Over HTTPS.
    pub fn https(identity: &Identity, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        Server::start(Some(identity.config()), Arc::new(script))
    }

    fn start(tls: Option<Arc<ServerConfig>>, script: Arc<Script>) -> Server {
        Server::start_on(Listener::ANYWHERE, tls, script)
    }

    fn start_on(address: &str, tls: Option<Arc<ServerConfig>>, script: Arc<Script>) -> Server {
        let requests = Log::default();
        let (is_tls, seen) = (tls.is_some(), requests.clone());
        let listener = Listener::start(address, move |_, stream| accept(stream, tls.clone(), &script, &seen));
        Server { listener, tls: is_tls, requests }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.listener.address.port()
    }

    /// A URL on this server.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.listener.address.port())
    }

    /// The requests it got.
    pub fn requests(&self) -> &Log<Request> {
        &self.requests
    }

    /// First and last byte that each request asked for; `None` for all.
    pub fn ranges(&self) -> Vec<Option<(usize, usize)>> {
        self.requests.all().iter().map(Request::range).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- requests to {} ----\n{:#?}", self.url("/"), self.requests.all());
        }
    }
}

fn accept(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    script: &Arc<Script>,
    requests: &Log<Request>,
) -> io::Result<()> {
    let Some(tls) = tls else {
        return serve(&mut &stream, script, requests).map(drop);
    };
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    if serve(&mut stream, script, requests)? {
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    Ok(())
}

/// Serves one connection. True when its end is an orderly one.
fn serve(stream: &mut (impl Read + Write), script: &Arc<Script>, requests: &Log<Request>) -> io::Result<bool> {
    while let Some(mut request) = read_request(stream)? {
        request.number = requests.push_numbered(|number| Request { number, ..request.clone() });
        let answer = script(&request);
        if !answer.send(stream)? {
            return Ok(answer.cut.is_none());
        }
    }
    Ok(true)
}

fn read_request(stream: &mut impl Read) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let mut request = Request { number: 0, method, target, headers, body: Vec::new() };
    let length = request.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}
