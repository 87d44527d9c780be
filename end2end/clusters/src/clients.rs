//! A source of clients that counts what it sends, and changes one request or another on its way, so that a refusal can
//! be had when a test wants it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use http::{Request, Response};
use kube::{Client, client::Body};
use server::fleet::watch::{ClientSource, NoClient};
use tower::ServiceExt as _;
use uuid::Uuid;

/// What happens to the next request whose address has these words in it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The watch is told that its version is forgotten. A young server has forgotten none, so it is told in its place.
    Forgotten(&'static str),
    /// The server gets a parameter that it does not know the value of.
    Garbled(&'static str, &'static str),
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Tampered(Arc<Inner>);

struct Inner {
    client: Mutex<Client>,
    faults: Mutex<VecDeque<Fault>>,
    sent: Mutex<Vec<String>>,
}

impl Tampered {
    pub fn new(client: Client) -> Self {
        Self(Arc::new(Inner {
            client: Mutex::new(client),
            faults: Mutex::default(),
            sent: Mutex::default(),
        }))
    }

    pub fn fault(&self, fault: Fault) {
        lock(&self.0.faults).push_back(fault);
    }

    /// From the next connection on, another caller.
    pub fn becomes(&self, client: Client) {
        *lock(&self.0.client) = client;
    }

    /// How many requests had these words in their address.
    pub fn sent(&self, words: &str) -> usize {
        lock(&self.0.sent).iter().filter(|uri| uri.contains(words)).count()
    }

    /// What happens to a request: its address, or the answer that it gets without being sent.
    fn tamper(&self, uri: String) -> Result<String, &'static str> {
        lock(&self.0.sent).push(uri.clone());
        let mut faults = lock(&self.0.faults);
        let hits = |fault: &Fault| match fault {
            Fault::Forgotten(words) | Fault::Garbled(words, _) => uri.contains(words),
        };
        let Some(at) = faults.iter().position(hits) else { return Ok(uri) };
        match faults.remove(at) {
            Some(Fault::Forgotten(_)) => Err(EXPIRED),
            Some(Fault::Garbled(words, instead)) => Ok(uri.replace(words, instead)),
            None => Ok(uri),
        }
    }
}

/// As a server spells it that has forgotten the version: the watch begins, and ends with this.
const EXPIRED: &str = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource version: 1 (4711)\",\"reason\":\"Expired\",\"code\":410}}\n";

#[async_trait]
impl ClientSource for Tampered {
    async fn client(&self, _: Uuid) -> Result<Client, NoClient> {
        let inner = lock(&self.0.client).clone();
        let tampered = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (inner, tampered) = (inner.clone(), tampered.clone());
            async move {
                let (mut parts, body) = request.into_parts();
                match tampered.tamper(parts.uri.to_string()) {
                    Ok(uri) => parts.uri = uri.parse()?,
                    Err(answer) => {
                        return Ok(Response::new(Body::from(answer.as_bytes().to_vec())));
                    }
                }
                let answer: Response<Body> = inner.send(Request::from_parts(parts, body)).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer)
            }
        });
        Ok(Client::new(service.map_response(|answer| answer), "default"))
    }
}

fn lock<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
