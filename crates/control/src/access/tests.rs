//! Who may do what, as a table that is committed.

use super::*;
use std::fmt::Write as _;

#[test]
fn the_table_is_the_committed_one() {
    let name = |name: &str| -> Name { name.parse().unwrap() };
    let person = |role: Option<Role>| Operator::Person(name("maria"), role.into_iter().collect());
    type Column = (&'static str, Box<dyn Fn(Action) -> bool>);
    let of = |operator: Operator| Box::new(move |action| allows(&operator, action)) as Box<_>;
    let mut columns: Vec<Column> = vec![
        ("local", of(Operator::LocalAdministrator)),
        ("plane", of(Operator::Plane)),
        ("workload", of(Operator::Workload(name("checkout")))),
        ("agent", of(Operator::Agent(name("clerk")))),
        ("connector", of(Operator::Connector(name("entra")))),
        ("person", of(person(None))),
        // Of an agent they answer for.
        ("owner", Box::new(|action| own(action) || of_owner(action))),
    ];
    columns.extend(Role::ALL.map(|role| (role.as_str(), of(person(Some(role))))));
    let mut table = format!("{:<20}", "action");
    for (title, _may) in &columns {
        write!(table, "{title:<10}").unwrap();
    }
    for action in Action::ALL {
        write!(table, "\n{:<20}", action.as_str()).unwrap();
        for (_title, may) in &columns {
            write!(table, "{:<10}", if may(action) { "yes" } else { "-" }).unwrap();
        }
    }
    let table: String = table.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    assert_eq!(table, include_str!("../access.golden"), "{table}");
}

#[test]
fn who_only_looks_changes_nothing() {
    let viewer = Operator::Person("maria".parse().unwrap(), [Role::Viewer].into());
    let changes = [
        "set", "create", "update", "delete", "remove", "rotate", "restrict", "move", "apply", "adopt",
        "import",
    ];
    for action in Action::ALL {
        let changes = changes.iter().any(|word| action.as_str().ends_with(word));
        assert!(!(changes && allows(&viewer, action)), "{}", action.as_str());
    }
}

#[test]
fn a_workload_has_nothing_to_administer() {
    assert!(!Operator::Workload("checkout".parse().unwrap()).may_administer());
    assert!(Operator::LocalAdministrator.may_administer());
}
