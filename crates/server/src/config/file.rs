//! `provost.toml` as it was written: each key read by its kind, every fault with its line, every key nobody knows
//! named with the one that was probably meant.

use provost_api::problem::{Fault, Severity};
use provost_domain::{DurationMs, Environment, limits::Limits};
use provost_token::Algorithm;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What the file says; nothing where it is silent.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub listen: Option<String>,
    pub public_url: Option<String>,
    pub public_names: Vec<String>,
    pub data: Option<PathBuf>,
    pub store: Option<String>,
    pub store_password_file: Option<PathBuf>,
    pub token_lifetime_max: Option<DurationMs>,
    pub bound_tokens: Option<BTreeSet<Environment>>,
    pub token_algorithm: Option<Algorithm>,
    pub signal_algorithm: Option<Algorithm>,
    pub drain_max: Option<DurationMs>,
    pub sequence_every: Option<DurationMs>,
    pub system_hosts: Option<BTreeSet<String>>,
    pub system_proxy: Option<String>,
    pub system_private_hosts: BTreeSet<String>,
    pub system_loopback: Option<bool>,
    pub limits: Option<Limits>,
}

/// Reads the text of a configuration file.
pub(super) fn read(path: &Path, text: &str) -> (Found, Vec<Fault>) {
    let mut desk = Desk { file: path.display().to_string(), text, faults: Vec::new() };
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        desk.fault(error.span().unwrap_or(0..0), format!("not valid TOML: {}", error.message()), None);
    }
    let mut root = Table::new(tree.get_ref(), "the configuration");
    let mut found = Found {
        listen: root.text("listen", &mut desk),
        public_url: root.text("public_url", &mut desk),
        public_names: root.texts("public_names", &mut desk).unwrap_or_default(),
        data: root.text("data", &mut desk).map(PathBuf::from),
        store: root.text("store", &mut desk),
        store_password_file: root.text("store_password_file", &mut desk).map(PathBuf::from),
        token_lifetime_max: root.span("token_lifetime_max", &mut desk),
        bound_tokens: root.environments("bound_tokens", &mut desk),
        token_algorithm: root.algorithm("token_algorithm", TOKENS, &mut desk),
        signal_algorithm: root.algorithm("signal_algorithm", SIGNALS, &mut desk),
        drain_max: root.span("drain_max", &mut desk),
        ..Found::default()
    };
    if let Some(mut journal) = root.table("journal", &mut desk) {
        found.sequence_every = journal.span("sequence_every", &mut desk);
        journal.finish(&mut desk);
    }
    if let Some(mut systems) = root.table("systems", &mut desk) {
        found.system_hosts = systems.texts("hosts", &mut desk).map(|hosts| hosts.into_iter().collect());
        found.system_proxy = systems.text("proxy", &mut desk);
        let private = systems.texts("private_hosts", &mut desk).unwrap_or_default();
        found.system_private_hosts = private.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        found.system_loopback = systems.boolean("loopback", &mut desk);
        systems.finish(&mut desk);
    }
    if let Some(limits) = root.table("limits", &mut desk) {
        found.limits = read_limits(limits, &mut desk);
    }
    root.finish(&mut desk);
    (found, desk.faults)
}

/// The members of [`Limits`] are the keys; those that are lengths of time are written as such.
fn read_limits(mut table: Table<'_>, desk: &mut Desk<'_>) -> Option<Limits> {
    let Ok(Value::Object(defaults)) = serde_json::to_value(Limits::default()) else { return None };
    let mut set = Map::new();
    for name in defaults.keys() {
        let value = match SPANS.contains(&name.as_str()) {
            true => table.span(name, desk).map(|span| span.0),
            false => table.count(name, desk),
        };
        if let Some(value) = value {
            set.insert(name.clone(), Value::from(value));
        }
    }
    table.finish(desk);
    serde_json::from_value(Value::Object(set)).ok()
}

/// Where faults are gathered.
struct Desk<'t> {
    file: String,
    text: &'t str,
    faults: Vec<Fault>,
}

impl Desk<'_> {
    fn fault(&mut self, at: Range<usize>, what: String, cure: Option<String>) {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        self.faults.push(Fault {
            severity: Severity::Error,
            file: Some(self.file.clone()),
            line: Some(line),
            column: Some(column),
            width: None,
            // The line could hold a password.
            excerpt: None,
            what,
            cure,
        });
    }
}

/// A table, and the keys it was asked for.
struct Table<'t> {
    entries: &'t DeTable<'t>,
    what: &'static str,
    asked: BTreeSet<String>,
}

impl<'t> Table<'t> {
    fn new(entries: &'t DeTable<'t>, what: &'static str) -> Self {
        Self { entries, what, asked: BTreeSet::new() }
    }

    fn get(&mut self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.insert(key.to_owned());
        self.entries.get(key)
    }

