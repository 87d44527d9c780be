//! Wakes the islands of a page that the server has drawn. Owns nothing else.

use app as _;

#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
