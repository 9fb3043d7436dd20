//! An opened credential where it is used: put on requests, and kept out of everything people read.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use provost_domain::system::CredentialUse;
use provost_domain::{Name, System};
use zeroize::Zeroizing;

use crate::error::{NotSent, UpstreamError};
use crate::seal::Secret;
use crate::shown::{Shown, Values};

/// The credential of one connection.
pub(crate) struct Credential {
    used: CredentialUse,
    shown: Shown,
    /// What is kept out of everything people and agents read.
    needles: Vec<Needle>,
}

/// A secret that must not be read.
struct Needle {
    secret: Secret,
    /// As it would stand inside a JSON string.
    in_json: Option<Zeroizing<String>>,
}

impl Needle {
    fn new(secret: &Secret) -> Self {
        let text = std::str::from_utf8(secret.dangerous_expose()).ok();
        let in_json = text
            .filter(|text| text.len() >= MASKED_BYTES_MIN)
            .map(|text| Zeroizing::new(serde_json::Value::from(text).to_string()))
            .and_then(|quoted| quoted.get(1..quoted.len() - 1).map(|inner| Zeroizing::new(inner.to_owned())));
        Self { secret: secret.clone(), in_json }
    }

    fn mask_text(&self, text: String) -> String {
        let Ok(secret) = std::str::from_utf8(self.secret.dangerous_expose()) else { return text };
        let masked = mask(text, secret);
        match &self.in_json {
            Some(escaped) if escaped.as_str() != secret => mask(masked, escaped),
            _ => masked,
        }
    }
}

impl Credential {
    /// What the system wants, made of the secret that was opened for it. `None` for a system that wants none.
    ///
    /// # Errors
    /// When the system wants one and there is none.
    pub(crate) fn of(system: &System, shown: Option<&Shown>) -> Result<Option<Self>, UpstreamError> {
        let Some(used) = &system.credential else { return Ok(None) };
        let Some(shown) = shown else {
            let why = format!(
                "it wants the credential `{0}`, which is not set; run provost credential set {0}",
                used.name
            );
            return Err(refused(&system.name, why));
        };
        let needles = shown.secrets().map(Needle::new).collect();
        Ok(Some(Self { used: used.clone(), shown: shown.clone(), needles }))
    }

    /// As an HTTP header, marked sensitive so that no layer below prints it.
    pub(crate) fn header(&self, system: &Name) -> Result<(HeaderName, HeaderValue), UpstreamError> {
        let target = &self.used.target;
        let name = HeaderName::from_bytes(target.as_bytes())
            .ok()
            .filter(|name| !RESERVED.contains(&name.as_str()) && !name.as_str().starts_with("mcp-"))
            .ok_or_else(|| refused(system, format!("a credential cannot go into the header `{target}`")))?;
        let Values::One(secret) = &self.shown.values else {
            let why = format!("the credential `{}` is for the environment of a program", self.used.name);
            return Err(refused(system, why));
        };
        let mut value = HeaderValue::from_bytes(&self.value(secret)).map_err(|_| {
            let why = format!(
                "the credential `{}` has line breaks or control characters; set it again without them",
                self.used.name
            );
            refused(system, why)
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// As variables of a child's environment.
    pub(crate) fn variables(&self, system: &Name) -> Result<Vec<(String, Zeroizing<String>)>, UpstreamError> {
        match &self.shown.values {
            Values::One(secret) => Ok(vec![self.variable(system, &self.used.target, &self.value(secret))?]),
            Values::Variables(variables) => variables
                .iter()
                .map(|(target, secret)| self.variable(system, target, secret.dangerous_expose()))
                .collect(),
        }
    }

    fn variable(
        &self,
        system: &Name,
        target: &str,
        value: &[u8],
    ) -> Result<(String, Zeroizing<String>), UpstreamError> {
        if target.is_empty() || target.contains(['=', '\0']) || FIXED_VARIABLES.contains(&target) {
            let why = format!("a credential cannot go into the environment variable `{target}`");
            return Err(refused(system, why));
        }
        let value = std::str::from_utf8(value).ok().filter(|value| !value.contains('\0'));
        let Some(value) = value else {
            let why = format!(
                "the credential `{}` is not text, which an environment variable must be",
                self.used.name
            );
            return Err(refused(system, why));
        };
        Ok((target.to_owned(), Zeroizing::new(value.to_owned())))
    }

    /// How many bytes the longest secret has.
    pub(crate) fn bytes(&self) -> usize {
        self.needles.iter().map(|needle| needle.secret.dangerous_expose().len()).max().unwrap_or(0)
    }

    /// Text for people (an error, a log line) without the secret.
    pub(crate) fn mask_text(&self, text: String) -> String {
        self.needles.iter().fold(text, |text, needle| needle.mask_text(text))
    }

    /// A message without the secret; `None` when it had none, which is nearly always. A system that echoes its
    /// credential (an echo or environment tool) would otherwise hand it to the agent.
    pub(crate) fn mask_message(&self, message: &Bytes) -> Option<Bytes> {
        let text = std::str::from_utf8(message).ok()?;
        let found =
            |needle: &&Needle| needle.in_json.as_ref().is_some_and(|escaped| text.contains(escaped.as_str()));
        self.needles.iter().find(found)?;
        let masked = self.needles.iter().filter_map(|needle| needle.in_json.as_ref());
        Some(Bytes::from(masked.fold(text.to_owned(), |text, escaped| text.replace(escaped.as_str(), MASK))))
    }

    fn value(&self, secret: &Secret) -> Zeroizing<Vec<u8>> {
        let secret = secret.dangerous_expose();
        let mut value = Zeroizing::new(Vec::with_capacity(self.used.prefix.len() + secret.len()));
        value.extend_from_slice(self.used.prefix.as_bytes());
        value.extend_from_slice(secret);
        value
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.used == other.used && self.shown == other.shown
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
        Credential::of(&system, Some(&Secret::new(secret.into()).into())).unwrap().unwrap()
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
        assert!(credential("PATH", "s3cret-value").variables(&bank).is_err());
        assert!(credential("TOKEN", "s3cret\0value").variables(&bank).is_err());
    }

    #[test]
    fn several_variables_have_names_of_their_own_and_all_of_them_are_masked() {
        let system: System = serde_json::from_value(serde_json::json!({
            "name": "bank", "description": "", "environment": "production", "revocation_max": 0,
            "connection": {"kind": "mcp-stdio", "command": ["x"]}, "credential": {"name": "k", "target": "URL"},
        }))
        .unwrap();
        let secret = |text: &str| Secret::new(text.into());
        let shown = Shown::variables(vec![
            ("URL".to_owned(), secret("postgres://role:pass-word-1@h/d")),
            ("OTHER".to_owned(), secret("another-secret")),
        ])
        .and_masking(secret("pass-word-1"));
        let credential = Credential::of(&system, Some(&shown)).unwrap().unwrap();
        let bank: Name = "bank".parse().unwrap();
        let names: Vec<String> =
            credential.variables(&bank).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["URL", "OTHER"]);
        assert!(credential.header(&bank).is_err(), "they are no header");
        let said = credential.mask_text("pass-word-1 another-secret postgres://role:pass-word-1@h/d".into());
        assert_eq!(said, "*** *** ***");
        let message = Bytes::from_static(br#"{"a":"pass-word-1","b":"another-secret"}"#);
        assert_eq!(credential.mask_message(&message).unwrap(), r#"{"a":"***","b":"***"}"#);
        assert!(!format!("{shown:?}").contains("secret"));
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