    fn text(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<String> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            desk.fault(value.span(), format!("`{key}` must be text"), Some("write it in quotes".to_owned()));
        }
        text
    }

    fn texts(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let list = value.get_ref().as_array();
        let texts = list
            .and_then(|list| list.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            desk.fault(
                value.span(),
                format!("`{key}` must be a list of texts"),
                Some("write [\"a\", \"b\"]".to_owned()),
            );
        }
        texts
    }

    fn environments(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<BTreeSet<Environment>> {
        let words = self.texts(key, desk)?;
        let known = |word: &String| Environment::ALL.iter().find(|known| known.as_str() == word).copied();
        let read: Option<BTreeSet<Environment>> = words.iter().map(known).collect();
        if read.is_none() {
            let cure = "name some of sandbox, staging, production; or none: []".to_owned();
            desk.fault(0..0, format!("`{key}` names an environment that does not exist"), Some(cure));
        }
        read
    }

    /// One of those that are signed with here.
    fn algorithm(&mut self, key: &str, known: &[Algorithm], desk: &mut Desk<'_>) -> Option<Algorithm> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        let found = text.and_then(|text| known.iter().copied().find(|alg| alg.as_str() == text));
        if found.is_none() {
            let words: Vec<String> = known.iter().map(|alg| format!("\"{alg}\"")).collect();
            let cure = format!("write {key} = {}", words.join(" or "));
            desk.fault(value.span(), format!("`{key}` names no algorithm that is signed with"), Some(cure));
        }
        found
    }

    fn span(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<DurationMs> {
        let value = self.get(key)?;
        let span = value.get_ref().as_str().and_then(|text| DurationMs::parse(text).ok());
        if span.is_none() {
            let cure = "write a whole number and a unit, such as \"250ms\", \"10s\", \"15m\", \"24h\"";
            desk.fault(value.span(), format!("`{key}` must be a length of time"), Some(cure.to_owned()));
        }
        span
    }

    fn boolean(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<bool> {
        let value = self.get(key)?;
        let is = value.get_ref().as_bool();
        if is.is_none() {
            let cure = format!("write {key} = true or {key} = false");
            desk.fault(value.span(), format!("`{key}` must be true or false"), Some(cure));
        }
        is
    }

    fn count(&mut self, key: &str, desk: &mut Desk<'_>) -> Option<u64> {
        let value = self.get(key)?;
        let number = value.get_ref().as_integer();
        let count = number.and_then(|n| u64::from_str_radix(&n.as_str().replace('_', ""), n.radix()).ok());
        let count = count.filter(|n| (1..=COUNT_MAX).contains(n));
        if count.is_none() {
            let cure = format!("write a whole number from 1 to {COUNT_MAX}");
            desk.fault(value.span(), format!("`{key}` must be a count"), Some(cure));
        }
        count
    }

    fn table(&mut self, key: &'static str, desk: &mut Desk<'_>) -> Option<Table<'t>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(entries) => Some(Table::new(entries, key)),
            None => {
                desk.fault(value.span(), format!("`{key}` must be a table"), Some(format!("write [{key}]")));
                None
            }
        }
    }

    /// Every key nobody asked for is a fault.
    fn finish(self, desk: &mut Desk<'_>) {
        let known: BTreeMap<_, _> =
            self.entries.iter().map(|(key, value)| (key.get_ref().as_ref(), (key, value))).collect();
        for (name, (key, value)) in known {
            if self.asked.contains(name) {
                continue;
            }
            let near = self.asked.iter().min_by_key(|asked| strsim::levenshtein(asked, name));
            let near = near.filter(|asked| strsim::levenshtein(asked, name) <= NEAR_EDITS_MAX);
            let cure = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of: {}", self.asked.iter().cloned().collect::<Vec<_>>().join(", ")),
            };
            let at = if key.span().is_empty() { value.span() } else { key.span() };
            desk.fault(at, format!("unknown key `{name}` in {}", self.what), Some(cure));
        }
    }
}

const SPANS: [&str; 4] = ["upstream_idle_max", "call_duration_max", "stream_quiet_max", "staleness_max"];
const COUNT_MAX: u64 = 1 << 40;
const NEAR_EDITS_MAX: usize = 3;

/// Of access tokens: those that everybody who is not us can be expected to verify.
const TOKENS: &[Algorithm] = &[Algorithm::EdDsa, Algorithm::Es256];
/// Of security events: the same, and what the CAEP interoperability profile asks for.
const SIGNALS: &[Algorithm] = &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set_and_no_length_of_time_is_taken_for_a_count() {
        let Value::Object(defaults) = serde_json::to_value(Limits::default()).unwrap() else { panic!() };
        let mut text = "[limits]\n".to_owned();
        for name in defaults.keys() {
            let value = if SPANS.contains(&name.as_str()) { "\"3s\"" } else { "3" };
            text.push_str(&format!("{name} = {value}\n"));
        }
        let (found, faults) = read(Path::new("provost.toml"), &text);
        assert!(faults.is_empty(), "{faults:?}");
        let limits = found.limits.unwrap();
        assert_eq!((limits.staleness_max.0, limits.body_bytes_max), (3_000, 3));
        for span in SPANS {
            assert!(defaults.contains_key(span), "{span}");
        }
    }
}
