//! The guarded client, as openidconnect asks for one. Its futures are boxed: through a closure their lifetimes are too
//! general for the compiler to see that they are `Send`.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::egress::{Client, EgressError};

pub struct Wire<'a>(pub &'a Client);

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request))
    }
}
