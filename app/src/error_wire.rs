//! How [`ApiError`] travels between an island and its server function: as JSON, under its own status code.
//!
//! What the transport says about a broken call stays in the transport: its words name serde, not a field.

use http::StatusCode;
use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use crate::error::{ApiError, Transport};

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        Self::Transport(match value {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Transport::Args,
            ServerFnErrorErr::Request(_) => Transport::Network,
            _ => Transport::Answer,
        })
    }

    /// An island only asks whether its call failed; the page says why. That the browser does not learn to read every
    /// error makes what it loads a tenth smaller.
    #[cfg(not(feature = "ssr"))]
    fn de(_: leptos::server_fn::Bytes) -> Self {
        Self::Transport(Transport::Answer)
    }

    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Thing;

    #[test]
    fn an_error_keeps_its_status_and_its_meaning_on_the_wire() {
        let error = ApiError::NotFound(Thing::Operation);
        let wire = error.ser();
        assert_eq!(wire.status_code, StatusCode::NOT_FOUND);
        assert_eq!(ApiError::de(wire.body), error);
    }

    #[test]
    fn unreadable_arguments_are_a_400_without_the_decoders_words() {
        let error = ApiError::from_server_fn_error(ServerFnErrorErr::Args(
            "invalid type: string \"x\", expected i64".to_owned(),
        ));
        assert_eq!(error.status_code(), StatusCode::BAD_REQUEST);
        let body = String::from_utf8(error.ser().body.to_vec()).expect("JSON is text");
        assert_eq!(body, r#"{"Transport":"Args"}"#);
    }
}
