//! Lists: pages as a server sends them, read in bounds; and the same pages showing less, other bytes
//! unchanged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::definition::{DefinitionError, ToolDefinition, shown_name};
use crate::era::{Era, Revision};
use crate::limits::Limits;
use crate::raw::{Object, Raw};
use crate::rewrite::Patch;

/// One page of `tools/list`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The tools that can be used, in the server's order.
    pub tools: Vec<ToolDefinition>,
    /// The tools that cannot, and why. They are not shown and not callable.
    pub unusable: Vec<Unusable>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A tool that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Its name, as far as it has one.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Why a list cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The array is missing.
    #[error("the result needs the array `{0}`")]
    NoArray(&'static str),
    /// Too many tools.
    #[error("the server lists more than {tools_max} tools; raise the limit or split the server")]
    TooManyTools { tools_max: usize },
    /// Too many pages.
    #[error("the list has more than {pages_max} pages; the server may be repeating itself")]
    TooManyPages { pages_max: usize },
    /// A cursor that is not a string, too long, or the same again.
    #[error(
        "the member `nextCursor` must be a string of at most {cursor_bytes_max} bytes that was not given before"
    )]
    BadCursor { cursor_bytes_max: usize },
    /// Not the object it was read as; cannot happen to a result that was read strictly.
    #[error("the list cannot be rewritten: {0}")]
    Rewrite(#[from] crate::rewrite::RewriteError),
}

/// Reads one page. A definition that cannot be used does not spoil the others.
pub fn read_page(result: &Object<'_>, limits: &Limits) -> Result<Page, ListError> {
    let elements =
        result.get("tools").and_then(|tools| tools.as_array()).ok_or(ListError::NoArray("tools"))?;
    if elements.len() > limits.tools_max {
        return Err(ListError::TooManyTools { tools_max: limits.tools_max });
    }
    let mut page = Page { next_cursor: read_cursor(result, limits)?, ..Page::default() };
    for raw in elements {
        match ToolDefinition::read(raw, limits) {
            Ok(tool) => page.tools.push(tool),
            Err(error) => page.unusable.push(unusable(raw, &error)),
        }
    }
    Ok(page)
}

fn unusable(raw: Raw<'_>, error: &DefinitionError) -> Unusable {
    Unusable { name: shown_name(raw), why: error.to_string() }
}

fn read_cursor(result: &Object<'_>, limits: &Limits) -> Result<Option<String>, ListError> {
    let fault = ListError::BadCursor { cursor_bytes_max: limits.cursor_bytes_max };
    match result.get("nextCursor") {
        None => Ok(None),
        Some(raw) if raw.as_str() == "null" => Ok(None),
        Some(raw) => match raw.as_string() {
            Some(cursor) if cursor.len() <= limits.cursor_bytes_max => Ok(Some(cursor.into_owned())),
            _ => Err(fault),
        },
    }
}

/// Gathers all pages of a server's tools within the bounds.
#[derive(Debug)]
pub struct Collector<'l> {
    limits: &'l Limits,
    pages: usize,
    cursors: BTreeSet<String>,
    tools: Vec<ToolDefinition>,
    unusable: Vec<Unusable>,
}

impl<'l> Collector<'l> {
    /// No page yet.
    pub fn new(limits: &'l Limits) -> Collector<'l> {
        Collector { limits, pages: 0, cursors: BTreeSet::new(), tools: Vec::new(), unusable: Vec::new() }
    }

    /// Takes the next page and returns the cursor to ask for, `None` when the list is complete.
    pub fn add(&mut self, result: &Object<'_>) -> Result<Option<String>, ListError> {
        self.pages += 1;
        if self.pages > self.limits.pages_max {
            return Err(ListError::TooManyPages { pages_max: self.limits.pages_max });
        }
        let page = read_page(result, self.limits)?;
        self.tools.extend(page.tools);
        self.unusable.extend(page.unusable);
        if self.tools.len() + self.unusable.len() > self.limits.tools_max {
            return Err(ListError::TooManyTools { tools_max: self.limits.tools_max });
        }
        match page.next_cursor {
            Some(cursor) if !self.cursors.insert(cursor.clone()) => {
                Err(ListError::BadCursor { cursor_bytes_max: self.limits.cursor_bytes_max })
            }
            next => Ok(next),
        }
    }

    /// The usable tools and the others. A name that two definitions share is usable through neither: which
    /// one a call would reach is the server's whim.
    pub fn finish(mut self) -> (Vec<ToolDefinition>, Vec<Unusable>) {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for tool in &self.tools {
            *count.entry(tool.name.clone()).or_default() += 1;
        }
        let (good, twins): (Vec<_>, Vec<_>) =
            self.tools.into_iter().partition(|tool| count.get(&tool.name) == Some(&1));
        self.unusable.extend(twins.into_iter().map(|tool| Unusable {
            name: tool.name,
            why: "the server lists this name more than once".to_owned(),
        }));
        (good, self.unusable)
    }
}

/// The lists that the gateway filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    ResourceTemplates,
}

