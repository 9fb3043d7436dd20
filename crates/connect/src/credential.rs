//! An opened credential where it is used: put on requests, and kept out of everything people read.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use provost_domain::system::CredentialUse;
use provost_domain::{Name, System};
use zeroize::Zeroizing;

use crate::error::{NotSent, UpstreamError};
use crate::seal::Secret;

/// The credential of one connection.
pub(crate) struct Credential {
    used: CredentialUse,
    secret: Secret,
    /// The secret as it would stand inside a JSON string.
    in_json: Option<Zeroizing<String>>,
}

impl Credential {
    /// What the system wants, made of the secret that was opened for it. `None` for a system that wants none.
    ///
    /// # Errors
    /// When the system wants one and there is none.
    pub(crate) fn of(system: &System, secret: Option<&Secret>) -> Result<Option<Self>, UpstreamError> {
        let Some(used) = &system.credential else { return Ok(None) };
        let Some(secret) = secret else {
            let why = format!(
                "it wants the credential `{0}`, which is not set; run provost credential set {0}",
                used.name
            );
            return Err(refused(&system.name, why));
        };
        let text = std::str::from_utf8(secret.dangerous_expose()).ok();
        let in_json = text
            .filter(|text| text.len() >= MASKED_BYTES_MIN)
            .map(|text| Zeroizing::new(serde_json::Value::from(text).to_string()))
            .and_then(|quoted| quoted.get(1..quoted.len() - 1).map(|inner| Zeroizing::new(inner.to_owned())));
        Ok(Some(Self { used: used.clone(), secret: secret.clone(), in_json }))
    }

