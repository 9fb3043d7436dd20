//! Who may answer what waits for people, and why somebody else may not, in words. One set of rules for approvals and for
//! proposals: they differ in who is entitled at a gate, and in who may say yes to nothing of it.

use provost_domain::{Directory, Name, Person, Timestamp, approval::Vote, organisation::Group};
use std::collections::{BTreeMap, BTreeSet};

/// How one person stands to what is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The gates this person's yes counts for, each with whom the person would stand in for.
    pub gates: BTreeMap<String, Option<Name>>,
    /// The gates it does not count for, each with why.
    pub not: BTreeMap<String, String>,
}

impl Standing {
    /// Whom the person would stand in for.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<Name> {
        self.gates.values().flatten().next().cloned()
    }

    /// Why the person may not, in one sentence.
    #[must_use]
    pub fn why_not(&self) -> String {
        let all: BTreeSet<&str> = self.not.values().map(String::as_str).collect();
        all.into_iter().collect::<Vec<_>>().join("; ")
    }
}

/// What is asked, as far as it matters who may answer.
pub(crate) struct Asked<'a> {
    /// Everybody who must agree.
    pub(crate) gates: BTreeMap<String, Gate>,
    /// What was said already and still counts.
    pub(crate) votes: &'a [Vote],
    /// People who may say yes to nothing of it, each with why.
    pub(crate) barred: BTreeMap<Name, String>,
}

/// One of those who must agree.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Whose yes counts, each with why.
    pub(crate) entitled: BTreeMap<Name, String>,
    /// How many of them must say it.
    pub(crate) needs: u32,
    /// Whose yes would count at another time, each with why not now.
    pub(crate) not_now: BTreeMap<Name, String>,
    /// What everybody else is told, after their name: `is not a member of finance`.
    pub(crate) otherwise: String,
}

impl Asked<'_> {
    /// How a person stands to it at `now`.
    pub(crate) fn standing(&self, directory: &Directory, person: &Name, now: Timestamp) -> Standing {
        let mut stands = Standing::default();
        let never = self.never(directory, person);
        for (word, gate) in &self.gates {
            let answer = match &never {
                Some(why) => Err(why.clone()),
                None => self.may_open((word, gate), directory, person, now),
            };
            match answer {
                Ok(for_whom) => drop(stands.gates.insert(word.clone(), for_whom)),
                Err(why) => drop(stands.not.insert(word.clone(), why)),
            }
        }
        stands
    }

    /// Everybody whose yes would count for a gate now, in order.
    pub(crate) fn approvers(&self, directory: &Directory, word: &str, now: Timestamp) -> Vec<Name> {
        let Some(gate) = self.gates.get(word) else { return Vec::new() };
        let named = gate.entitled.keys();
        let stand_ins = named.clone().filter_map(|name| away(directory, name, now));
        let all: BTreeSet<&Name> = named.chain(stand_ins).collect();
        let may = |person: &&Name| {
            self.never(directory, person).is_none()
                && self.may_open((word, gate), directory, person, now).is_ok()
        };
        all.into_iter().filter(may).cloned().collect()
    }

    /// The gates that still want answers, with how many.
    pub(crate) fn missing(&self) -> BTreeMap<String, u32> {
        let left = |(word, gate): (&String, &Gate)| {
            let given = self.votes.iter().filter(|vote| vote.yes && vote.gates.contains(word)).count();
            let left = gate.needs.saturating_sub(u32::try_from(given).unwrap_or(u32::MAX));
            (left > 0).then(|| (word.clone(), left))
        };
        self.gates.iter().filter_map(left).collect()
    }

    /// Why a person may open no gate at all, if so.
    fn never(&self, directory: &Directory, name: &Name) -> Option<String> {
        if person(directory, name).is_none_or(|row| !row.active) {
            return Some(format!("{name} is nobody who is here"));
        }
        self.barred.get(name).cloned()
    }

    /// For whom the person would answer, if not in their own name.
    fn may_open(
        &self,
        (word, gate): (&str, &Gate),
        directory: &Directory,
        person: &Name,
        now: Timestamp,
    ) -> Result<Option<Name>, String> {
        let entitled = || gate.entitled.keys().filter(|name| !self.barred.contains_key(*name));
        let for_whom = if entitled().any(|name| name == person) {
            None
        } else {
            let absent = entitled().find(|name| away(directory, name, now) == Some(person));
            let refused = || match gate.not_now.get(person) {
                Some(why) => why.clone(),
                None => format!("{person} {}", gate.otherwise),
            };
            Some(absent.ok_or_else(refused)?.clone())
        };
        let principal = for_whom.as_ref().unwrap_or(person);
        let counted = self.votes.iter().filter(|vote| vote.yes && vote.gates.contains(word)).any(|vote| {
            vote.person == *person || vote.on_behalf_of.as_ref().unwrap_or(&vote.person) == principal
        });
        if counted {
            return Err(format!("{principal} has said yes for {word} already"));
        }
        Ok(for_whom)
    }
}

