//! What a form of the console asked for, as text from an address, and addresses that ask for it again.

use serde::de::DeserializeOwned;

/// What could not be read of a form, in words.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// A value of a form: nothing, if it was left empty or says nothing that is known.
    pub(super) fn read<T: DeserializeOwned>(&mut self, label: &str, text: &str) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let value = serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
        if value.is_none() {
            let shown: String = text.chars().take(60).collect();
            self.0.push(format!("“{shown}” is no {label}, and was left out."));
        }
        value
    }

    /// Something else that was left out, and why.
    pub(super) fn say(&mut self, what: String) {
        self.0.push(what);
    }

    /// All of them.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.0
    }
}

/// An address with what is not empty of these.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
        query.append_pair(name, value.trim());
    }
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The ways on from one page of a listing.
pub(super) struct Pager {
    /// The first page, if this is a later one.
    pub(super) first: Option<String>,
    /// The next page, if there is one.
    pub(super) next: Option<String>,
}

impl Pager {
    /// From what was asked, without its cursor, and the cursors.
    pub(super) fn new(path: &str, asked: &[(&str, &str)], cursor: &str, next: Option<&str>) -> Self {
        let with = |next: &str| {
            let mut pairs = asked.to_vec();
            pairs.push(("cursor", next));
            address(path, &pairs)
        };
        Self { first: (!cursor.is_empty()).then(|| address(path, asked)), next: next.map(with) }
    }
}

/// A choice of a form.
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) chosen: bool,
}

/// The choices of a form, the one that was made among them.
pub(super) fn choices(made: &str, all: &[(&'static str, &'static str)]) -> Vec<Choice> {
    let choice =
        |(value, label): &(&'static str, &'static str)| Choice { value, label, chosen: *value == made };
    all.iter().map(choice).collect()
}

/// A cursor that can only be nothing or something.
pub(super) fn cursor(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Rows of one page.
pub(super) const ROWS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_was_asked_and_nothing_else() {
        assert_eq!(address("/a", &[("q", ""), ("s", " ")]), "/a");
        assert_eq!(address("/a", &[("q", "x&y=\"<")]), "/a?q=x%26y%3D%22%3C");
        let pager = Pager::new("/a", &[("q", "x")], "abc", Some("def"));
        assert_eq!(pager.first.as_deref(), Some("/a?q=x"));
        assert_eq!(pager.next.as_deref(), Some("/a?q=x&cursor=def"));
    }

    #[test]
    fn what_is_not_known_is_left_out_and_said() {
        let mut faults = Faults::default();
        assert_eq!(faults.read::<provost_domain::AgentStatus>("state", "nonsense"), None);
        assert!(faults.read::<provost_domain::AgentStatus>("state", "active").is_some());
        assert_eq!(faults.into_lines().len(), 1);
    }
}
