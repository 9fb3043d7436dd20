//! How a change takes force: at once, because nobody has to agree to it; after those agree who must; or at once all the same,
//! with somebody answering for it.
//!
//! | | |
//! |---|---|
//! | the first apply of a plane | at once: nobody is there yet who could agree. It leaves a row that can be written once |
//! | it gains nothing, or the rules ask nobody | at once |
//! | somebody must agree | a proposal waits; nothing else is written |
//! | somebody must agree, `--break-glass` | at once; the proposal stands there as applied without them, for review |

use crate::{Action, ControlError, Op, Operator, change::Draft, plan::Checked};
use provost_api::{approval::MissingView, plan::PlanStep};
use provost_domain::{
    Agent, Directory, Kind, Name, Object, ObjectKey, Proposal, Timestamp,
    agent::{Revised, RevisedHow},
    proposal::{
        Base, Broken, ChangeGate, FIRST, PROPOSAL_BYTES_MAX, ProposalStatus, ProposedWrite, Step, StepWords,
    },
};
use provost_lifecycle::{
    narrower,
    proposal::{self as life, Made},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Whose change it is.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    /// As records say it.
    text: String,
    /// The person, if known.
    person: Option<Name>,
    /// Made with the token of the machine.
    by_token: bool,
    /// Without those who must agree.
    break_glass: bool,
    /// What the proposal would be called.
    id: String,
}

/// What is written.
pub(crate) struct Force {
    pub(crate) drafts: Vec<Draft>,
    /// Instead of what the operation says it does.
    pub(crate) what: Option<String>,
    /// The proposal that waits now.
    pub(crate) waits: Option<Box<Proposal>>,
}

impl Author {
    /// Whoever operates; the local administrator can say whose word it passes on.
    ///
    /// # Errors
    /// When a person speaks for another, or may not apply without those who must agree.
    pub(crate) fn of(op: &Op, person: Option<Name>, break_glass: bool) -> Result<Self, ControlError> {
        if break_glass {
            op.authorize(Action::BreakGlass)?;
        }
        let mut author = Self { break_glass, ..Self::unsaid(op) };
        match (&op.subject, person) {
            (_, None) => {}
            (Operator::LocalAdministrator, Some(person)) => {
                let view = op.plane.replica.latest();
                if !view.directory.people.get(&person).is_some_and(|row| row.active) {
                    return Err(ControlError::caller(format!("{person} is nobody who is here"))
                        .cure("name the person whose change it is: --as PERSON"));
                }
                author.text = format!("{} for {person}", op.subject);
                author.person = Some(person);
            }
            (Operator::Person(own, _), Some(person)) if *own == person => {}
            (other, Some(_)) => {
                return Err(ControlError::refused(format!("{other} proposes in nobody else's name")));
            }
        }
        Ok(author)
    }

