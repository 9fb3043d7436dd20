//! The types of an application, read from its Cedar schema, and JSON made into values of these types.

use crate::args::json_word;
use cedar_policy::{EntityUid, RestrictedExpression, SchemaFragment};
use provost_domain::Decimal;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a schema declares.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) entities: BTreeMap<String, EntityType>,
    pub(super) actions: BTreeMap<String, ActionType>,
}

#[derive(Debug)]
pub(super) struct EntityType {
    pub(super) properties: Members,
    /// The only ids there are, if the schema lists them.
    pub(super) ids: Option<BTreeSet<String>>,
}

#[derive(Debug)]
pub(super) struct ActionType {
    pub(super) subjects: BTreeSet<String>,
    pub(super) resources: BTreeSet<String>,
    pub(super) context: Members,
    /// Groups it is in.
    pub(super) groups: Vec<String>,
}

/// Members of a record, by name.
pub(super) type Members = BTreeMap<String, Member>;

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) shape: Shape,
    pub(super) required: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    String,
    Long,
    Bool,
    Decimal,
    Ip,
    Datetime,
    Duration,
    Set(Box<Shape>),
    Record(Members),
    Entity(String),
}

/// A value, and the entities it mentions.
#[derive(Debug, Default)]
pub(super) struct Mentioned(pub(super) Vec<EntityUid>);

impl Types {
    /// Reads a schema that Cedar has accepted.
    pub(super) fn read(schema: &str) -> Result<Self, String> {
        let (fragment, _warnings) =
            SchemaFragment::from_cedarschema_str(schema).map_err(|error| error.to_string())?;
        let json = fragment.to_json_value().map_err(|error| error.to_string())?;
        let namespaces = json.as_object().ok_or("the schema is empty")?;
        if namespaces.keys().any(|name| !name.is_empty()) {
            return Err("the schema has a namespace; AuthZEN types have none".to_owned());
        }
        let Some(root) = namespaces.get("") else { return Ok(Self::default()) };
        let reader = Reader { root };
        let mut types = Self::default();
        for (name, declared) in entries(root, "entityTypes") {
            types.entities.insert(name.clone(), reader.entity(declared)?);
        }
        for (name, declared) in entries(root, "actions") {
            types.actions.insert(name.clone(), reader.action(declared)?);
        }
        Ok(types)
    }
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    fn entity(&self, declared: &'a Value) -> Result<EntityType, String> {
        let ids = declared.get("enum").and_then(Value::as_array);
        Ok(EntityType {
            properties: declared.get("shape").map_or(Ok(Members::new()), |shape| self.members(shape, 0))?,
            ids: ids.map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        })
    }

