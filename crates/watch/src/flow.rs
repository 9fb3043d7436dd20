//! What goes along in the arguments: links, and data with a label.

use crate::{
    memory::Memory,
    trace::values,
    words::{Key, Phrase},
};
use provost_domain::{Label, Tool};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The URLs and addresses in a text: with a scheme, with `www.`, mail addresses, and bare hosts of common domains.
pub fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| char.is_whitespace() || "<>\"'()[]{}|`,;".contains(char))
        .map(|piece| piece.trim_matches(|char: char| !char.is_alphanumeric()))
        .filter(|piece| is_link(piece))
}

fn is_link(piece: &str) -> bool {
    if !piece.contains('.') || piece.len() > LINK_BYTES_MAX {
        return false;
    }
    if piece.contains("://") || piece.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
        return true;
    }
    if let Some((local, domain)) = piece.split_once('@') {
        return !local.is_empty() && domain.contains('.');
    }
    let host = host(piece).unwrap_or_default();
    let top = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    COMMON_TOPS.contains(&top.as_str()) && host.len() > top.len() + 1
}

/// A URL without its scheme.
pub(crate) fn without_scheme(link: &str) -> &str {
    let after = link.split_once("://").map_or(link, |(_, after)| after);
    link.strip_prefix("mailto:").unwrap_or(after).trim_end_matches('/')
}

/// The host of a URL; the domain of an address is none, since anybody may be at it.
pub(crate) fn host(link: &str) -> Option<&str> {
    let bare = without_scheme(link);
    let authority = bare.split(['/', '?', '#']).next()?;
    if !link.contains("://") && authority.contains('@') {
        return None;
    }
    let host = authority.rsplit('@').next()?;
    Some(host.split(':').next().unwrap_or(host)).filter(|host| host.contains('.'))
}

/// Notes what is notable in a value of labelled data: the value itself if it is short, and words that are like numbers.
pub(crate) fn note(key: &Key, notable: &mut BTreeSet<Phrase>, text: &str) {
    let mut put = |run: Phrase| {
        if run.bytes >= NOTABLE_BYTES_MIN && notable.len() < NOTABLE_MAX {
            notable.insert(run);
        }
    };
    let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
    if text.len() <= NOTABLE_TEXT_BYTES_MAX && (has_digit(text) || text.contains('@')) {
        put(key.phrase(text));
    }
    for word in text.split_whitespace().filter(|word| has_digit(word)) {
        put(key.phrase(word));
    }
}

/// Labels of data that the arguments hold, of everything the task has read.
pub(crate) fn carried(memory: &Memory, tool: &Tool, args: &Map<String, Value>) -> BTreeSet<Label> {
    let mut by_length: BTreeMap<u32, BTreeMap<u64, &Label>> = BTreeMap::new();
    for (label, runs) in memory.chunks.values().flat_map(|chunk| &chunk.private) {
        for run in runs {
            by_length.entry(run.bytes).or_default().insert(run.print, label);
        }
    }
    let mut carried = BTreeSet::new();
    if by_length.is_empty() {
        return carried;
    }
    for value in tool.steering.carries.iter().flat_map(|path| values(args, path)) {
        // What the requester said themselves is theirs to send.
        let words = memory.key.words(&crate::words::plain(&value.text), CARRIED_WORDS_MAX);
        for (bytes, prints) in &by_length {
            let is_news = |print: u64| {
                prints.contains_key(&print)
                    && memory.asked.field_of(&memory.key, Phrase { print, bytes: *bytes }).is_none()
            };
            let mut found = None;
            memory.key.find_any(*bytes, &words, |print| {
                let news = is_news(print);
                if news {
                    found = prints.get(&print).copied();
                }
                news
            });
            carried.extend(found.cloned());
        }
    }
    carried
}

const LINK_BYTES_MAX: usize = 2_048;
const COMMON_TOPS: [&str; 16] = [
    "com", "net", "org", "io", "info", "biz", "app", "dev", "co", "de", "fr", "uk", "ru", "cn", "xyz", "site",
];
const NOTABLE_BYTES_MIN: u32 = 6;
const NOTABLE_TEXT_BYTES_MAX: usize = 80;
const NOTABLE_MAX: usize = 1_024;
const CARRIED_WORDS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_as_people_write_them() {
        let text = "See www.evil-site.com/x, [here](https://a.example/b?c=1)! or mail bob@corp.example; \
                    not feedback.xlsx, e.g. this. Also evil-site.com.";
        let found: Vec<&str> = links(text).collect();
        assert_eq!(
            found,
            ["www.evil-site.com/x", "https://a.example/b?c=1", "bob@corp.example", "evil-site.com"]
        );
    }

    #[test]
    fn the_host_of_a_link_is_where_it_goes() {
        let table = [
            ("https://user@evil.example:8080/x", Some("evil.example")),
            ("www.a.example", Some("www.a.example")),
            ("bob@corp.example", None),
            ("plain", None),
        ];
        for (link, wanted) in table {
            assert_eq!(host(link), wanted, "{link}");
        }
    }
}
