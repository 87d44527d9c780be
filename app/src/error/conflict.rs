//! What stands against a change: the sentence for people, the code for programs.

use serde::{Deserialize, Serialize};

/// What stands against a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conflict {
    /// The same `Idempotency-Key` came before with another body.
    IdempotencyKeyReused,
    /// The type allows one active run per target.
    AlreadyActive,
    /// The server refuses every change (`--read-only`).
    ReadOnly,
    /// Somebody else changed it between reading and writing.
    Changed,
    /// Without this one nobody could administer the console any more.
    LastAdmin,
    NameTaken,
    /// It has been archived, so nothing new may refer to it.
    Archived,
    /// It belongs to the console itself.
    BuiltIn,
    /// The same grant stands already.
    AlreadyGranted,
    /// The identity provider decides it, and would overwrite what is changed here.
    FromProvider,
    /// Disabled people take nothing new.
    Disabled,
    /// This very key is stored already.
    KeyKnown,
    /// Who asks does not sign in with a password here.
    NoPassword,
    /// The operation has ended, so there is nothing left to decide.
    Ended,
    /// The operation is not as it was when somebody decided about it.
    Moved,
    /// Only what failed can be tried again.
    NotFailed,
    /// The type says so, or is gone.
    NotRetryable,
    /// It was tried again; this is the newest of its retries.
    Retried(i64),
    /// The type takes another input today.
    InputOutdated,
    NotCancelable,
    /// Its worker still has time to follow.
    NotIgnored,
    /// A cluster of this name stands already.
    ClusterExists,
    /// A stored credential was given for the address that is to be changed.
    CredentialBound,
    /// The cluster is not one that a credential opens.
    NoCredentialTaken,
}

impl Conflict {
    pub fn sentence(self) -> String {
        if let Self::Retried(newest) = self {
            return format!("It was tried again already; the newest is Operation #{newest}.");
        }
        self.words().to_owned()
    }

    fn words(self) -> &'static str {
        match self {
            Self::IdempotencyKeyReused => {
                "This Idempotency-Key was used before with another request."
            }
            Self::AlreadyActive => "An operation of this type is already active for this target.",
            Self::ReadOnly => "This console runs read-only; nothing can be changed.",
            Self::Changed => "It was changed in the meantime; nothing was done. Look again.",
            Self::LastAdmin => {
                "This is the last admin; without one nobody could administer the console."
            }
            Self::NameTaken => "This name is taken.",
            Self::Archived => "It is archived; nothing new can refer to it.",
            Self::BuiltIn => "It belongs to the console itself and stays as it is.",
            Self::AlreadyGranted => "This is granted already.",
            Self::FromProvider => {
                "This person comes from the identity provider, which decides about name and password."
            }
            Self::Disabled => "This person is disabled; enable them first.",
            Self::KeyKnown => "This key is known already; nothing was imported.",
            Self::Ended => "It has ended in the meantime; nothing was done.",
            Self::Moved => {
                "It has moved on since this page was drawn; nothing was done. Look again."
            }
            Self::NotFailed => "Only an operation that failed can be tried again.",
            Self::NotRetryable => "Operations of this type cannot be tried again.",
            Self::Retried(_) => "It was tried again already.",
            Self::InputOutdated => {
                "Operations of this type take another input today; start a new one instead."
            }
            Self::NotCancelable => "Operations of this type cannot be cancelled.",
            Self::NotIgnored => {
                "Nobody has asked for its end a minute ago; its worker still has time to follow."
            }
            Self::ClusterExists => {
                "A cluster of this name, or with this external id, is registered already."
            }
            Self::CredentialBound => {
                "A stored credential was given for the present address. Remove the credential first, then change the address."
            }
            Self::NoCredentialTaken => {
                "No credential opens this cluster: the console reaches it by the identity that it runs with, or through an outpost."
            }
            Self::NoPassword => "You do not sign in with a password of this console.",
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::AlreadyActive => "OPERATION_ALREADY_ACTIVE",
            Self::ReadOnly => "READ_ONLY",
            Self::Changed => "CHANGED_MEANWHILE",
            Self::LastAdmin => "LAST_ADMIN",
            Self::NameTaken => "NAME_TAKEN",
            Self::Archived => "ARCHIVED",
            Self::BuiltIn => "BUILT_IN",
            Self::AlreadyGranted => "ALREADY_GRANTED",
            Self::FromProvider => "FROM_PROVIDER",
            Self::Disabled => "PERSON_DISABLED",
            Self::KeyKnown => "KEY_KNOWN",
            Self::NoPassword => "NO_PASSWORD",
            Self::ClusterExists => "CLUSTER_ALREADY_EXISTS",
            Self::CredentialBound => "CREDENTIAL_BOUND",
            Self::NoCredentialTaken => "NO_CREDENTIAL_TAKEN",
            Self::Ended => "OPERATION_ENDED",
            Self::Moved => "OPERATION_MOVED",
            Self::NotFailed => "OPERATION_NOT_FAILED",
            Self::NotRetryable => "OPERATION_NOT_RETRYABLE",
            Self::Retried(_) => "OPERATION_RETRIED",
            Self::InputOutdated => "OPERATION_INPUT_OUTDATED",
            Self::NotCancelable => "OPERATION_NOT_CANCELABLE",
            Self::NotIgnored => "OPERATION_CANCEL_NOT_IGNORED",
        }
    }
}
