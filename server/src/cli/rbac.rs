//! `quarterdeck rbac`: the least that the console needs to be allowed in a cluster, to be applied there.

use crate::fleet::rbac::{Ask, manifest};

/// Prints it. Needs no configuration and no database.
pub fn print_rbac(ask: &Ask) {
    print!("{}", manifest(ask));
}
