//! A small map from text: one sorted piece of memory, shared by everybody who says the same.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A map with few members and text for keys, in JSON an object. A plane holds one or two for each of perhaps a million
/// agents, so there is no room for members that may come, and cloning copies a pointer.
///
/// Not `litemap`: that one writes an empty map as `[]` and reads lists of pairs for maps.
pub struct TextMap<V: ?Sized>(
    /// Keys ascending, none twice.
    Arc<[(Arc<str>, Arc<V>)]>,
);

impl<V: ?Sized> TextMap<V> {
    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        let place = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value.as_ref())
    }

    /// Whether there is something under a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Every member, keys ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Every key, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map itself, to be shared.
    pub(crate) fn whole(&self) -> &Arc<[(Arc<str>, Arc<V>)]> {
        &self.0
    }

    /// The map itself, to be put in the place of. Keys are to stay sorted.
    pub(crate) fn whole_mut(&mut self) -> &mut Arc<[(Arc<str>, Arc<V>)]> {
        &mut self.0
    }
}

impl<V: Clone> TextMap<V> {
    /// Every member with its value to change; what others share is copied first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut V)> {
        Arc::make_mut(&mut self.0).iter_mut().map(|(key, value)| (&**key, Arc::make_mut(value)))
    }
}

impl<V: ?Sized, K: Into<Arc<str>>, W: Into<Arc<V>>> FromIterator<(K, W)> for TextMap<V> {
    /// The last of several members with the same key counts.
    fn from_iter<I: IntoIterator<Item = (K, W)>>(members: I) -> Self {
        let sorted: BTreeMap<Arc<str>, Arc<V>> =
            members.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self(sorted.into_iter().collect())
    }
}

impl<V: ?Sized> Default for TextMap<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V: ?Sized> Clone for TextMap<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: ?Sized + Eq> PartialEq for TextMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V: ?Sized + Eq> Eq for TextMap<V> {}

impl<V: ?Sized + Hash> Hash for TextMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<V: ?Sized + fmt::Debug> fmt::Debug for TextMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V: ?Sized + Serialize> Serialize for TextMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: ?Sized> Deserialize<'de> for TextMap<V>
where
    Arc<V>: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<Arc<str>, Arc<V>>::deserialize(deserializer).map(|map| map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_reads_writes_and_finds_like_the_map_of_the_standard_library(
            members in prop::collection::vec(("[a-c]{0,2}", any::<u8>()), 0..8),
        ) {
            let plain: BTreeMap<String, u8> = members.iter().cloned().collect();
            let small: TextMap<u8> = members.iter().cloned().collect();
            prop_assert_eq!(serde_json::to_string(&small).unwrap(), serde_json::to_string(&plain).unwrap());
            prop_assert_eq!(serde_json::from_value::<TextMap<u8>>(serde_json::json!(plain)).unwrap(), small.clone());
            prop_assert_eq!(format!("{small:?}"), format!("{plain:?}"));
            for key in ["", "a", "b", "ab", "cc", "d"] {
                prop_assert_eq!(small.get(key), plain.get(key));
                prop_assert_eq!(small.contains_key(key), plain.contains_key(key));
            }
        }
    }

    #[test]
    fn an_empty_map_is_an_object_and_a_list_is_none() {
        assert_eq!(serde_json::to_string(&TextMap::<str>::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<TextMap<str>>("[]").is_err());
        assert!(serde_json::from_str::<TextMap<str>>(r#"[["a", "b"]]"#).is_err());
    }

    #[test]
    fn a_change_leaves_copies_as_they_were() {
        let mut map: TextMap<u8> = [("a", 1), ("b", 2)].into_iter().collect();
        let copy = map.clone();
        map.iter_mut().for_each(|(_, value)| *value += 1);
        assert_eq!((copy.get("a"), map.get("a"), map.get("b")), (Some(&1), Some(&2), Some(&3)));
    }
}
