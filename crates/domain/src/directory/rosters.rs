//! What connectors say, looked up: whose a name of theirs is, who is in which of their groups, and what that gives.

use super::Directory;
use crate::{
    Connector, Name, Object, Person, Roster,
    connector::{Gives, external_claim, user_claim},
    organisation::Organisation,
    person::Role,
};
use std::{collections::BTreeSet, sync::Arc};

impl Directory {
    /// What a person may do here: what their row says, and what the groups they are in give.
    #[must_use]
    pub fn roles_of(&self, person: &Person) -> BTreeSet<Role> {
        let mut roles = person.roles.clone();
        let said = person.provisioned().into_iter().flat_map(|said| &said.rosters);
        for gives in said.filter_map(|roster| self.gives(self.rosters.get(roster)?)) {
            roles.extend(&gives.roles);
        }
        roles
    }

    /// The connector's person of this `userName`, whatever the case.
    #[must_use]
    pub fn provisioned_by(&self, connector: &Name, user_name: &str) -> Option<&Arc<Person>> {
        self.people.get(self.subjects.get(user_claim(connector, user_name).as_str())?)
    }

    /// The connector's person of this `externalId`.
    #[must_use]
    pub fn provisioned_as(&self, connector: &Name, external_id: &str) -> Option<&Arc<Person>> {
        self.people.get(self.subjects.get(external_claim(connector, external_id).as_str())?)
    }

