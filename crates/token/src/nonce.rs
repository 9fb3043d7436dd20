//! DPoP nonces without a table (RFC 9449 section 8): a nonce is a time and its HMAC.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::Timestamp;

/// Makes nonces and knows its own. All nodes of a plane share one key; it is drawn and kept by somebody else.
pub struct Nonces {
    key: hmac::Key,
    lifetime_seconds: i64,
}

impl Nonces {
    /// From a key of 32 random bytes. Nonces are good for `lifetime_seconds`.
    #[must_use]
    pub fn new(key: &[u8; 32], lifetime_seconds: u32) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), lifetime_seconds: i64::from(lifetime_seconds) }
    }

    /// The nonce of this moment.
    #[must_use]
    pub fn make(&self, now: Timestamp) -> String {
        let made = now.as_seconds().to_be_bytes();
        let tag = hmac::sign(&self.key, &made);
        URL_SAFE_NO_PAD.encode([&made, tag.as_ref()].concat())
    }

    /// Whether the nonce is one of ours and young enough.
    #[must_use]
    pub fn accept(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some((made, tag)) = bytes.split_first_chunk::<8>() else { return false };
        // Compares in constant time.
        if hmac::verify(&self.key, made, tag).is_err() {
            return false;
        }
        let age = now.as_seconds().saturating_sub(i64::from_be_bytes(*made));
        // Another node's clock may be a little ahead of this one's.
        (-NODE_SKEW_SECONDS_MAX..self.lifetime_seconds).contains(&age)
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(***)")
    }
}

const NODE_SKEW_SECONDS_MAX: i64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_time_and_its_plane() {
        let at = |seconds: i64| Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000);
        let nonces = Nonces::new(&[1; 32], 300);
        let nonce = nonces.make(at(0));
        for (after, good) in [(-6, false), (-5, true), (0, true), (299, true), (300, false)] {
            assert_eq!(nonces.accept(&nonce, at(after)), good, "{after}");
        }
        assert!(!Nonces::new(&[2; 32], 300).accept(&nonce, at(0)), "another key");
        for bad in [
            "",
            "x",
            nonce.get(1..).unwrap(),
            &format!("{nonce}AAAA"),
            &Nonces::new(&[2; 32], 300).make(at(0)),
        ] {
            assert!(!nonces.accept(bad, at(0)), "{bad}");
        }
        assert!(!format!("{nonces:?}").contains('1'));
    }
}
