//! How a watch talks to the API server: one request, its refusals told apart, and the lines of a body that does not end.
//! Must not know what the lines hold.

use std::{future::Future, time::Duration};

use app::fleet::watched::Reason;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;

use super::source::reason_of;
use crate::{clock::Clock, fleet::error::trouble_of};

/// The API server begins to answer within this, a list too: it streams.
const ANSWER: Duration = Duration::from_secs(30);
/// Of a list, something comes within this.
const PIECE: Duration = Duration::from_secs(30);
/// Nothing that we list is larger in a page of ours; of a body beyond it no use could be made.
const LARGEST: usize = 256 << 20;
/// An object is at most 1.5 MB in etcd.
const LONGEST_LINE: usize = 16 << 20;

/// Why a request or a watch came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 410, as an answer or in the stream.
    Expired,
    /// 400 or 422: this server does not take such a request.
    Unsupported,
    /// 429 or 503, and after how many seconds to ask again.
    Busy(Option<u64>),
    Because(Reason),
}

impl Trouble {
    pub fn reason(self) -> Reason {
        match self {
            Self::Expired => Reason::Expired,
            Self::Unsupported => Reason::Answer,
            Self::Busy(_) => Reason::Busy,
            Self::Because(reason) => reason,
        }
    }

    pub fn of_code(code: u16) -> Self {
        match code {
            410 => Self::Expired,
            400 | 422 => Self::Unsupported,
            401 => Self::Because(Reason::CredentialRefused),
            403 => Self::Because(Reason::Forbidden),
            404 => Self::Because(Reason::NotServed),
            429 | 503 => Self::Busy(None),
            _ => Self::Because(Reason::Answer),
        }
    }
}

/// What the API server says of a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusWire {
    pub code: u16,
    pub reason: String,
}

pub struct Talk {
    pub client: kube::Client,
    pub clock: Clock,
}

impl Talk {
    /// The body of a good answer.
    pub async fn open(&self, uri: &str) -> Result<Body, Trouble> {
        let request = Request::get(uri)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|_| Trouble::Because(Reason::Fault))?;
        let answer = within(&self.clock, ANSWER, self.client.send(request)).await?;
        let answer = answer.map_err(|error| {
            tracing::debug!(%error, "an API server was not reached");
            Trouble::Because(reason_of(trouble_of(&error)))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let after = answer.headers().get(http::header::RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
        Err(match (status, Trouble::of_code(status.as_u16())) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => {
                Trouble::Busy(after)
            }
            (_, trouble) => trouble,
        })
    }

    /// A whole answer.
    pub async fn whole(&self, uri: &str) -> Result<Vec<u8>, Trouble> {
        let mut body = self.open(uri).await?;
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(&mut body, PIECE).await? {
            if whole.len() + piece.len() > LARGEST {
                return Err(Trouble::Because(Reason::Malformed));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// None at the body's end.
    async fn piece(
        &self,
        body: &mut Body,
        limit: Duration,
    ) -> Result<Option<impl std::ops::Deref<Target = [u8]> + use<>>, Trouble> {
        loop {
            let Some(frame) = within(&self.clock, limit, body.frame()).await? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "an API server was lost while it answered");
                Trouble::Because(Reason::Unreachable)
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

async fn within<F: Future>(clock: &Clock, limit: Duration, work: F) -> Result<F::Output, Trouble> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = clock.sleep(limit) => Err(Trouble::Because(Reason::TimedOut)),
    }
}

/// The lines of a body, as many at a time as have come.
pub struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// No line ends before this.
    looked: usize,
}

impl Lines {
    pub fn of(body: Body) -> Self {
        Self { body, buffer: Vec::new(), looked: 0 }
    }

    /// Waits for more and hands out each whole line. False at the body's end; what stands there without a line's end was
    /// cut off and is no line.
    pub async fn more(
        &mut self,
        talk: &Talk,
        silence: Duration,
        mut take: impl FnMut(&[u8]) -> Result<(), Trouble>,
    ) -> Result<bool, Trouble> {
        let Some(piece) = talk.piece(&mut self.body, silence).await? else { return Ok(false) };
        self.buffer.extend_from_slice(&piece);
        let mut start = 0;
        while let Some(length) = self.buffer[self.looked..].iter().position(|byte| *byte == b'\n') {
            let end = self.looked + length;
            take(&self.buffer[start..end])?;
            start = end + 1;
            self.looked = start;
        }
        self.buffer.drain(..start);
        self.looked = self.buffer.len();
        if self.buffer.len() > LONGEST_LINE {
            return Err(Trouble::Because(Reason::Malformed));
        }
        // A large first list must not stay in memory as an empty buffer.
        if self.buffer.capacity() > 1 << 20 && self.buffer.len() < 1 << 16 {
            self.buffer.shrink_to(1 << 16);
        }
        Ok(true)
    }
}
