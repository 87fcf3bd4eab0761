//! A firmware server that gives faulty answers. One request a connection.

use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::body::Ticket;
use super::decision::{event, Decision, Request};
use super::posts::{self, Post};
use crate::ssh;
use hub_core::hub::Hub;
use hub_core::site::Served;
use hub_fault::http::{Ending, RangeFlaw, Spoil, Target};
use hub_fault::noise::noise;
use hub_fault::stream::{peer_gone, Handle};
use hub_fault::Faults;

/// Longest head of a request.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// Bytes sent at a time.
const CHUNK: u64 = 64 * 1024;
/// How long a peer may take to close after the end of an answer.
const FAREWELL: Duration = Duration::from_secs(2);

const PAGE: &str =
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome to this network.</body></html>\n";

/// Serves one connection. One by which a device begins a tunnel comes back, as if nothing had been read of it.
pub async fn serve<S>(
    hub: &Arc<Hub>,
    faults: &Faults,
    mut stream: S,
    handle: &Handle,
) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(Post::File.patience(), read_request(&mut stream)).await {
        Ok(Ok(Some(Read::Request(request)))) => answer(hub, faults, stream, handle, request).await,
        Ok(Ok(Some(Read::Tunnel(head)))) => {
            let (rest, write) = tokio::io::split(stream);
            return Some(tokio::io::join(Cursor::new(head).chain(rest), write));
        }
        _ => {}
    }
    None
}

async fn answer<S>(hub: &Arc<Hub>, faults: &Faults, mut stream: S, handle: &Handle, request: Request)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut decision = posts::answer(hub, &request, || faults.registration());
    let (file, reason) = (decision.file.take(), decision.reason);
    let file = file.as_ref();
    let mut answer = Answer::new(decision);
    for spoil in faults.http_request() {
        answer.spoil(spoil, faults, file, &request);
    }
    let head_only = request.method == "HEAD";
    let expected = if head_only { 0 } else { answer.count };
    let mut ticket = Ticket::new(hub.clone(), event(&request, answer.status, reason), expected);
    let path = file.map(|file| file.path.as_path());
    // A peer that goes away in mid-answer is nothing to tell of.
    match answer.send(&mut stream, path, head_only, &mut ticket).await {
        Ok(End::Orderly) => {
            let _ = stream.shutdown().await;
            let _ = timeout(FAREWELL, peer_gone(&mut stream)).await;
        }
        Ok(End::Cut) => handle.cut(),
        Ok(End::Reset) => handle.reset(),
        Err(_) => {}
    }
}

/// What a connection begins with.
enum Read {
    Request(Request),
    /// What has come of the wish for a tunnel.
    Tunnel(Vec<u8>),
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Read>> {
    let mut head = Vec::new();
    while head.len() < MAX_HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(&head) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(length)) => {
                let header = |name: &str| {
                    let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                    found.map(|header| String::from_utf8_lossy(header.value).into_owned())
                };
                let path = parsed.path.unwrap_or_default();
                if ssh::wants(path.split('?').next().unwrap_or_default(), header("upgrade").as_deref()) {
                    return Ok(Some(Read::Tunnel(head)));
                }
                let signed = posts::HEADERS.iter().filter_map(|name| Some((*name, header(name)?))).collect();
                let announced = header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
                let post = Post::of(parsed.method.unwrap_or_default(), path);
                let announced = post.map_or(0, |post| post.limit().min(announced));
                let mut request = Request {
                    method: parsed.method.unwrap_or_default().to_owned(),
                    target: path.to_owned(),
                    range: header("range"),
                    if_range: header("if-range"),
                    accept_encoding: header("accept-encoding"),
                    content_md5: header("content-md5"),
                    signed,
                    body: head.get(length..).unwrap_or_default().to_vec(),
                };
                while request.body.len() < announced {
                    if stream.read_buf(&mut request.body).await? == 0 {
                        break;
                    }
                }
                request.body.truncate(announced);
                return Ok(Some(Read::Request(request)));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Orderly,
    Cut,
    Reset,
}

/// An answer with its faults.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    stray_lines: Vec<String>,
    /// What is sent where it is not the file.
    text: Option<String>,
    /// Where the body begins in the file, and its bytes.
    first: u64,
    count: u64,
    ending: Option<Ending>,
    cut: Option<(u64, End)>,
    cut_head: Option<usize>,
    stall: Option<(u64, Option<Duration>)>,
    rate: Option<u64>,
    short: u64,
    long: u64,
    corrupt: Vec<u64>,
    other_file: bool,
    garbage: Option<usize>,
    silent: bool,
}