    /// The people of a connector, in order of their names.
    #[must_use]
    pub fn people_of(&self, connector: &Name) -> Vec<&Arc<Person>> {
        let theirs = |row: &&Arc<Person>| row.provisioned().is_some_and(|said| said.connector == *connector);
        let mut found: Vec<_> = self.people.values().filter(theirs).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The groups of a connector, in order of their ids.
    pub fn rosters_of<'a>(&'a self, connector: &'a Name) -> impl Iterator<Item = &'a Arc<Roster>> {
        self.rosters.values().filter(move |row| row.connector == *connector)
    }

    /// Who is in a connector's group, in order.
    pub fn members_of<'a>(&'a self, roster: &'a str) -> impl Iterator<Item = &'a Name> {
        let all = self.seats.get(roster).into_iter().flatten();
        all.filter(|name| self.people.get(*name).is_some_and(|row| row.provisioned().is_some()))
    }

    /// What being in a group gives, if anything.
    #[must_use]
    pub fn gives(&self, roster: &Roster) -> Option<&Gives> {
        let connector = self.connectors.get(&roster.connector).filter(|row| row.active)?;
        connector.groups.get(&roster.display)
    }

    pub(super) fn put_connector(&mut self, row: Connector) {
        self.connectors.insert(row.name.clone(), Arc::new(row));
        self.regroup();
    }

    pub(super) fn put_roster(&mut self, row: Roster) {
        let before = self.rosters.insert(row.id.clone(), Arc::new(row.clone()));
        let moved = before.is_none_or(|before| before.display != row.display);
        if moved {
            self.regroup();
        }
    }

    /// Keeps `seats`, and the groups of the organisation, after a person's row was put in or taken out.
    pub(super) fn seat(&mut self, name: &Name, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        let mut groups = false;
        for roster in before.difference(after) {
            groups |= self.is_given(roster);
            if let Some(mut seats) = self.seats.get(roster.as_str()).cloned() {
                seats.remove(name);
                self.seats.insert(roster.as_str().into(), seats);
            }
        }
        for roster in after.difference(before) {
            let mut seats = self.seats.get(roster.as_str()).cloned().unwrap_or_default();
            seats.insert(name.clone());
            self.seats.insert(roster.as_str().into(), seats);
            self.join(name, roster);
        }
        if groups {
            self.regroup();
        }
    }

    /// One more member: the groups grow, and nothing else moves.
    fn join(&mut self, name: &Name, roster: &str) {
        let group = self.rosters.get(roster).and_then(|row| self.gives(row)?.group.clone());
        let Some(group) = group else { return };
        if let Some(organisation) = &mut self.organisation
            && let Some(group) = Arc::make_mut(organisation).groups.get_mut(&group)
        {
            group.members.insert(name.clone());
        }
    }

    fn is_given(&self, roster: &str) -> bool {
        let given = |row: &Arc<Roster>| self.gives(row).is_some_and(|gives| gives.group.is_some());
        self.rosters.get(roster).is_some_and(given)
    }

    /// The settings, with the members that connectors say the groups have.
    pub(super) fn regroup(&mut self) {
        let Some(settings) = &self.settings else {
            self.organisation = None;
            return;
        };
        let given: Vec<_> = self
            .rosters
            .values()
            .filter_map(|row| Some((row, self.gives(row)?.group.as_ref()?)))
            .filter(|(_row, group)| settings.groups.contains_key(*group))
            .collect();
        if given.is_empty() {
            self.organisation = Some(Arc::clone(settings));
            return;
        }
        let mut whole: Organisation = settings.as_ref().clone();
        for (row, group) in given {
            if let Some(group) = whole.groups.get_mut(group) {
                group.members.extend(self.members_of(&row.id).cloned());
            }
        }
        self.organisation = Some(Arc::new(whole));
    }

    pub(super) fn connector_object(&self, name: &Name) -> Option<Object> {
        self.connectors.get(name).map(|row| Object::Connector(row.as_ref().clone()))
    }
}

/// The rosters that a person's row says they are in.
pub(super) fn rosters(person: Option<&Person>) -> BTreeSet<String> {
    person.and_then(Person::provisioned).map(|said| said.rosters.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn directory() -> Directory {
        let mut directory = Directory::default();
        let rows = [
            json!({"kind": "organisation", "body": {"display": "Acme",
                "groups": {"finance": {"members": ["maria"], "needs": 1}}}}),
            json!({"kind": "connector", "body": {"name": "entra", "description": "d", "owner": "maria", "active": true,
                "groups": {"Money": {"group": "finance", "roles": ["approver"]}, "Others": {"group": "nobody"}}}}),
            roster("Money"),
            person(&["group-1"]),
        ];
        rows.into_iter().for_each(|row| put(&mut directory, row));
        directory
    }

    fn roster(display: &str) -> Value {
        json!({"kind": "roster", "body": {"id": "group-1", "connector": "entra", "display": display,
            "created": 1, "changed": 1}})
    }

    fn person(rosters: &[&str]) -> Value {
        json!({"kind": "person", "body": {"name": "ben", "display": "Ben", "active": true, "roles": ["viewer"],
            "provisioned": {"connector": "entra", "user_name": "Ben@acme", "active": true, "made": true,
                "rosters": rosters, "created": 1, "changed": 1}}})
    }

    fn put(directory: &mut Directory, row: Value) {
        directory.put(serde_json::from_value(row).unwrap());
    }

    fn seen(directory: &Directory) -> (usize, Vec<&'static str>) {
        let finance = directory.organisation.as_ref().unwrap().groups.get("finance").unwrap();
        let ben = directory.people.get("ben").unwrap();
        (finance.members.len(), directory.roles_of(ben).into_iter().map(Role::as_str).collect())
    }

    #[test]
    fn what_a_group_gives_comes_and_goes_with_its_mapping_its_name_its_connector_and_its_members() {
        let gives = (2, vec!["viewer", "approver"]);
        let gives_nothing = (1, vec!["viewer"]);
        let mut directory = directory();
        assert_eq!(seen(&directory), gives);
        put(&mut directory, person(&[]));
        assert_eq!(seen(&directory), gives_nothing, "out of the group");
        put(&mut directory, person(&["group-1"]));
        assert_eq!(seen(&directory), gives);
        put(&mut directory, roster("Others"));
        assert_eq!(
            seen(&directory),
            gives_nothing,
            "a group of another name, mapped to one that is not declared"
        );
        put(&mut directory, roster("Money"));
        let off = Connector { active: false, ..directory.connectors.get("entra").unwrap().as_ref().clone() };
        directory.put(Object::Connector(off.clone()));
        assert_eq!(seen(&directory), gives_nothing, "its connector's word counts for nothing");
        directory.put(Object::Connector(Connector { active: true, ..off.clone() }));
        assert_eq!(seen(&directory), gives);
        directory.put(Object::Connector(Connector { active: true, groups: Default::default(), ..off }));
        assert_eq!(seen(&directory), gives_nothing, "mapped to nothing");
    }

    #[test]
    fn the_row_of_the_organisation_is_what_was_put_in_and_not_what_groups_add() {
        let directory = directory();
        let Some(Object::Organisation(row)) = directory.get(&crate::ObjectKey::organisation()) else {
            panic!()
        };
        assert_eq!(row.groups.get("finance").unwrap().members.len(), 1);
    }

    #[test]
    fn names_of_a_connector_are_found_in_any_case_and_only_as_long_as_it_has_them() {
        let mut directory = directory();
        let entra: Name = "entra".parse().unwrap();
        assert!(directory.provisioned_by(&entra, "bEN@ACME").is_some());
        assert!(directory.provisioned_by(&"okta".parse().unwrap(), "Ben@acme").is_none());
        let mut gone = directory.people.get("ben").unwrap().as_ref().clone();
        gone.provisioned.as_mut().unwrap().gone = Some(crate::Timestamp::from_millis(2));
        directory.put(Object::Person(gone));
        assert!(directory.provisioned_by(&entra, "Ben@acme").is_none());
        assert_eq!(seen(&directory), (1, vec!["viewer"]));
        assert_eq!(directory.members_of("group-1").count(), 0);
    }
}
