//! Which operation a request is: method and decoded path against the rules that were reviewed.

use super::target::Target;
use provost_domain::{Directory, Name, RequestRule, Tool, ToolName, request::Method};
use std::sync::Arc;

/// An operation, and the arguments that stand in the path.
pub(super) struct Routed {
    pub tool: Arc<Tool>,
    pub rule: RequestRule,
    pub captured: Vec<(String, String)>,
}

/// The operation of a system that this is; nothing when nobody declared one, or when two could be meant.
pub(super) fn find(directory: &Directory, system: &Name, method: Method, target: &Target) -> Option<Routed> {
    let mut best: Option<Routed> = None;
    let mut tied = false;
    for tool in directory.tools_of(system) {
        let Some(rule) = &tool.request else { continue };
        let Some(captured) = rule.line.captures(method, &target.segments, target.ends_in_slash) else {
            continue;
        };
        let order = best.as_ref().map(|best| rule.line.precedence().cmp(&best.rule.line.precedence()));
        match order {
            Some(std::cmp::Ordering::Less) => continue,
            Some(std::cmp::Ordering::Equal) => tied = true,
            Some(std::cmp::Ordering::Greater) | None => tied = false,
        }
        let captured = captured.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        best = Some(Routed { tool: Arc::clone(tool), rule: rule.clone(), captured });
    }
    best.filter(|_| !tied)
}

/// What a request that is no declared operation is called on the record: `GET/orders/7`, with `_` for what a tool's
/// name cannot hold.
pub(super) fn nameless(method: &str, target: &Target) -> Option<ToolName> {
    let path = target.segments.iter().map(|segment| format!("/{segment}"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let name = std::iter::once(method.to_owned()).chain(path).collect::<String>();
    let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).take(NAME_CHARS_MAX).collect();
    name.parse().ok()
}

const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::Object;
    use serde_json::json;

    fn directory(rules: &[(&str, &str)]) -> Directory {
        let mut directory = Directory::default();
        for (name, line) in rules {
            let tool = json!({"system": "shop", "name": name, "pin": provost_domain::Digest::of(b""),
                "request": {"line": line}});
            directory.put(Object::Tool(serde_json::from_value(tool).unwrap()));
        }
        directory
    }

    fn found(directory: &Directory, method: Method, path: &str) -> Option<String> {
        let target = super::super::target::read(path, None).unwrap();
        find(directory, &"shop".parse().unwrap(), method, &target).map(|routed| routed.tool.name.to_string())
    }

    #[test]
    fn a_request_is_the_most_literal_rule_that_fits_and_nothing_else() {
        let rules = [
            ("a", "GET /orders/{id}"),
            ("b", "GET /orders/search"),
            ("c", "DELETE /orders/{id}"),
            ("d", "GET /{x}/search"),
        ];
        let directory = directory(&rules);
        for (method, path, wanted) in [
            (Method::Get, "/orders/7", Some("a")),
            (Method::Get, "/orders/search", Some("b")),
            (Method::Get, "/orders/%73earch", Some("b")),
            (Method::Get, "/things/search", Some("d")),
            (Method::Delete, "/orders/search", Some("c")),
            (Method::Head, "/orders/7", None),
            (Method::Get, "/orders/7/", None),
            (Method::Get, "/orders", None),
            (Method::Get, "/ORDERS/7", None),
            (Method::Post, "/orders/7", None),
        ] {
            assert_eq!(found(&directory, method, path).as_deref(), wanted, "{method:?} {path}");
        }
    }

    #[test]
    fn a_request_that_two_rules_mean_is_nobodys() {
        let directory =
            directory(&[("a", "GET /orders/{id}"), ("b", "GET /orders/{name}"), ("c", "GET /orders/x")]);
        assert_eq!(found(&directory, Method::Get, "/orders/7"), None);
        assert_eq!(found(&directory, Method::Get, "/orders/x").as_deref(), Some("c"));
    }

    #[test]
    fn what_was_not_declared_still_has_a_name_on_the_record() {
        let target = super::super::target::read("/a b/ü/{x}", None).unwrap();
        assert_eq!(nameless("GET", &target).unwrap().as_str(), "GET/a_b/_/_x_");
    }
}
