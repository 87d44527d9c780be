//! What the islands of this domain call.