    fn action(&self, declared: &'a Value) -> Result<ActionType, String> {
        let applies = declared.get("appliesTo");
        let list = |key: &str| -> BTreeSet<String> {
            let names = applies.and_then(|applies| applies.get(key)).and_then(Value::as_array);
            names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let groups = declared.get("memberOf").and_then(Value::as_array).into_iter().flatten();
        Ok(ActionType {
            subjects: list("principalTypes"),
            resources: list("resourceTypes"),
            context: applies
                .and_then(|applies| applies.get("context"))
                .map_or(Ok(Members::new()), |context| self.members(context, 0))?,
            groups: groups
                .filter_map(|group| group.get("id").and_then(Value::as_str))
                .map(str::to_owned)
                .collect(),
        })
    }

    fn members(&self, record: &'a Value, depth: usize) -> Result<Members, String> {
        match self.shape(record, depth)? {
            Shape::Record(members) => Ok(members),
            _ => Err("properties and context must be records".to_owned()),
        }
    }

    fn shape(&self, declared: &'a Value, depth: usize) -> Result<Shape, String> {
        if depth > DEPTH_MAX {
            return Err(format!("a type nests deeper than {DEPTH_MAX}"));
        }
        let word = |key: &str| declared.get(key).and_then(Value::as_str).unwrap_or_default();
        match word("type") {
            "Record" => {
                let members = entries(declared, "attributes").map(|(name, member)| {
                    let required = member.get("required").and_then(Value::as_bool).unwrap_or(true);
                    Ok((name.clone(), Member { shape: self.shape(member, depth + 1)?, required }))
                });
                members.collect::<Result<Members, String>>().map(Shape::Record)
            }
            "Set" => {
                let element = declared.get("element").ok_or("a set has no element type")?;
                Ok(Shape::Set(Box::new(self.shape(element, depth + 1)?)))
            }
            "Entity" => Ok(Shape::Entity(word("name").to_owned())),
            "Extension" | "EntityOrCommon" => self.named(word("name"), depth),
            name => self.named(name, depth),
        }
    }

    fn named(&self, name: &str, depth: usize) -> Result<Shape, String> {
        let own = |kind: &str| self.root.get(kind).and_then(|all| all.get(name));
        if let Some(common) = own("commonTypes") {
            return self.shape(common, depth + 1);
        }
        if own("entityTypes").is_some() {
            return Ok(Shape::Entity(name.to_owned()));
        }
        match name.strip_prefix("__cedar::").unwrap_or(name) {
            "String" => Ok(Shape::String),
            "Long" => Ok(Shape::Long),
            "Bool" | "Boolean" => Ok(Shape::Bool),
            "decimal" => Ok(Shape::Decimal),
            "ipaddr" => Ok(Shape::Ip),
            "datetime" => Ok(Shape::Datetime),
            "duration" => Ok(Shape::Duration),
            _ => Err(format!("type `{name}` is not known")),
        }
    }
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

impl Mentioned {
    /// The declared members of an object; others are not seen, and `null` is absent (AuthZEN 1.0, JSON
    /// considerations).
    pub(super) fn members(
        &mut self,
        declared: &Members,
        from: &Map<String, Value>,
    ) -> Result<Vec<(String, RestrictedExpression)>, String> {
        let mut pairs = Vec::with_capacity(from.len());
        for (name, member) in declared {
            match from.get(name) {
                None | Some(Value::Null) if member.required => return Err(format!("`{name}` is missing")),
                None | Some(Value::Null) => {}
                Some(value) => {
                    let value = self.value(&member.shape, value).map_err(|problem| below(name, &problem))?;
                    pairs.push((name.clone(), value));
                }
            }
        }
        Ok(pairs)
    }

    fn value(&mut self, shape: &Shape, value: &Value) -> Result<RestrictedExpression, String> {
        let wrong = |wanted: &str| Err(format!(" must be {wanted}, and is {}", json_word(value)));
        let text =
            |wanted: &str| value.as_str().ok_or(format!(" must be {wanted}, and is {}", json_word(value)));
        match (shape, value) {
            (Shape::String, Value::String(text)) => Ok(RestrictedExpression::new_string(text.clone())),
            (Shape::String, _) => wrong("text"),
            (Shape::Bool, Value::Bool(bool)) => Ok(RestrictedExpression::new_bool(*bool)),
            (Shape::Bool, _) => wrong("true or false"),
            (Shape::Long, Value::Number(number)) => number
                .as_i64()
                .map(RestrictedExpression::new_long)
                .ok_or_else(|| " must be a whole number in 64 bits".to_owned()),
            (Shape::Long, _) => wrong("a whole number"),
            (Shape::Decimal, Value::Number(number)) => decimal(Decimal::from_json(number)),
            (Shape::Decimal, _) => decimal(text("a decimal")?.parse()),
            // These three are checked by Cedar when the value is made.
            (Shape::Ip, _) => Ok(RestrictedExpression::new_ip(text("an IP address as text")?)),
            (Shape::Datetime, _) => Ok(RestrictedExpression::new_datetime(text("a moment as text")?)),
            (Shape::Duration, _) => Ok(RestrictedExpression::new_duration(text("a duration as text")?)),
            (Shape::Set(of), Value::Array(elements)) => {
                let elements = elements.iter().map(|element| self.value(of, element));
                Ok(RestrictedExpression::new_set(elements.collect::<Result<Vec<_>, _>>()?))
            }
            (Shape::Set(_), _) => wrong("a list"),
            (Shape::Record(members), Value::Object(object)) => {
                let members = self.members(members, object).map_err(|problem| format!(".{problem}"))?;
                RestrictedExpression::new_record(members).map_err(|error| error.to_string())
            }
            (Shape::Record(_), _) => wrong("an object"),
            (Shape::Entity(kind), _) => {
                let id = match value {
                    Value::String(id) => id,
                    Value::Object(object) if object.get("type").and_then(Value::as_str) == Some(kind) => {
                        object
                            .get("id")
                            .and_then(Value::as_str)
                            .ok_or(format!(" must name the id of a `{kind}`"))?
                    }
                    _ => return Err(format!(" must be the id of a `{kind}`")),
                };
                let uid = crate::bucket::uid(kind, id)?;
                self.0.push(uid.clone());
                Ok(RestrictedExpression::new_entity_uid(uid))
            }
        }
    }
}

fn decimal(
    read: Result<Decimal, provost_domain::decimal::DecimalError>,
) -> Result<RestrictedExpression, String> {
    read.map(crate::bucket::decimal).map_err(|error| format!(" is refused: {error}"))
}

/// `` `a.b` must be … `` out of `a` and `` .`b` must be … ``.
fn below(name: &str, problem: &str) -> String {
    match problem.strip_prefix(".`") {
        Some(rest) => format!("`{name}.{rest}"),
        None => format!("`{name}`{problem}"),
    }
}

const DEPTH_MAX: usize = 12;