impl Answer {
    fn new(decision: Decision) -> Self {
        let text = decision.text();
        let mut headers = vec![("Content-Type".to_owned(), decision.content_type().to_owned())];
        headers.extend(decision.headers.into_iter().map(|(name, value)| (spelled(name.as_str()), value)));
        let (first, count) = decision.part.unwrap_or((0, text.len() as u64));
        Answer {
            status: decision.status.as_u16(),
            headers,
            stray_lines: Vec::new(),
            text: decision.part.is_none().then_some(text),
            first,
            count,
            ending: None,
            cut: None,
            cut_head: None,
            stall: None,
            rate: None,
            short: 0,
            long: 0,
            corrupt: Vec::new(),
            other_file: false,
            garbage: None,
            silent: false,
        }
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value)));
    }

    fn become_text(&mut self, status: u16, kind: &str, text: String) {
        self.status = status;
        self.set("Content-Type", Some(kind.to_owned()));
        self.set("Content-Range", None);
        (self.first, self.count) = (0, text.len() as u64);
        self.text = Some(text);
    }

    fn become_whole(&mut self, file: Option<&Served>) {
        if let (None, Some(file)) = (&self.text, file) {
            self.status = 200;
            self.set("Content-Range", None);
            (self.first, self.count) = (0, file.size);
        }
    }

    fn spoil(&mut self, spoil: Spoil, faults: &Faults, file: Option<&Served>, request: &Request) {
        match spoil {
            Spoil::Cut { at, reset } => self.cut = Some((at, if reset { End::Reset } else { End::Cut })),
            Spoil::CutHead(bytes) => self.cut_head = Some(bytes),
            Spoil::Stall { at, lasts } => self.stall = Some((at, lasts)),
            Spoil::NoAnswer => self.silent = true,
            Spoil::Slow(rate) => self.rate = Some(rate),
            Spoil::Short(bytes) => self.short = bytes,
            Spoil::Long(bytes) => self.long = bytes,
            Spoil::Ending(ending) => self.ending = Some(ending),
            Spoil::Range(flaw) => self.spoil_range(flaw, file),
            Spoil::IgnoreRange => self.become_whole(file),
            Spoil::Status { code, retry_after } => {
                self.become_text(code, "text/html", format!("<html><body>Error {code}</body></html>\n"));
                if retry_after.is_some() {
                    self.set("Retry-After", retry_after);
                }
            }
            Spoil::Page => self.become_text(200, "text/html", PAGE.to_owned()),
            Spoil::Redirect { to, status } => {
                self.become_text(status, "text/html", "<html><body>Moved</body></html>\n".to_owned());
                let base = |base: Option<&str>| base.map(|base| format!("{base}{}", request.target));
                let location = match to {
                    Target::Itself => Some(request.target.clone()),
                    Target::Http => base(faults.stage().and_then(|stage| stage.http.as_deref())),
                    Target::Https => base(faults.stage().and_then(|stage| stage.https.as_deref())),
                    // The port that TCP reserves: nobody can listen there.
                    Target::Nowhere => Some("http://127.0.0.1:1/nowhere".to_owned()),
                    Target::Missing => None,
                    Target::Url(url) => Some(url),
                };
                self.set("Location", location);
            }
            Spoil::Header(line) => self.stray_lines.push(line),
            Spoil::HugeHead(bytes) => {
                let line = |length: usize| format!("X-Padding: {}", "x".repeat(length));
                self.stray_lines.extend((0..bytes / 1000).map(|_| line(987)));
            }
            Spoil::Etag(etag) => self.set("ETag", Some(etag).filter(|etag| !etag.is_empty())),
            Spoil::Gzip => self.set("Content-Encoding", Some("gzip".to_owned())),
            Spoil::Garbage(bytes) => self.garbage = Some(bytes),
            Spoil::Corrupt(byte) => self.corrupt.push(byte),
            Spoil::OtherFile => {
                self.other_file = true;
                self.set("ETag", Some("\"another-file\"".to_owned()));
                // The ETag that was asked for is this file's no more.
                if request.if_range.is_some() {
                    self.become_whole(file);
                }
            }
        }
    }

    fn spoil_range(&mut self, flaw: RangeFlaw, file: Option<&Served>) {
        let (Some(file), None) = (file, &self.text) else {
            return;
        };
        let (first, last, size) = (self.first, self.first + self.count - 1, file.size);
        self.status = 206;
        let value = match flaw {
            RangeFlaw::Begin => Some(format!("bytes {}-{last}/{size}", first + 1)),
            RangeFlaw::Total => Some(format!("bytes {first}-{last}/{}", size + 1)),
            RangeFlaw::Missing => None,
            RangeFlaw::Garbage => Some("bytes all of them".to_owned()),
        };
        self.set("Content-Range", value);
    }

    fn head(&self) -> Vec<u8> {
        let reason = hyper::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("Odd"));
        let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        for (name, value) in &self.headers {
            line(name, value);
        }
        let length = i64::try_from(self.count).unwrap_or(i64::MAX);
        match self.ending {
            None => line("Content-Length", &length.to_string()),
            Some(Ending::Off(off)) => line("Content-Length", &length.saturating_add(off).max(0).to_string()),
            Some(Ending::TwoLengths) => {
                line("Content-Length", &length.to_string());
                line("Content-Length", &(length + 1).to_string());
            }
            Some(Ending::Close) => {}
            Some(Ending::Chunks(_) | Ending::BadChunk(_)) => line("Transfer-Encoding", "chunked"),
        }
        line("Connection", "close");
        for line in &self.stray_lines {
            head.push_str(&format!("{line}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    async fn send<S>(
        mut self,
        stream: &mut S,
        path: Option<&std::path::Path>,
        head_only: bool,
        ticket: &mut Ticket,
    ) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.silent {
            peer_gone(stream).await;
            return Ok(End::Cut);
        }
        if let Some(count) = self.garbage {
            write(stream, &noise(count)).await?;
            return Ok(End::Orderly);
        }
        let head = self.head();
        if let Some(part) = self.cut_head.and_then(|count| head.get(..count)) {
            write(stream, part).await?;
            return Ok(End::Cut);
        }
        write(stream, &head).await?;
        if head_only {
            return Ok(End::Orderly);
        }
        self.send_body(stream, path, ticket).await
    }

    async fn send_body<S>(
        &mut self,
        stream: &mut S,
        path: Option<&std::path::Path>,
        ticket: &mut Ticket,
    ) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut file = match path.filter(|_| self.text.is_none()) {
            None => None,
            Some(path) => {
                let mut file = File::open(path).await?;
                file.seek(io::SeekFrom::Start(self.first)).await?;
                Some(file)
            }
        };
        let end = self.first + self.count.saturating_sub(self.short);
        let mut at = self.first;
        loop {
            if self.cut.as_ref().is_some_and(|(cut, _)| *cut <= at) {
                return Ok(self.cut.take().map_or(End::Cut, |(_, end)| end));
            }
            if self.stall.is_some_and(|(stall, _)| stall <= at) {
                let lasts = self.stall.take().and_then(|(_, lasts)| lasts);
                tokio::select! {
                    () = peer_gone(stream) => return Ok(End::Cut),
                    () = sleep(lasts.unwrap_or(Duration::MAX)) => {}
                }
            }
            if matches!(self.ending, Some(Ending::BadChunk(bad)) if bad <= at) {
                write(stream, b"no length\r\n").await?;
                return Ok(End::Orderly);
            }
            if at >= end {
                break;
            }
            let next = self.stop_after(at, end);
            let length = usize::try_from(next - at).unwrap_or(usize::MAX);
            let mut bytes = match (&mut file, &self.text) {
                (Some(file), _) => {
                    let mut bytes = vec![0; length];
                    file.read_exact(&mut bytes).await?;
                    bytes
                }
                (None, Some(text)) => text.as_bytes()[text.len() - usize::try_from(end - at).unwrap_or(0)..].to_vec(),
                (None, None) => Vec::new(),
            };
            self.damage(&mut bytes, at);
            match self.ending {
                Some(Ending::Chunks(_) | Ending::BadChunk(_)) => {
                    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                    chunk.extend(bytes);
                    chunk.extend(b"\r\n");
                    write(stream, &chunk).await?;
                }
                _ => write(stream, &bytes).await?,
            }
            if file.is_some() {
                ticket.add(next - at);
            }
            if let Some(rate) = self.rate {
                sleep(Duration::from_secs(next - at) / u32::try_from(rate).unwrap_or(u32::MAX)).await;
            }
            at = next;
        }
        write(stream, &noise(usize::try_from(self.long).unwrap_or(0))).await?;
        if self.short > 0 {
            return Ok(End::Cut);
        }
        if let Some(Ending::Chunks(_) | Ending::BadChunk(_)) = self.ending {
            write(stream, b"0\r\n\r\n").await?;
        }
        Ok(End::Orderly)
    }

    /// Where the next piece, which begins at `at`, ends.
    fn stop_after(&self, at: u64, end: u64) -> u64 {
        if self.text.is_some() {
            return end;
        }
        let piece = match (self.ending, self.rate) {
            (Some(Ending::Chunks(size)), _) => size.min(CHUNK),
            (_, Some(rate)) => (rate / 20).clamp(1, CHUNK),
            _ => CHUNK,
        };
        let bad_chunk = match self.ending {
            Some(Ending::BadChunk(at)) => Some(at),
            _ => None,
        };
        let stops = [self.cut.as_ref().map(|(cut, _)| *cut), self.stall.map(|(stall, _)| stall), bad_chunk];
        stops.into_iter().flatten().filter(|stop| *stop > at).fold(end.min(at + piece), u64::min)
    }

    fn damage(&self, bytes: &mut [u8], at: u64) {
        if self.text.is_some() {
            return;
        }
        if self.other_file {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        for corrupt in &self.corrupt {
            let index = corrupt.checked_sub(at).and_then(|index| usize::try_from(index).ok());
            if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
                *byte ^= 0xff;
            }
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
/// A field's name in its usual spelling: there are devices that compare it letter by letter.
fn spelled(name: &str) -> String {
    let mut begins = true;
    name.chars()
        .map(|letter| {
            let spelled = if begins { letter.to_ascii_uppercase() } else { letter };
            begins = letter == '-';
            spelled
        })
        .collect()
}
