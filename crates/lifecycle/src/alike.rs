//! Approvals that are alike: the same agent, operation, gates, reasons and bound, with arguments that differ in a few places. They are
//! shown as one table in which every difference stands, and nothing that differs anywhere is left out.

use provost_domain::{Approval, Name, Reason, ToolName, approval::Bound};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Approvals that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    /// What they have in common, of their arguments.
    pub common: Map<String, Value>,
    /// The names of the arguments in which they differ, in order.
    pub differing: BTreeSet<String>,
    /// They, in the order they were given in; never none.
    pub rows: Vec<&'a Approval>,
}

/// What must be the same.
type Kind<'a> = (&'a Name, &'a Name, &'a ToolName, &'a BTreeSet<String>, &'a Vec<Reason>, BoundKey);
type BoundKey = (u32, provost_domain::Digest, provost_domain::Digest);

/// Sorts approvals into groups: each stands in exactly one, and who differs in too much stands alone.
#[must_use]
pub fn groups<'a>(rows: impl IntoIterator<Item = &'a Approval>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut by_kind: BTreeMap<Kind<'a>, Vec<usize>> = BTreeMap::new();
    for row in rows {
        let of_kind = by_kind.entry(kind(row)).or_default();
        let joined = of_kind.iter().copied().find_map(|place| {
            let group = groups.get(place)?;
            let differing = differing(group, row);
            (differing.len() <= DIFFERING_MAX && group.rows.len() < ROWS_MAX).then_some((place, differing))
        });
        match joined.and_then(|(place, differing)| Some((groups.get_mut(place)?, differing))) {
            Some((group, differing)) => {
                group.common.retain(|name, _value| !differing.contains(name));
                group.differing = differing;
                group.rows.push(row);
            }
            None => {
                of_kind.push(groups.len());
                groups.push(Group { common: row.args.clone(), differing: BTreeSet::new(), rows: vec![row] });
            }
        }
    }
    groups
}

/// In which arguments the group would differ with this row in it.
fn differing(group: &Group<'_>, row: &Approval) -> BTreeSet<String> {
    let mut differing = group.differing.clone();
    let names = group.common.keys().chain(row.args.keys());
    for name in names.filter(|name| !group.differing.contains(*name)) {
        if group.common.get(name) != row.args.get(name) {
            differing.insert(name.clone());
        }
    }
    differing
}

/// The characters of what a person has to read to answer them together: what is common once, and every difference.
#[must_use]
pub fn shown_chars(rows: &[&Approval]) -> usize {
    let Some(first) = rows.first() else { return 0 };
    let group = groups(rows.iter().copied());
    let chars = |value: &Value| value.to_string().chars().count();
    let differences = group.iter().flat_map(|group| {
        group.rows.iter().map(|row| {
            let values = group.differing.iter().filter_map(|name| row.args.get(name)).map(chars);
            values.fold(row.purpose.chars().count(), usize::saturating_add)
        })
    });
    differences.fold(crate::quality::shown_chars(first), usize::saturating_add)
}

fn kind(row: &Approval) -> Kind<'_> {
    let Bound { revision, pin, policies } = row.bound;
    (&row.agent, &row.system, &row.tool, &row.gates, &row.reasons, (revision, pin, policies))
}

/// Arguments in which a group may differ: with more the table would be a wall.
const DIFFERING_MAX: usize = 4;
/// Approvals in one group: as many as are answered at once.
pub const ROWS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use provost_domain::{DecisionId, Digest, TaskId, Timestamp};
    use serde_json::json;

    fn row(id: &str, agent: &str, args: Value) -> Approval {
        let now = Timestamp::from_millis(5);
        serde_json::from_value(json!({
            "id": id, "agent": agent, "task": TaskId::new(now, [1; 10]), "purpose": "pays", "askers": [], "system": "bank",
            "tool": "transfer", "action": Digest::of(id.as_bytes()), "args": args, "gates": ["owner"], "reasons": [],
            "bound": {"revision": 1, "pin": Digest::of(b"b"), "policies": Digest::of(b"c")},
            "decision": DecisionId::new(now, [1; 10]), "asked": 1, "expires": 9, "status": {"is": "waiting"},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_alike_is_one_table_and_what_differs_in_kind_or_in_much_stands_alone() {
        let pay = |payee: &str, amount: u32| json!({"payee": payee, "amount": amount, "from": "operations"});
        let mut other_bound = row("e", "clerk", pay("ACME", 1));
        other_bound.bound.revision = 2;
        let mut other_gates = row("f", "clerk", pay("ACME", 1));
        other_gates.gates.insert("finance".to_owned());
        let rows = [
            row("a", "clerk", pay("ACME", 1)),
            row("b", "clerk", pay("ACME", 2)),
            row("c", "robot", pay("ACME", 1)),
            row("d", "clerk", pay("Nordwind", 2)),
            other_bound,
            other_gates,
            row("g", "clerk", json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})),
        ];
        let groups = groups(&rows);
        let ids: Vec<Vec<&str>> =
            groups.iter().map(|group| group.rows.iter().map(|row| row.id.as_str()).collect()).collect();
        assert_eq!(ids, [vec!["a", "b", "d"], vec!["c"], vec!["e"], vec!["f"], vec!["g"]]);
        assert_eq!(groups[0].differing, ["amount".to_owned(), "payee".to_owned()].into());
        assert_eq!(groups[0].common, json!({"from": "operations"}).as_object().unwrap().clone());
    }

    #[test]
    fn an_argument_that_only_some_have_is_a_difference() {
        let rows = [
            row("a", "clerk", json!({"x": 1})),
            row("b", "clerk", json!({"x": 1, "note": null})),
            row("c", "clerk", json!({"x": 1})),
        ];
        let groups = groups(&rows);
        assert_eq!((groups.len(), groups[0].differing.len()), (1, 1));
        assert!(groups[0].differing.contains("note"));
    }

    proptest! {
        #[test]
        fn each_stands_in_one_group_and_no_difference_is_hidden(
            all in prop::collection::vec(prop::collection::btree_map("[a-f]", 0_u8..3, 0..6), 0..40)
        ) {
            let rows: Vec<Approval> =
                all.iter().enumerate().map(|(n, args)| row(&format!("id{n}"), "clerk", json!(args))).collect();
            let groups = groups(&rows);
            let mut ids: Vec<&str> = groups.iter().flat_map(|g| g.rows.iter().map(|row| row.id.as_str())).collect();
            ids.sort_unstable();
            let mut wanted: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            wanted.sort_unstable();
            prop_assert_eq!(ids, wanted);
            for group in &groups {
                prop_assert!(group.differing.len() <= DIFFERING_MAX || group.rows.len() == 1);
                for row in &group.rows {
                    // The table says the whole of each: what is common, and its own cells.
                    let mut told = group.common.clone();
                    told.extend(group.differing.iter().filter_map(|name| Some((name.clone(), row.args.get(name)?.clone()))));
                    prop_assert_eq!(&told, &row.args);
                }
            }
        }
    }
}
