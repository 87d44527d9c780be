//! Every address of the product, with who may use it. Domains bring their handlers; the table is here, so
//! that it can be read in one piece.

use app::{identity::Capability, paths::route};

use crate::web::{
    Access::{self, Needs, Public},
    Routes, assets, health,
};
use crate::{api, operations::forms};

/// What seed 003 asks for below `/system`, and for operations over JSON.
const SYSTEM: Access = Needs(&[Capability::AccessSystemPanel, Capability::OperationsView]);

pub fn all() -> Routes {
    Routes::new()
        // Asked by machines before anyone is known; they tell nothing about the installation.
        .get("/healthz", Public, health::healthz)
        .get("/readyz", Public, health::readyz)
        .get("/version", Public, health::version)
        .get(assets::ROUTE, Public, assets::serve)
        .post(route::RUNBOOKS, SYSTEM, forms::start)
        .get(route::API_OPERATIONS, SYSTEM, api::operations::list)
        .post(route::API_OPERATIONS, SYSTEM, api::operations::start)
        .get(route::API_OPERATION_TYPES, SYSTEM, api::operations::types)
        .get(route::API_OPERATION, SYSTEM, api::operations::get)
}
