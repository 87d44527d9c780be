//! A source of clients that counts what it sends, and changes one request or another on its way: so that the real
//! server's own refusals can be had when a test wants them.

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
    /// Its `resourceVersion` becomes one that the server has forgotten.
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

    fn tamper(&self, uri: String) -> String {
        lock(&self.0.sent).push(uri.clone());
        let mut faults = lock(&self.0.faults);
        let hits = |fault: &Fault| match fault {
            Fault::Forgotten(words) => uri.contains(words) && uri.contains("resourceVersion="),
            Fault::Garbled(words, _) => uri.contains(words),
        };
        let Some(at) = faults.iter().position(hits) else { return uri };
        match faults.remove(at) {
            Some(Fault::Forgotten(_)) => {
                let (before, after) = uri.split_once("resourceVersion=").unwrap_or((&uri, ""));
                let rest =
                    after.split_once('&').map_or(String::new(), |(_, rest)| format!("&{rest}"));
                format!("{before}resourceVersion=1{rest}")
            }
            Some(Fault::Garbled(words, instead)) => uri.replace(words, instead),
            None => uri,
        }
    }
}

#[async_trait]
impl ClientSource for Tampered {
    async fn client(&self, _: Uuid) -> Result<Client, NoClient> {
        let inner = lock(&self.0.client).clone();
        let tampered = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (inner, tampered) = (inner.clone(), tampered.clone());
            async move {
                let (mut parts, body) = request.into_parts();
                let uri = tampered.tamper(parts.uri.to_string());
                parts.uri = uri.parse()?;
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
