//! The credential, kept out of a stream of bytes, also where it is cut in two. Only bytes that may be its beginning are
//! held back, and only until the next ones come.

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::seal::Secret;

/// What is looked for, and what is held back.
pub(super) struct Mask {
    needles: Vec<Zeroizing<Vec<u8>>>,
    held: Zeroizing<Vec<u8>>,
}

impl Mask {
    /// Looks for the secret as it is, as JSON writes it and as addresses write it.
    pub(super) fn new(secret: Option<&Secret>) -> Self {
        let secret = secret.map(Secret::dangerous_expose).filter(|secret| secret.len() >= MASKED_BYTES_MIN);
        let mut needles: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        if let Some(secret) = secret {
            let written = [Some(Zeroizing::new(secret.to_vec())), in_json(secret), Some(in_address(secret))];
            for needle in written.into_iter().flatten() {
                if !needles.contains(&needle) {
                    needles.push(needle);
                }
            }
        }
        Self { needles, held: Zeroizing::default() }
    }

    /// What of these bytes, and of those held back, can be shown now.
    pub(super) fn push(&mut self, chunk: Bytes) -> Bytes {
        if self.needles.is_empty() {
            return chunk;
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(&chunk);
        let (shown, rest) = self.sift(&text);
        self.held = Zeroizing::new(rest.to_vec());
        shown.into()
    }

    /// What was held back and turned out to be something else.
    pub(super) fn end(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.held).to_vec())
    }

    /// A whole text.
    pub(super) fn whole(&self, text: &[u8]) -> Vec<u8> {
        let (mut shown, rest) = self.sift(text);
        shown.extend_from_slice(rest);
        shown
    }

    /// What can be shown, and the end that may be the beginning of the secret.
    fn sift<'t>(&self, text: &'t [u8]) -> (Vec<u8>, &'t [u8]) {
        let mut shown = Vec::with_capacity(text.len());
        let mut rest = text;
        loop {
            let begins = |byte: &u8| self.needles.iter().any(|needle| needle.first() == Some(byte));
            let Some((before, from)) = rest.iter().position(begins).and_then(|at| rest.split_at_checked(at))
            else {
                shown.extend_from_slice(rest);
                return (shown, &[]);
            };
            shown.extend_from_slice(before);
            if let Some(after) = self.needles.iter().find_map(|needle| from.strip_prefix(needle.as_slice())) {
                shown.extend_from_slice(MASK);
                rest = after;
            } else if self.needles.iter().any(|needle| needle.starts_with(from)) {
                return (shown, from);
            } else if let Some((byte, after)) = from.split_first() {
                shown.push(*byte);
                rest = after;
            }
        }
    }
}

fn in_json(secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(secret).ok()?;
    let quoted = Zeroizing::new(serde_json::Value::from(text).to_string());
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(Zeroizing::new(inner.as_bytes().to_vec()))
}

fn in_address(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len().saturating_mul(3)));
    for byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

/// What stands where a credential stood.
const MASK: &[u8] = b"***";
/// Shorter secrets are not looked for: they would match by chance.
const MASKED_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, text: &str, step: usize) -> String {
        let secret = Secret::new(secret.into());
        let mut mask = Mask::new(Some(&secret));
        let mut shown = Vec::new();
        for chunk in text.as_bytes().chunks(step) {
            shown.extend_from_slice(&mask.push(Bytes::copy_from_slice(chunk)));
        }
        shown.extend_from_slice(&mask.end());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn a_secret_is_masked_however_the_bytes_are_cut() {
        let secret = "s3cret\"a/b+key";
        let echo = r#"x s3cret"a/b+key y "s3cret\"a/b+key" s3cret%22a%2Fb%2Bkey s3cret s3s3cret"a/b+key"#;
        for step in 1..=echo.len() {
            assert_eq!(masked(secret, echo, step), r#"x *** y "***" *** s3cret s3***"#, "{step}");
        }
        assert_eq!(masked("aabaabaac", "aabaabaabaac", 1), "aab***");
        assert_eq!(masked("short", "a short text", 3), "a short text");
    }

    #[test]
    fn nothing_is_held_back_that_cannot_be_the_secret() {
        let secret = Secret::new("s3cret-value".into());
        let mut mask = Mask::new(Some(&secret));
        assert_eq!(mask.push(Bytes::from_static(b"data: hello\n\n")), "data: hello\n\n");
        assert_eq!(mask.push(Bytes::from_static(b"data: s3cr")), "data: ");
        assert_eq!(mask.push(Bytes::from_static(b"ap\n")), "s3crap\n");
        assert_eq!(mask.end(), "");
    }
}
