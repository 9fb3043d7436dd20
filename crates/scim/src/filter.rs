//! Filters (RFC 7644 section 3.4.2.2): read once, with bounds, against the schema; asked of any number of resources.
//!
//! `not` binds closest, then `and`, then `or`. Of a list it is enough that one value fits. What is not there is equal to
//! nothing, so that `ne` is true of it.

use crate::{
    Attribute, Attributes, Fault, ResourceType,
    compare::{self, Operator},
    fault::clip,
    lexer::Cursor,
    path::{Named, Path, named},
};
use serde_json::Value;

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one of these.
    All(Vec<Filter>),
    /// Any of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// One comparison.
    Test {
        /// Of what.
        path: Path,
        /// How.
        operator: Operator,
        /// With what; nothing, if it is only whether there is something.
        wanted: Value,
    },
    /// Any value of a list of which this is true.
    Each {
        /// The list.
        path: Path,
        /// What is asked of each.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `invalidFilter`, with what is wrong.
    pub fn parse(kind: &ResourceType, text: &str) -> Result<Self, Fault> {
        if text.len() > BYTES_MAX {
            return Err(Fault::filter(format!("a filter has at most {BYTES_MAX} bytes")));
        }
        let mut reader = Reader { scope: Scope::Resource(kind), terms: 0 };
        let mut cursor = Cursor::new(text);
        let filter = reader.any(&mut cursor, 0)?;
        if !cursor.is_done() {
            return Err(Fault::filter(format!("the filter goes on after its end: {}", clip(cursor.rest()))));
        }
        Ok(filter)
    }

    /// Whether a resource, or one value of a list, fits.
    #[must_use]
    pub fn matches(&self, attributes: &Attributes) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(attributes)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(attributes)),
            Self::Not(filter) => !filter.matches(attributes),
            Self::Each { path, filter } => {
                let objects = match path.find(attributes) {
                    Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).collect(),
                    Some(Value::Object(one)) => vec![one],
                    _ => Vec::new(),
                };
                objects.into_iter().any(|object| filter.matches(object))
            }
            Self::Test { path, operator: Operator::Pr, .. } => match path.member {
                Some(_) => path.values(attributes).into_iter().any(compare::is_present),
                None => path.find(attributes).is_some_and(compare::is_present),
            },
            Self::Test { path, operator, wanted } => {
                let values = path.values(attributes);
                match (operator, wanted.is_null(), values.is_empty()) {
                    (Operator::Eq, true, nothing) => return nothing,
                    (Operator::Ne, true, nothing) => return !nothing,
                    (Operator::Ne, false, true) => return true,
                    (_, true, _) | (_, _, true) => return false,
                    _ => {}
                }
                values.into_iter().any(|have| compare::fits(path.last(), *operator, have, wanted))
            }
        }
    }

    /// What an attribute must be equal to for this to be true, if it must: by that, a resource is found at once.
    #[must_use]
    pub fn equal(&self, name: &str) -> Option<&str> {
        match self {
            Self::Test { path, operator: Operator::Eq, wanted }
                if path.extension.is_none() && path.attribute.name == name && path.member.is_none() =>
            {
                wanted.as_str()
            }
            Self::All(all) => all.iter().find_map(|filter| filter.equal(name)),
            _ => None,
        }
    }

    /// Whether an attribute is asked about.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().any(|filter| filter.mentions(name)),
            Self::Not(filter) => filter.mentions(name),
            Self::Test { path, .. } | Self::Each { path, .. } => path.attribute.name == name,
        }
    }

    /// The members that a value must have, if this only says what they are equal to: of such a filter a value can be made.
    pub(crate) fn equals(&self) -> Option<Vec<(&'static Attribute, Value)>> {
        match self {
            Self::Test { path, operator: Operator::Eq, wanted } if !wanted.is_null() => {
                Some(vec![(path.attribute, wanted.clone())])
            }
            Self::All(all) => {
                let each: Option<Vec<_>> = all.iter().map(Self::equals).collect();
                each.map(|each| each.into_iter().flatten().collect())
            }
            _ => None,
        }
    }
}

/// The filter in brackets after a list: its names are members of the list's values.
pub(crate) fn inside(cursor: &mut Cursor<'_>, list: &'static Attribute) -> Result<Filter, Fault> {
    let mut reader = Reader { scope: Scope::Value(list), terms: 0 };
    bracketed(&mut reader, cursor, 0)
}

