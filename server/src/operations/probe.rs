//! Whether something answers at an address: the one place of this domain that dials out.
//!
//! Proves that the name is known and that the port takes a connection; over plain http also that something
//! speaks HTTP there. Sends no credential and follows nothing. Over https it connects and hangs up: TLS, and
//! with it the certificate, is `egress`'s, which comes with the first domain that talks to an upstream.
//!
//! Link-local and metadata addresses are refused, by the address that was connected to, not by its name.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::clock::Clock;

/// Something that we query and that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub name: String,
    /// http or https.
    pub url: String,
}

/// A status line is shorter.
const ANSWER_MAX: usize = 512;

/// What was found, or why nothing could be.
pub async fn ask(clock: &Clock, upstream: &Upstream, timeout: Duration) -> Result<String, String> {
    let began = clock.monotonic();
    let found = tokio::select! {
        found = dial(&upstream.url) => found?,
        () = clock.sleep(timeout) => {
            return Err(format!("no answer within {} s.", timeout.as_secs()));
        }
    };
    let took = clock.monotonic().saturating_sub(began);
    Ok(format!("{found} in {:.0} ms.", took.as_secs_f64() * 1_000.0))
}

async fn dial(url: &str) -> Result<String, String> {
    let url: http::Uri = url.parse().map_err(|_| "its address is not a URL.".to_owned())?;
    let secure = match url.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("its address is neither http nor https.".to_owned()),
    };
    let host = url.host().ok_or("its address names no host.")?;
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = connect(bare, port).await?;
    if secure {
        return Ok(format!("{bare}:{port} took a connection"));
    }
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request = format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: quarterdeck\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let broken = |error: std::io::Error| format!("the connection broke: {error}.");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let line = first_line(&mut stream).await.map_err(broken)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status {
        Some(status) if status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(format!("answered HTTP {status}"))
        }
        _ => Err("what answered does not speak HTTP.".to_owned()),
    }
}

/// The first of the name's addresses that takes a connection.
async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| format!("its name {host} is not known: {error}."))?;
    let mut why = format!("its name {host} has no address.");
    for address in addresses {
        if is_forbidden(address) {
            why = String::from("its address is link-local, which is never dialled.");
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("{host}:{port} takes no connection: {error}."),
        }
    }
    Err(why)
}

/// Where cloud metadata lives, and nothing that a person configures.
fn is_forbidden(address: SocketAddr) -> bool {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => {
            // fe80::/10, and AWS's metadata address.
            (ip.segments()[0] & 0xffc0) == 0xfe80
                || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                || ip.is_multicast()
        }
    }
}

async fn first_line(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::with_capacity(ANSWER_MAX);
    while answer.len() < ANSWER_MAX && !answer.contains(&b'\n') {
        let mut part = [0; 128];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&part[..read]);
    }
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn upstream(url: impl Into<String>) -> Upstream {
        Upstream { name: "u".to_owned(), url: url.into() }
    }

    async fn asked(url: impl Into<String>) -> Result<String, String> {
        ask(&Clock::system(), &upstream(url), Duration::from_secs(10)).await
    }

    /// Answers one connection with `answer`, after it has read something.
    async fn listener(answer: &'static str) -> (u16, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        (port, async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 512];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
    }

    #[tokio::test]
    async fn whatever_status_comes_is_an_answer() {
        let (port, serve) = listener("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        let (found, ()) = tokio::join!(asked(format!("http://127.0.0.1:{port}/x")), serve);
        let found = found.expect("it answered");
        assert!(found.starts_with("answered HTTP 503 in "), "{found}");
    }

    #[tokio::test]
    async fn what_speaks_something_else_is_unavailable() {
        let (port, serve) = listener("SSH-2.0-OpenSSH\r\n").await;
        let (found, ()) = tokio::join!(asked(format!("http://127.0.0.1:{port}")), serve);
        assert_eq!(found, Err("what answered does not speak HTTP.".to_owned()));
    }

    #[tokio::test]
    async fn nobody_there_is_said_in_the_systems_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let why = asked(format!("https://127.0.0.1:{port}")).await.expect_err("nobody listens");
        assert!(why.contains("takes no connection") && why.contains("refused"), "{why}");
    }

    #[tokio::test]
    async fn metadata_addresses_are_never_dialled() {
        for url in
            ["http://169.254.169.254/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"]
        {
            let why = asked(url).await.expect_err("forbidden");
            assert!(why.contains("link-local"), "{url}: {why}");
        }
        assert!(asked("ftp://127.0.0.1/").await.is_err());
        assert!(asked("nonsense").await.is_err());
    }
}
