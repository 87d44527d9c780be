//! Whether something answers at an address: the one place of this domain that dials out.
//!
//! Sends `HEAD` through `egress`, without a credential, and follows nothing. Whatever status comes is an
//! answer: the upstream is there, and over https its certificate is one that we trust.

use std::time::Duration;

use http::{Method, Request, header::ACCEPT};

use crate::{
    clock::Clock,
    egress::{Cause, Egress, EgressError, Limits, Scope},
};

/// Something that we query and that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub name: String,
    /// http or https.
    pub url: String,
}

/// What was found, or why nothing could be.
pub async fn ask(
    clock: &Clock,
    egress: &Egress,
    upstream: &Upstream,
    timeout: Duration,
) -> Result<String, String> {
    let began = clock.monotonic();
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(&upstream.url)
        .header(ACCEPT, "*/*")
        .body(Vec::new())
        .map_err(|_| "its address is not a URL.".to_owned())?;
    let limits = |limits| Limits { headers: timeout, total: timeout, ..limits };
    // Whoever configures the console may let it ask its own network.
    let client = egress.client(Scope::Registered).within(limits);
    let answer = client.send(request).await.map_err(|error| spoken(&error))?;
    let took = clock.monotonic().saturating_sub(began);
    Ok(format!("answered HTTP {} in {:.0} ms.", answer.status().as_u16(), took.as_secs_f64() * 1e3))
}

fn spoken(error: &EgressError) -> String {
    let target = &error.target;
    match &error.cause {
        Cause::TimedOut { limit, .. } => format!("no answer within {} s.", limit.as_secs()),
        Cause::NoConnection(why) => format!("{target} takes no connection: {why}."),
        Cause::UnknownName(why) => format!("the name in {target} is not known: {why}."),
        Cause::Tls(why) => format!("{target} cannot be trusted: {why}."),
        other => format!("{other}."),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::egress::EgressConfig;

    fn upstream(url: impl Into<String>) -> Upstream {
        Upstream { name: "u".to_owned(), url: url.into() }
    }

    async fn asked(url: impl Into<String>) -> Result<String, String> {
        let clock = Clock::system();
        let egress = Egress::new(EgressConfig::default(), &clock);
        ask(&clock, &egress, &upstream(url), Duration::from_secs(10)).await
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
            assert!(why.contains("is not dialled"), "{url}: {why}");
        }
        assert!(asked("ftp://127.0.0.1/").await.is_err());
        assert!(asked("nonsense").await.is_err());
    }
}
