//! Owns asking a server on this machine for one thing, counting the bytes as they come over the wire.
//! HTTP/1.0 on purpose: the answer ends where the connection ends, so there is nothing to decode. Must not be
//! used for anything but 127.0.0.1.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// As sent: status line, headers and body.
    pub transferred: u64,
}

/// `key` says who asks, where that matters.
pub fn get(
    server: SocketAddr,
    path: &str,
    accept_encoding: &str,
    key: Option<&str>,
) -> Result<Answer> {
    let who = key.map(|key| format!("X-API-Key: {key}\r\n")).unwrap_or_default();
    let head = format!("Accept-Encoding: {accept_encoding}\r\n{who}");
    send(server, "GET", path, &head, "")
}

/// The same with any method, and a body of JSON.
pub fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    json: Option<&str>,
    key: Option<&str>,
) -> Result<Answer> {
    let who = key.map(|key| format!("X-API-Key: {key}\r\n")).unwrap_or_default();
    let body = json.unwrap_or_default();
    let kind = json.map(|_| "Content-Type: application/json\r\n").unwrap_or_default();
    let head = format!("Content-Length: {}\r\n{kind}{who}", body.len());
    send(server, method, path, &head, body)
}

/// `head`: further lines, each with its end.
fn send(server: SocketAddr, method: &str, path: &str, head: &str, body: &str) -> Result<Answer> {
    let asked = || -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\n{head}\r\n{body}");
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = asked().with_context(|| format!("no answer from http://{server}{path}"))?;
    parse(&bytes).with_context(|| format!("http://{server}{path}"))
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = bytes.windows(END.len()).position(|window| window == END) else {
        bail!("the answer is not HTTP");
    };
    let status = String::from_utf8_lossy(&bytes[..head])
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .context("the answer has no status")?;
    Ok(Answer { status, body: bytes[head + END.len()..].to_vec(), transferred: bytes.len() as u64 })
}

/// The first free port from this one on. Somebody may take it before the server does; then the server says so.
pub fn free_port(from: u16) -> Result<u16> {
    (from..from.saturating_add(200))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .with_context(|| format!("no free port from {from} on"))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn counts_what_came_over_the_wire() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody\r\n\r\nmore").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let answer = get(address, "/x?y=1", "br", None).unwrap();
        assert_eq!(
            answer,
            Answer { status: 200, body: b"body\r\n\r\nmore".to_vec(), transferred: 37 }
        );
        let request = server.join().unwrap();
        assert!(
            request.starts_with("GET /x?y=1 HTTP/1.0\r\n")
                && request.contains("Accept-Encoding: br"),
            "{request}"
        );
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(free_port(port).unwrap() > port);
    }
}
