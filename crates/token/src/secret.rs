//! Texts that must not be seen: assertions, codes, refresh tokens, verifiers.

use zeroize::Zeroizing;

/// A text that a caller presented and that nobody else may see. Its Debug shows nothing; it is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Hand it to a rule or hash it; never log, store or quote it.
    #[must_use]
    pub fn dangerous_expose_secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}
