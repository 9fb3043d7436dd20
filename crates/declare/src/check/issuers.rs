//! Issuers and the people they know: one row for each issuer, one person for each of its subjects.

use crate::{Declared, Fault, Severity, desk::Found, table::clip};
use provost_domain::{Directory, Issuer, Kind, Name, ObjectKey};
use std::collections::BTreeMap;

/// Two rows for one issuer, one subject for two people, and people known to an issuer of workloads only.
pub(crate) fn clashes(declared: &Declared, found: &Found, current: &Directory) -> Vec<Fault> {
    let mut faults = one_row_for_each(declared, found);
    faults.extend(one_person_for_each(declared, found, current));
    faults
}

fn one_row_for_each(declared: &Declared, found: &Found) -> Vec<Fault> {
    let mut first: BTreeMap<&str, &Name> = BTreeMap::new();
    let clash = |issuer: &'_ Issuer, other: &Name| {
        let message = format!("{} is issuer {other} already", clip(&issuer.issuer));
        let cure = "keep one: its tokens do not say which of the two is meant";
        fault(declared, found, (Kind::Issuer, &issuer.name, "issuer"), message, cure)
    };
    let mut faults = Vec::new();
    for issuer in declared.issuers.values() {
        match first.get(issuer.issuer.as_str()) {
            Some(other) => faults.extend(clash(issuer, other)),
            None => drop(first.insert(&issuer.issuer, &issuer.name)),
        }
    }
    faults
}

fn one_person_for_each(declared: &Declared, found: &Found, current: &Directory) -> Vec<Fault> {
    let mut first: BTreeMap<(&Name, &str), &Name> = BTreeMap::new();
    let mut faults = Vec::new();
    for person in declared.people.values() {
        for login in &person.logins {
            let part = format!("logins.{}", login.issuer);
            let place = (Kind::Person, &person.name, part.as_str());
            let issuer = declared.issuers.get(&login.issuer);
            let issuer = issuer.or_else(|| current.issuers.get(&login.issuer).map(AsRef::as_ref));
            if issuer.is_some_and(|issuer| issuer.people.is_none()) {
                let message = format!("issuer {} knows no people", login.issuer);
                let cure = format!("write [issuer.{}.people], or name another issuer", login.issuer);
                faults.extend(fault(declared, found, place, message, &cure));
            }
            match first.get(&(&login.issuer, login.subject.as_str())) {
                Some(other) => {
                    let message = format!("this subject of {} is {other} already", login.issuer);
                    let cure = "give each person a subject of their own";
                    faults.extend(fault(declared, found, place, message, cure));
                }
                None => drop(first.insert((&login.issuer, &login.subject), &person.name)),
            }
        }
    }
    faults
}

fn fault(
    declared: &Declared,
    found: &Found,
    (kind, name, part): (Kind, &Name, &str),
    message: String,
    cure: &str,
) -> Option<Fault> {
    let key = ObjectKey::new(kind, name.as_str());
    let place = found.parts.get(&(key.clone(), part.to_owned())).or_else(|| found.named.get(&key))?;
    Some(declared.fault_at(place.clone(), Severity::Error, message, cure))
}