fn bracketed(reader: &mut Reader<'_>, cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Fault> {
    let filter = reader.any(cursor, depth.saturating_add(1))?;
    if cursor.take(']') { Ok(filter) } else { Err(Fault::filter("a `[` is not closed")) }
}

struct Reader<'k> {
    scope: Scope<'k>,
    terms: usize,
}

/// What names are names of.
#[derive(Clone, Copy)]
enum Scope<'k> {
    Resource(&'k ResourceType),
    Value(&'static Attribute),
}

impl Reader<'_> {
    fn any(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Fault> {
        let mut parts = vec![self.all(cursor, depth)?];
        while cursor.keyword("or") {
            parts.push(self.all(cursor, depth)?);
        }
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Fault> {
        let mut parts = vec![self.term(cursor, depth)?];
        while cursor.keyword("and") {
            parts.push(self.term(cursor, depth)?);
        }
        Ok(one_or(parts, Filter::All))
    }

    fn term(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Fault> {
        self.terms = self.terms.saturating_add(1);
        if depth > DEPTH_MAX || self.terms > TERMS_MAX {
            return Err(Fault::filter(format!(
                "a filter has at most {TERMS_MAX} terms, {DEPTH_MAX} deep in each other"
            )));
        }
        if cursor.keyword("not") {
            if !cursor.take('(') {
                return Err(Fault::filter("after `not` stands what is negated, in parentheses"));
            }
            return Ok(Filter::Not(Box::new(self.grouped(cursor, depth)?)));
        }
        if cursor.take('(') {
            return self.grouped(cursor, depth);
        }
        let path = self.path(cursor)?;
        if cursor.take_at_once('[') {
            return self.each(cursor, path, depth);
        }
        self.test(cursor, path)
    }

    fn grouped(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Fault> {
        let filter = self.any(cursor, depth.saturating_add(1))?;
        if cursor.take(')') { Ok(filter) } else { Err(Fault::filter("a `(` is not closed")) }
    }

    /// `emails[type eq "work"]`, and with something asked of the same value after it: `emails[type eq "work"].value eq "x"`.
    fn each(&mut self, cursor: &mut Cursor<'_>, path: Path, depth: usize) -> Result<Filter, Fault> {
        if path.attribute.sub.is_empty() || path.member.is_some() {
            return Err(Fault::filter(format!("`{}` has nothing to choose from", path.attribute.name)));
        }
        let outside = std::mem::replace(&mut self.scope, Scope::Value(path.attribute));
        let inside = bracketed(self, cursor, depth);
        let after = if cursor.take_at_once('.') {
            self.path(cursor).and_then(|member| self.test(cursor, member)).map(Some)
        } else {
            Ok(None)
        };
        self.scope = outside;
        let filter = match (inside?, after?) {
            (inside, Some(after)) => Filter::All(vec![inside, after]),
            (inside, None) => inside,
        };
        Ok(Filter::Each { path, filter: Box::new(filter) })
    }

    fn test(&mut self, cursor: &mut Cursor<'_>, path: Path) -> Result<Filter, Fault> {
        let operator = Operator::ALL.into_iter().find(|operator| cursor.keyword(operator.as_str()));
        let Some(operator) = operator else {
            return Err(Fault::filter(format!("after `{}` stands an operator", path.attribute.name)));
        };
        let wanted = match operator {
            Operator::Pr => Value::Null,
            _ => compare::check(path.last(), operator, cursor.literal()?)?,
        };
        Ok(Filter::Test { path, operator, wanted })
    }

    fn path(&self, cursor: &mut Cursor<'_>) -> Result<Path, Fault> {
        let Some(name) = cursor.name() else {
            return Err(Fault::filter("the name of an attribute is missing"));
        };
        let found = match self.scope {
            Scope::Resource(kind) => match named(kind, name) {
                Named::Path(path) => Some(path),
                Named::Schema(_) | Named::Unknown => None,
            },
            Scope::Value(list) => {
                list.member(name).map(|attribute| Path { extension: None, attribute, member: None })
            }
        };
        found.ok_or_else(|| Fault::filter(format!("there is no attribute {}", clip(name))))
    }
}

fn one_or(mut parts: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(one)) => one,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

/// Bytes of a filter, or of a path.
pub const BYTES_MAX: usize = 4_096;
const TERMS_MAX: usize = 100;
const DEPTH_MAX: usize = 20;

#[cfg(test)]
mod tests;