/// So many of a group as it needs; nobody, if there is no such group.
pub(crate) fn group_gate(directory: &Directory, name: &str) -> Gate {
    let Some(group) = group(directory, name) else {
        let otherwise =
            format!("cannot answer for {name}: no group {name} is declared, so nobody can answer for it");
        return Gate { needs: 1, otherwise, ..Gate::default() };
    };
    Gate {
        entitled: group
            .members
            .iter()
            .map(|member| (member.clone(), format!("a member of {name}")))
            .collect(),
        needs: group.needs.max(1),
        not_now: BTreeMap::new(),
        otherwise: format!("is not a member of {name}"),
    }
}

/// The owner of an agent, or who answers in the owner's place: deputies by the rules, the manager when nobody answered for
/// long, or the owner is gone.
pub(crate) fn owner_gate(
    directory: &Directory,
    agent: &Name,
    (owner, deputies): (&Name, &[Name]),
    asked: Timestamp,
    now: Timestamp,
) -> Gate {
    let rules = crate::approval::rules(directory);
    let here = person(directory, owner).is_some_and(|row| row.active);
    let is_away = !here || away(directory, owner, now).is_some();
    let mut gate = Gate {
        entitled: BTreeMap::from([(owner.clone(), "the owner".to_owned())]),
        needs: 1,
        not_now: BTreeMap::new(),
        otherwise: format!("is neither the owner ({owner}) of {agent} nor a deputy"),
    };
    let deputies = deputies.iter().filter(|deputy| *deputy != owner);
    if is_away || !rules.deputies_only_while_away {
        gate.entitled.extend(deputies.map(|name| (name.clone(), "a deputy".to_owned())));
    } else {
        let why =
            |name: &Name| format!("{name} is a deputy, and deputies answer only while the owner is away");
        gate.not_now.extend(deputies.map(|name| (name.clone(), why(name))));
    }
    let waited = rules.escalate_after.is_some_and(|after| now.since(asked) >= after);
    if (waited || !here)
        && let Some(manager) = person(directory, owner).and_then(|row| row.manager.clone())
    {
        gate.entitled.insert(manager, format!("the manager of {owner}"));
    }
    gate
}

/// Who stands in for somebody who is away.
fn away<'d>(directory: &'d Directory, name: &Name, now: Timestamp) -> Option<&'d Name> {
    person(directory, name)?.away.as_ref().filter(|away| now < away.until).map(|away| &away.to)
}

pub(crate) fn person<'d>(directory: &'d Directory, name: &Name) -> Option<&'d Person> {
    directory.people.get(name).map(AsRef::as_ref)
}

pub(crate) fn group<'d>(directory: &'d Directory, gate: &str) -> Option<&'d Group> {
    directory.organisation.as_ref()?.groups.get(gate)
}
