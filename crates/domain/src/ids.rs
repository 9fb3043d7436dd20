//! Typed ids with a visible kind: `task_06bqk…`. Passing one for another does not compile.
//!
//! An id is a UUIDv7 (RFC 9562 section 5.7) printed as 26 Crockford base-32 characters, so that ids sort by the
//! time they were made. Clock and random bytes are handed in.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, hash::Hash, marker::PhantomData, str::FromStr};
use uuid::Uuid;

use crate::Timestamp;

/// The kind of thing an id names, and the prefix it prints with.
pub trait IdKind: Send + Sync + 'static {
    /// Lower-case ASCII, printed before the underscore.
    const PREFIX: &'static str;
}

/// An id of one kind.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident, $kind:ident, $prefix:literal;)*) => {$(
        #[doc = concat!("Marks ids printed `", $prefix, "_…`.")]
        #[derive(Debug)]
        pub enum $kind {}
        impl IdKind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// Names one decision, for ever: in the refusal, the ledger, `provost why`.
    DecisionId, DecisionKind, "decision";
    /// Names one task of one agent.
    TaskId, TaskKind, "task";
    /// Names one change of the organisation.
    ChangeId, ChangeKind, "change";
    /// Names one running node of the plane.
    NodeId, NodeKind, "node";
    /// Names one agent, for ever, whatever its name.
    AgentId, AgentKind, "agent";
}

impl<K: IdKind> Id<K> {
    /// Makes an id from the present moment and ten random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self {
            uuid: uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
            kind: PhantomData,
        }
    }

    /// The sixteen bytes of the UUID, for compact storage.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.uuid.as_bytes()
    }

    /// Back from sixteen stored bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { uuid: Uuid::from_bytes(bytes), kind: PhantomData }
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.uuid.as_u128();
        let mut text = [0_u8; TEXT_LEN];
        for (place, slot) in text.iter_mut().enumerate() {
            let shift = 5 * (TEXT_LEN - 1 - place);
            let five_bits = usize::try_from((value >> shift) & 31).unwrap_or(0);
            *slot = ALPHABET.get(five_bits).copied().unwrap_or(b'0');
        }
        write!(f, "{}_{}", K::PREFIX, str::from_utf8(&text).unwrap_or_default())
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { wanted: K::PREFIX, found: text.chars().take(64).collect() };
        let digits =
            text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or_else(error)?;
        if digits.len() != TEXT_LEN {
            return Err(error());
        }
        let mut value: u128 = 0;
        for byte in digits.bytes() {
            let digit = ALPHABET.iter().position(|letter| *letter == byte).ok_or_else(error)?;
            // 26 digits carry 130 bits; the first may only use three of its five.
            if value >> 123 != 0 {
                return Err(error());
            }
            value = (value << 5) | digit as u128;
        }
        Ok(Self { uuid: Uuid::from_u128(value), kind: PhantomData })
    }
}

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {wanted} id: it should read {wanted}_ and 26 letters or digits")]
pub struct IdError {
    wanted: &'static str,
    found: String,
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Written by hand, since a derive would ask the same of the kind.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::parsed::deserialize(deserializer)
    }
}

const TEXT_LEN: usize = 26;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_as_it_prints(bytes: [u8; 16]) {
            let id = TaskId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<TaskId>().unwrap(), id);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,40}") {
            let _ = text.parse::<TaskId>();
        }
    }

    #[test]
    fn ids_sort_by_the_moment_they_were_made() {
        let early = DecisionId::new(Timestamp::from_millis(1_000), [255; 10]);
        let late = DecisionId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let id = TaskId::new(Timestamp::from_millis(5), [1; 10]).to_string();
        assert!(id.parse::<DecisionId>().unwrap_err().to_string().contains("not a decision id"));
        assert!("task_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<TaskId>().is_err(), "more than 128 bits");
    }
}
