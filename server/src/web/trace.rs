//! W3C trace context: the trace that a request belongs to, taken over when it is well-formed.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Rng;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What the standard asks everyone to pass on.
const TRACESTATE_MAX: usize = 512;

#[derive(Clone, Debug)]
pub struct TraceContext {
    /// 32 lower-case hex digits.
    pub trace_id: String,
    /// Our own span: 16 lower-case hex digits.
    pub span_id: String,
    /// The span that called us.
    pub parent_id: Option<String>,
    flags: String,
    /// Other people's words, passed on unread.
    state: Option<HeaderValue>,
}

impl TraceContext {
    pub fn of_request(headers: &HeaderMap, rng: &Rng) -> Self {
        let given = one(headers, &TRACEPARENT).and_then(|value| parse(value.to_str().ok()?));
        let mut span = [0; 8];
        rng.fill(&mut span);
        let span_id = hex(&span);
        let Some((trace_id, parent, flags)) = given else {
            let mut trace = [0; 16];
            rng.fill(&mut trace);
            let flags = "00".to_owned();
            return Self { trace_id: hex(&trace), span_id, parent_id: None, flags, state: None };
        };
        Self {
            trace_id,
            span_id,
            parent_id: Some(parent),
            flags,
            state: one(headers, &TRACESTATE).filter(|s| s.len() <= TRACESTATE_MAX).cloned(),
        }
    }

    /// Writes our own span, for the answer and for whatever we call meanwhile.
    pub fn write(&self, headers: &mut HeaderMap) {
        let parent = format!("00-{}-{}-{}", self.trace_id, self.span_id, self.flags);
        if let Ok(parent) = HeaderValue::from_str(&parent) {
            headers.insert(TRACEPARENT, parent);
        }
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// The value of a header that may stand only once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// `version-trace-parent-flags`. A later version may say more after its flags; `ff` is none.
fn parse(text: &str) -> Option<(String, String, String)> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, len: usize| is_hex(text, len) && text.bytes().any(|b| b != b'0');
    let ends = version != "00" || parts.next().is_none();
    let known = is_hex(version, 2) && version != "ff" && ends;
    (known && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2))
        .then(|| (trace.to_owned(), parent.to_owned(), flags.to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn context(pairs: &[(&HeaderName, &'static str)]) -> TraceContext {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        TraceContext::of_request(&headers, &Rng::seeded(1))
    }

    #[test]
    fn a_trace_goes_on_under_our_own_span() {
        let context = context(&[(&TRACEPARENT, GIVEN), (&TRACESTATE, "vendor=1")]);
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        let written = headers[TRACEPARENT].to_str().expect("ours is ASCII");
        assert!(written.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{written}");
        assert!(written.ends_with("-01"), "the sampling flag is passed on: {written}");
        assert_ne!(context.span_id, "b7ad6b7169203331");
        assert_eq!(headers[TRACESTATE], "vendor=1");
    }

    #[test]
    fn a_malformed_trace_is_not_taken_over() {
        for broken in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "\"; drop",
        ] {
            let context = context(&[(&TRACEPARENT, broken), (&TRACESTATE, "vendor=1")]);
            assert_ne!(context.trace_id, "0af7651916cd43dd8448eb211c80319c", "{broken}");
            assert_eq!(context.trace_id.len(), 32);
            assert!(context.state.is_none(), "a state without its trace says nothing");
        }
        let twice = context(&[(&TRACEPARENT, GIVEN), (&TRACEPARENT, GIVEN)]);
        assert_eq!(twice.parent_id, None);
    }
}