impl ListKind {
    /// The kind of a list method.
    pub fn of_method(method: &str) -> Option<ListKind> {
        match method {
            "tools/list" => Some(ListKind::Tools),
            "prompts/list" => Some(ListKind::Prompts),
            "resources/list" => Some(ListKind::Resources),
            "resources/templates/list" => Some(ListKind::ResourceTemplates),
            _ => None,
        }
    }

    /// The member of the result that holds the list.
    pub fn member(self) -> &'static str {
        match self {
            ListKind::Tools => "tools",
            ListKind::Prompts => "prompts",
            ListKind::Resources => "resources",
            ListKind::ResourceTemplates => "resourceTemplates",
        }
    }
}

/// What becomes of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is left out.
    No,
    /// It stays as it is.
    AsIs,
    /// It stays under this name.
    Named(String),
}

/// The same result with some elements left out or renamed. Other bytes stay; towards a modern client it
/// leaves with `ttlMs: 0` and `cacheScope: "private"`, since what a caller sees depends on who asks
/// (2026-07-28, Caching).
pub fn filter(
    result: &Object<'_>,
    kind: ListKind,
    revision: Revision,
    mut keep: impl FnMut(&Object<'_>) -> Keep,
) -> Result<String, ListError> {
    let member = kind.member();
    let list = result.get(member).ok_or(ListError::NoArray(member))?;
    let spans = list.element_spans().ok_or(ListError::NoArray(member))?;
    let text = list.as_str();
    let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let (mut from, mut written) = (0usize, 0usize);
    for (i, span) in spans.iter().enumerate() {
        let element = list.slice(span.clone()).and_then(|raw| raw.as_object());
        let decided = element.as_ref().map_or(Keep::No, &mut keep);
        let renamed = match (&decided, &element) {
            (Keep::Named(name), Some(object)) => {
                Some(Patch::new().set(&["name"], &Value::from(name.as_str())).apply(object.raw())?)
            }
            (Keep::AsIs, _) => None,
            _ => {
                if i == 0 {
                    out.push('[');
                }
                from = span.end;
                continue;
            }
        };
        let lead = piece(from, span.start);
        let unseparated = || lead.trim_start_matches([' ', '\n', '\r', '\t']).trim_start_matches(',');
        out.push_str(if i > 0 && written == 0 { unseparated() } else { lead });
        out.push_str(renamed.as_deref().unwrap_or_else(|| piece(span.start, span.end)));
        from = span.end;
        written += 1;
    }
    out.push_str(piece(from, text.len()));
    let patch = Patch::new().set_raw(&[member], Raw::trusted(&out));
    Ok(private(patch, revision).apply(result.raw())?)
}

fn private(patch: Patch, revision: Revision) -> Patch {
    match revision.era() {
        Era::Legacy => patch,
        Era::Modern => patch.set(&["ttlMs"], &json!(0)).set(&["cacheScope"], &json!("private")),
    }
}

/// A list result made of definitions from several servers, for the address where all systems are seen at
/// once.
pub fn write_tools<'t>(definitions: impl IntoIterator<Item = &'t str>, revision: Revision) -> String {
    let tools = definitions.into_iter().collect::<Vec<_>>().join(",");
    match revision.era() {
        Era::Legacy => format!(r#"{{"tools":[{tools}]}}"#),
        Era::Modern => {
            format!(r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":0,"cacheScope":"private"}}"#)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict;

    fn object(text: &str) -> Object<'_> {
        strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap()
    }

    const LIST: &str = r#"{ "tools" : [ {"name":"a","x":1.0} , {"x":"\u00e9","name" : "b"},{"name":"c"} ], "nextCursor":"n", "extra":[ 1] }"#;

    fn keep_only<'k>(names: &'k [&'k str]) -> impl FnMut(&Object<'_>) -> Keep + 'k {
        |tool| if names.contains(&tool.string("name").unwrap().as_ref()) { Keep::AsIs } else { Keep::No }
    }

    #[test]
    fn a_filtered_list_keeps_the_bytes_of_what_stays() {
        let rows: [(&[&str], &str); 5] = [
            (&["a", "b", "c"], LIST),
            (&["b"], r#"{ "tools" : [ {"x":"\u00e9","name" : "b"} ], "nextCursor":"n", "extra":[ 1] }"#),
            (
                &["a", "c"],
                r#"{ "tools" : [ {"name":"a","x":1.0},{"name":"c"} ], "nextCursor":"n", "extra":[ 1] }"#,
            ),
            (&["c"], r#"{ "tools" : [{"name":"c"} ], "nextCursor":"n", "extra":[ 1] }"#),
            (&[], r#"{ "tools" : [ ], "nextCursor":"n", "extra":[ 1] }"#),
        ];
        for (names, expected) in rows {
            let out =
                filter(&object(LIST), ListKind::Tools, Revision::V2025_11_25, keep_only(names)).unwrap();
            assert_eq!(out, expected);
            object(&out);
        }
    }

    /// 2026-07-28, Caching: a list that depends on the caller is private.
    #[test]
    fn a_filtered_list_is_private_and_stale_at_once() {
        let public = r#"{"resultType":"complete","tools":[],"ttlMs":60000,"cacheScope":"public"}"#;
        let out = filter(&object(public), ListKind::Tools, Revision::V2026_07_28, keep_only(&[])).unwrap();
        assert_eq!(out, r#"{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"private"}"#);
        let bare =
            filter(&object(r#"{"prompts":[]}"#), ListKind::Prompts, Revision::V2026_07_28, keep_only(&[]))
                .unwrap();
        assert_eq!(bare, r#"{"prompts":[],"ttlMs":0,"cacheScope":"private"}"#);
    }

    #[test]
    fn what_is_not_an_object_is_not_shown() {
        let text = r#"{"tools":[7,{"name":"a"},null]}"#;
        let out = filter(&object(text), ListKind::Tools, Revision::V2025_11_25, keep_only(&["a"])).unwrap();
        assert_eq!(out, r#"{"tools":[{"name":"a"}]}"#);
    }

    #[test]
    fn one_bad_definition_does_not_spoil_the_page() {
        let text = r#"{"tools":[{"name":"a","inputSchema":{}},{"name":"b"},{"name":"c","inputSchema":{}}],"nextCursor":null}"#;
        let page = read_page(&object(text), &Limits::default()).unwrap();
        assert_eq!(page.tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(page.unusable.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(page.next_cursor, None);
    }

    #[test]
    fn pages_tools_and_cursors_are_bounded() {
        let limits = Limits { tools_max: 3, pages_max: 3, cursor_bytes_max: 4, ..Limits::default() };
        let page = |names: &[&str], cursor: &str| {
            let tools: Vec<String> =
                names.iter().map(|n| format!(r#"{{"name":"{n}","inputSchema":{{}}}}"#)).collect();
            format!(r#"{{"tools":[{}],"nextCursor":{cursor}}}"#, tools.join(","))
        };
        let run = |pages: &[String]| {
            let mut collector = Collector::new(&limits);
            pages.iter().try_for_each(|p| collector.add(&object(p)).map(drop)).map(|()| collector.finish())
        };
        let bad_cursor = Err(ListError::BadCursor { cursor_bytes_max: 4 });
        let too_many = Err(ListError::TooManyTools { tools_max: 3 });
        assert_eq!(run(&[page(&["a"; 4], "null")]), too_many);
        assert_eq!(run(&[page(&["a", "b"], "\"1\""), page(&["c", "d"], "null")]), too_many);
        assert_eq!(run(&[page(&[], "\"1\""), page(&[], "\"1\"")]), bad_cursor);
        assert_eq!(run(&[page(&[], "\"12345\"")]), bad_cursor);
        assert_eq!(run(&[page(&[], "7")]), bad_cursor);
        let many: Vec<String> = (0..4).map(|i| page(&[], &format!("\"{i}\""))).collect();
        assert_eq!(run(&many), Err(ListError::TooManyPages { pages_max: 3 }));
        assert_eq!(run(&["{\"tools\":{}}".to_owned()]), Err(ListError::NoArray("tools")));
    }

    #[test]
    fn a_name_listed_twice_is_usable_through_neither() {
        let text = r#"{"tools":[{"name":"a","inputSchema":{}},{"name":"b","inputSchema":{}},{"name":"a","inputSchema":{"x":1}}]}"#;
        let limits = Limits::default();
        let mut collector = Collector::new(&limits);
        assert_eq!(collector.add(&object(text)).unwrap(), None);
        let (good, bad) = collector.finish();
        assert_eq!(good.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(bad.len(), 2);
    }
}