    /// Whoever operates.
    pub(crate) fn unsaid(op: &Op) -> Self {
        let person = match &op.subject {
            Operator::Person(name, _) => Some(name.clone()),
            _ => None,
        };
        Self {
            text: op.subject.to_string(),
            person,
            by_token: op.subject == Operator::LocalAdministrator,
            break_glass: false,
            id: format!("proposal_{}", hex::encode(op.plane.random::<12>())),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The person whose change it is, if that is known.
    pub(crate) const fn person(&self) -> Option<&Name> {
        self.person.as_ref()
    }
}

/// Who would have to agree to this, if the operator applied it.
pub(crate) fn asks(op: &Op, directory: &Directory, checked: &Checked) -> Vec<MissingView> {
    let author = Author::unsaid(op);
    let (gates, now) = (gates(directory, checked, &author), op.plane.now());
    if gates.is_empty() {
        return Vec::new();
    }
    let row = proposal(&author, (directory, &BTreeMap::new()), checked, gates, "", now);
    crate::proposal::missing(&row, directory, now)
}

/// The rows besides those written whose versions have to be known.
pub(crate) fn keys(directory: &Directory, checked: &Checked, author: &Author) -> Vec<ObjectKey> {
    if is_first(directory) {
        return vec![ObjectKey::proposal(FIRST)];
    }
    match gates(directory, checked, author).is_empty() {
        true => Vec::new(),
        false => reads(checked),
    }
}

/// What has to be written for this change to take force as it may; `None` when rows have moved under it, and it has to be
/// looked at again.
///
/// # Errors
/// When it has to be proposed, and cannot be: nobody says whose it is, or it is too large.
pub(crate) fn force(
    author: &Author,
    directory: &Directory,
    versions: &BTreeMap<ObjectKey, u64>,
    checked: &Checked,
    why: &str,
    now: Timestamp,
) -> Result<Option<Force>, ControlError> {
    let revised = |how| Revised {
        by: author.text.as_str().into(),
        at: now,
        how,
        why: why.into(),
        approvers: Vec::new(),
        proposal: None,
    };
    let seen = (directory, versions);
    if is_first(directory) {
        let mut row = proposal(author, seen, checked, BTreeMap::new(), why, now);
        // The rows speak for themselves; there may be very many.
        row.id = FIRST.to_owned();
        (row.writes, row.steps, row.reads) = (Vec::new(), Vec::new(), Vec::new());
        row.status = ProposalStatus::Applied { at: now };
        let mut drafts = stamped(checked.drafts.clone(), directory, &revised(RevisedHow::First));
        drafts.push(Draft::Put(Object::Proposal(Box::new(row))));
        return Ok(Some(Force { drafts, what: None, waits: None }));
    }
    let gates = gates(directory, checked, author);
    if gates.is_empty() {
        let drafts = stamped(checked.drafts.clone(), directory, &revised(RevisedHow::Direct));
        return Ok(Some(Force { drafts, what: None, waits: None }));
    }
    if !reads(checked).iter().all(|key| versions.contains_key(key)) {
        return Ok(None);
    }
    if author.person.is_none() && directory.people.values().any(|row| row.active) {
        let asked: Vec<&str> = gates.keys().map(String::as_str).collect();
        return Err(ControlError::caller(
            "say whose change this is: --as PERSON, or `person` in the request",
        )
        .because(format!("it needs the yes of {}, and nobody agrees to what they wrote", asked.join(", ")))
        .cure("name the person who makes the change; somebody else agrees to it"));
    }
    let mut row = proposal(author, seen, checked, gates, why, now);
    if author.break_glass {
        let broken = Broken {
            by: author.text.clone(),
            person: author.person.clone(),
            reason: why.to_owned(),
            at: now,
        };
        row = life::applied(Proposal { broken: Some(broken), ..row }, now);
        if too_large(&row) {
            (row.writes, row.reads) = (Vec::new(), Vec::new());
        }
        let revised = Revised { proposal: Some(row.id.as_str().into()), ..revised(RevisedHow::BreakGlass) };
        let mut drafts = stamped(checked.drafts.clone(), directory, &revised);
        drafts.extend(crate::review::of_proposal(&row, directory, now));
        let what = Some(format!("{} applied without those who must agree", row.id));
        drafts.push(Draft::Put(Object::Proposal(Box::new(row))));
        return Ok(Some(Force { drafts, what, waits: None }));
    }
    if too_large(&row) {
        return Err(ControlError::caller(format!(
            "the change is too large to be proposed: its rows have more than {PROPOSAL_BYTES_MAX} bytes"
        ))
        .cure("propose it in parts that a person can read"));
    }
    let drafts = vec![Draft::Put(Object::Proposal(Box::new(row.clone())))];
    let what = Some(format!("{} proposed", row.id));
    Ok(Some(Force { drafts, what, waits: Some(Box::new(row)) }))
}

/// The rows, with every charter that is new or another one saying where it came from.
pub(crate) fn stamped(drafts: Vec<Draft>, directory: &Directory, revised: &Revised) -> Vec<Draft> {
    let stamp = |draft: Draft| match draft {
        Draft::Put(Object::Agent(mut row)) => {
            let before = directory.agents.get(&row.name);
            if before.is_none_or(|before| before.charter != row.charter) {
                row.provenance.revised =
                    Some(Arc::new(Revised { how: how(before, &row, revised.how), ..revised.clone() }));
            }
            Draft::Put(Object::Agent(row))
        }
        other => other,
    };
    drafts.into_iter().map(stamp).collect()
}

fn how(before: Option<&Arc<Agent>>, after: &Agent, how: RevisedHow) -> RevisedHow {
    let narrower = before.is_some_and(|before| narrower::charter(&before.charter, &after.charter));
    match how {
        RevisedHow::Direct if narrower => RevisedHow::Narrower,
        other => other,
    }
}

/// Whether nothing was ever declared: the one time at which there is nobody who could agree, and nothing to protect.
fn is_first(directory: &Directory) -> bool {
    directory.organisation.is_none()
        && directory.people.is_empty()
        && directory.workloads.is_empty()
        && directory.systems.is_empty()
        && directory.policies.is_empty()
        && directory.applications.is_empty()
        && directory.issuers.is_empty()
        && directory.agents.is_empty()
}

fn gates(directory: &Directory, checked: &Checked, author: &Author) -> BTreeMap<String, ChangeGate> {
    if is_first(directory) {
        return BTreeMap::new();
    }
    let keys: Vec<ObjectKey> = checked.drafts.iter().map(Draft::key).collect();
    let made = checked.drafts.iter().zip(&keys).map(|(draft, key)| Made { key, after: after(draft) });
    life::gates(directory, &made.collect::<Vec<_>>(), author.person.as_ref())
}

fn after(draft: &Draft) -> Option<&Object> {
    match draft {
        Draft::Put(object) => Some(object),
        Draft::Remove(_) | Draft::Keep(_) => None,
    }
}

/// The rules, and what the charters that change are about: systems and tools that they grant.
fn reads(checked: &Checked) -> Vec<ObjectKey> {
    let written: BTreeSet<ObjectKey> = checked.drafts.iter().map(Draft::key).collect();
    let mut reads = BTreeSet::from([ObjectKey::organisation()]);
    for draft in &checked.drafts {
        let Some(Object::Agent(row)) = after(draft) else { continue };
        for grant in row.charter.grants.iter() {
            reads.insert(ObjectKey::new(Kind::System, grant.system.as_str()));
            reads.extend(grant.tools.iter().map(|tool| ObjectKey::tool(&grant.system, tool)));
        }
    }
    reads.difference(&written).cloned().collect()
}

fn proposal(
    author: &Author,
    (directory, versions): (&Directory, &BTreeMap<ObjectKey, u64>),
    checked: &Checked,
    gates: BTreeMap<String, ChangeGate>,
    why: &str,
    now: Timestamp,
) -> Proposal {
    let version = |key: &ObjectKey| versions.get(key).copied().unwrap_or(0);
    let write = |draft: &Draft| match draft {
        Draft::Put(object) => {
            Some(ProposedWrite::Put { base: version(&object.key()), object: Box::new(object.clone()) })
        }
        Draft::Remove(key) => Some(ProposedWrite::Remove { base: version(key), key: key.clone() }),
        Draft::Keep(_) => None,
    };
    // Tasks that end with their agent are those of the moment at which it ends.
    let writes = checked.drafts.iter().filter(|draft| draft.key().kind != Kind::Task).filter_map(write);
    Proposal {
        id: author.id.clone(),
        author: author.text.clone(),
        person: author.person.clone(),
        by_token: author.by_token,
        reason: why.to_owned(),
        writes: writes.collect(),
        reads: reads(checked).into_iter().map(|key| Base { version: version(&key), key }).collect(),
        steps: checked.view.steps.iter().filter(|step| step.verb != "keep").map(step).collect(),
        plan: checked.view.digest.clone(),
        gates,
        made: now,
        expires: now.plus(life::rules(directory).wait),
        votes: Vec::new(),
        broken: None,
        status: ProposalStatus::Waiting,
    }
}

fn step(step: &PlanStep) -> Step {
    let words = step.words.iter();
    Step {
        verb: step.verb.clone(),
        key: ObjectKey::new(Kind::from_word(&step.kind).unwrap_or(Kind::Organisation), step.key.as_str()),
        words: words
            .map(|words| StepWords { text: words.text.clone(), reach: words.reach.clone() })
            .collect(),
        reach: step.reach.clone(),
    }
}

fn too_large(row: &Proposal) -> bool {
    provost_domain::canonical::to_string(row).map_or(true, |text| text.len() > PROPOSAL_BYTES_MAX)
}
