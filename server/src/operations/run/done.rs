//! What a step hands on.

/// A step's result: a value that later steps need, and a sentence for those who read the run.
#[derive(Clone, Debug)]
pub struct Done<T> {
    pub(super) value: T,
    pub(super) detail: Option<String>,
}

impl Done<()> {
    /// A step that has nothing to hand on.
    pub fn saying(detail: impl Into<String>) -> Self {
        Self { value: (), detail: Some(detail.into()) }
    }
}

impl<T> Done<T> {
    pub fn with(value: T) -> Self {
        Self { value, detail: None }
    }

    #[must_use]
    pub fn and_saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}