    /// As an HTTP header, marked sensitive so that no layer below prints it.
    pub(crate) fn header(&self, system: &Name) -> Result<(HeaderName, HeaderValue), UpstreamError> {
        let target = &self.used.target;
        let name = HeaderName::from_bytes(target.as_bytes())
            .ok()
            .filter(|name| !RESERVED.contains(&name.as_str()) && !name.as_str().starts_with("mcp-"))
            .ok_or_else(|| refused(system, format!("a credential cannot go into the header `{target}`")))?;
        let mut value = HeaderValue::from_bytes(&self.value()).map_err(|_| {
            let why = format!(
                "the credential `{}` has line breaks or control characters; set it again without them",
                self.used.name
            );
            refused(system, why)
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// As a variable of a child's environment.
    pub(crate) fn variable(&self, system: &Name) -> Result<(String, Zeroizing<String>), UpstreamError> {
        let target = &self.used.target;
        if target.is_empty() || target.contains(['=', '\0']) || FIXED_VARIABLES.contains(&target.as_str()) {
            let why = format!("a credential cannot go into the environment variable `{target}`");
            return Err(refused(system, why));
        }
        let value = String::from_utf8(self.value().to_vec()).ok().filter(|value| !value.contains('\0'));
        let Some(value) = value else {
            let why = format!(
                "the credential `{}` is not text, which an environment variable must be",
                self.used.name
            );
            return Err(refused(system, why));
        };
        Ok((target.clone(), Zeroizing::new(value)))
    }

    /// How many bytes the secret has.
    pub(crate) fn bytes(&self) -> usize {
        self.secret.dangerous_expose().len()
    }

    /// Text for people (an error, a log line) without the secret.
    pub(crate) fn mask_text(&self, text: String) -> String {
        let Ok(secret) = std::str::from_utf8(self.secret.dangerous_expose()) else { return text };
        let masked = mask(text, secret);
        match &self.in_json {
            Some(escaped) if escaped.as_str() != secret => mask(masked, escaped),
            _ => masked,
        }
    }

    /// A message without the secret; `None` when it had none, which is nearly always. A system that echoes its
    /// credential (an echo or environment tool) would otherwise hand it to the agent.
    pub(crate) fn mask_message(&self, message: &Bytes) -> Option<Bytes> {
        let escaped = self.in_json.as_ref()?;
        let text = std::str::from_utf8(message).ok()?;
        text.contains(escaped.as_str()).then(|| Bytes::from(text.replace(escaped.as_str(), MASK)))
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        let mut value = Zeroizing::new(Vec::with_capacity(self.used.prefix.len() + self.bytes()));
        value.extend_from_slice(self.used.prefix.as_bytes());
        value.extend_from_slice(self.secret.dangerous_expose());
        value
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.used == other.used && self.secret == other.secret
    }
}

/// Masks a secret, also where only its beginning is left because somebody cut the text.
fn mask(text: String, secret: &str) -> String {
    let begins = secret.get(..secret.ceil_char_boundary(MASKED_BYTES_MIN)).unwrap_or(secret);
    if secret.is_empty() || !text.contains(begins) {
        return text;
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, found)) = rest.find(begins).and_then(|at| rest.split_at_checked(at)) {
        let same =
            found.chars().zip(secret.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        masked.push_str(before);
        masked.push_str(MASK);
        rest = found.get(same..).unwrap_or_default();
    }
    masked.push_str(rest);
    masked
}

fn refused(system: &Name, why: String) -> UpstreamError {
    UpstreamError::NotSent { system: system.clone(), why: NotSent::Credential(why) }
}

/// What stands where a credential stood.
const MASK: &str = "***";
/// Shorter secrets are not looked for in messages: they would match by chance.
const MASKED_BYTES_MIN: usize = 8;
/// Headers that the protocol itself writes.
const RESERVED: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Variables that every child has.
pub(crate) const FIXED_VARIABLES: [&str; 2] = ["PATH", "HOME"];

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(target: &str, secret: &str) -> Credential {
        let system: System = serde_json::from_value(serde_json::json!({
            "name": "bank", "description": "", "environment": "production", "revocation_max": 0,
            "connection": {"kind": "mcp-http", "url": "http://localhost"},
            "credential": {"name": "bank-key", "target": target, "prefix": "Bearer "},
        }))
        .unwrap();
        let missing = Credential::of(&system, None).err().unwrap().to_string();
        assert!(missing.contains("provost credential set bank-key"), "{missing}");
        Credential::of(&system, Some(&Secret::new(secret.into()))).unwrap().unwrap()
    }

    #[test]
    fn a_credential_becomes_a_sensitive_header() {
        let bank: Name = "bank".parse().unwrap();
        let (name, value) = credential("Authorization", "s3cret-value").header(&bank).unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("authorization", &b"Bearer s3cret-value"[..]));
        assert!(!format!("{value:?}").contains("s3cret"));
        for (target, secret) in
            [("host", "s3cret-value"), ("mcp-session-id", "x"), ("a b", "x"), ("x-key", "s3cret\nvalue")]
        {
            let error = credential(target, secret).header(&bank).unwrap_err();
            assert!(!error.may_have_acted() && !error.to_string().contains("s3cret"), "{error}");
        }
        assert!(credential("PATH", "s3cret-value").variable(&bank).is_err());
        assert!(credential("TOKEN", "s3cret\0value").variable(&bank).is_err());
    }

    #[test]
    fn a_secret_is_masked_however_json_writes_it() {
        let credential = credential("Authorization", "a\"b\\c-long-enough");
        let message = serde_json::json!({"echo": "Bearer a\"b\\c-long-enough!"}).to_string();
        let masked = credential.mask_message(&Bytes::from(message)).unwrap();
        assert_eq!(masked, r#"{"echo":"Bearer ***!"}"#);
        assert_eq!(credential.mask_message(&Bytes::from_static(b"{}")), None);
        assert_eq!(credential.mask_text("x a\"b\\c-long-enough y".into()), "x *** y");
        assert_eq!(
            credential.mask_text("a\"b\\c-long… a\"b\\c-lo".into()),
            "***… ***",
            "cut by somebody else"
        );
        assert_eq!(credential.mask_text("a\"b".into()), "a\"b");
    }
}
