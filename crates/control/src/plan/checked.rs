//! What files declare, compared with what is, and checked as it would be afterwards.

use crate::{ControlError, Op, bound::Links, change::Draft, plan::Author};
use provost_api::{
    plan::{PlanStep, PlanView, PlanWords},
    problem::{Fault, Severity},
};
use provost_declare::{
    Declared, Plan, PlannedWrite, Planning, Reach, SourceFile, Step, StepKind, any_error, plan, read,
    read_beside,
};
use provost_domain::{
    Agent, AgentStatus, Digest, Directory, Kind, Name, Object, ObjectKey, Seq, Timestamp, ids::AgentId,
};
use provost_policy::{Place, PolicyFault, check_changed};
use std::collections::BTreeSet;

/// Files and what is to be made of them.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) prune: bool,
    /// Rows that are not written, and whose versions the caller wants to look at.
    pub(crate) keys_read: Vec<ObjectKey>,
    /// `files` or `api`.
    source: &'static str,
    pub(crate) author: Author,
    now: Timestamp,
    links: Links,
    /// Where ids of new agents begin.
    random: [u8; 10],
}

impl Wanted {
    pub(crate) fn new(op: &Op, files: Vec<SourceFile>, prune: bool, source: &'static str) -> Self {
        let plane = &op.plane;
        Self {
            files,
            prune,
            keys_read: Vec::new(),
            source,
            author: Author::unsaid(op),
            now: plane.now(),
            links: Links::of(plane),
            random: plane.random(),
        }
    }

    /// The same, by this author.
    #[must_use]
    pub(crate) fn by(self, author: Author) -> Self {
        Self { author, ..self }
    }
}

/// A plan with everything that is wrong with it.
pub(crate) struct Checked {
    pub(crate) view: PlanView,
    /// What to write; empty when there is an error.
    pub(crate) drafts: Vec<Draft>,
    /// The organisation as it would be.
    pub(crate) after: Directory,
}

impl Checked {
    /// Rows that an operation makes, each with what it gains in words.
    pub(crate) fn of_rows(rows: Vec<(Draft, String)>, directory: Directory) -> Self {
        let step = |(draft, text): &(Draft, String)| {
            let key = draft.key();
            let reach = reach(Reach::Widens).to_owned();
            PlanStep {
                verb: "change".to_owned(),
                kind: key.kind.as_str().to_owned(),
                key: key.key,
                words: vec![PlanWords { text: text.clone(), reach: reach.clone() }],
                reach,
            }
        };
        let steps = rows.iter().map(step).collect();
        let drafts: Vec<Draft> = rows.into_iter().map(|(draft, _text)| draft).collect();
        let after = applied(&directory, &drafts);
        Self { view: view(&directory, steps, 0, Vec::new()), drafts, after }
    }

    /// The position it was made on.
    pub(crate) fn seq(&self) -> Seq {
        Seq(self.view.seq)
    }
}

/// Reads, compares and checks, beside the threads that serve.
pub(crate) async fn checked(wanted: Wanted, directory: Directory) -> Result<Checked, ControlError> {
    tokio::task::spawn_blocking(move || check(&wanted, directory))
        .await
        .map_err(|stopped| ControlError::us("planning stopped in the middle", stopped))
}

fn check(wanted: &Wanted, directory: Directory) -> Checked {
    // With `prune` the files are the whole; without, they stand beside what is there.
    let (declared, read_faults) =
        if wanted.prune { read(&wanted.files) } else { read_beside(&wanted.files, &directory) };
    let stop = any_error(&read_faults);
    let mut faults: Vec<Fault> = read_faults.into_iter().map(shown).collect();
    if stop {
        return Checked {
            view: view(&directory, Vec::new(), 0, faults),
            drafts: Vec::new(),
            after: directory,
        };
    }
    let mut next: u64 = 0;
    let mut make = || {
        next = next.wrapping_add(1);
        new_id(wanted, next)
    };
    let planning = Planning {
        current: &directory,
        versions: &|_key| 0,
        now: wanted.now,
        actor: wanted.author.text(),
        prune: wanted.prune,
    };
    let plan: Plan = plan(&declared, &planning, &mut make);
    faults.extend(plan.faults.iter().cloned().map(shown));
    let steps: Vec<PlanStep> = plan.steps.iter().map(step).collect();
    let left_alone = plan.left_alone;
    let drafts = drafts(wanted, plan, &directory);
    let after = applied(&directory, &drafts);
    let changed: Vec<ObjectKey> = drafts.iter().map(Draft::key).collect();
    faults.extend(check_changed(&after, &changed).into_iter().map(|fault| placed(&declared, fault)));
    faults.extend(over_bound(wanted.links, &declared, &after, &changed));
    let view = view(&directory, steps, left_alone, faults);
    let drafts = if view.refused { Vec::new() } else { drafts };
    Checked { view, drafts, after }
}

/// Ids that differ within one plan: random, with a counter in the last bytes.
fn new_id(wanted: &Wanted, count: u64) -> AgentId {
    let mut random = wanted.random;
    for (slot, byte) in random.iter_mut().rev().zip(count.to_le_bytes()) {
        *slot = slot.wrapping_add(byte);
    }
    AgentId::new(wanted.now, random)
}

fn drafts(wanted: &Wanted, plan: Plan, directory: &Directory) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for write in plan.into_writes() {
        match write {
            PlannedWrite::Remove { key, .. } => drafts.push(Draft::Remove(key)),
            PlannedWrite::Put { object, .. } => match *object {
                Object::Agent(agent) => agent_drafts(wanted, agent, directory, &mut drafts),
                object => drafts.push(Draft::Put(object)),
            },
        }
    }
    drafts
}

fn agent_drafts(wanted: &Wanted, mut agent: Agent, directory: &Directory, drafts: &mut Vec<Draft>) {
    if !directory.agents.contains_key(&agent.name) {
        agent.provenance.source = wanted.source.into();
    }
    if agent.status == AgentStatus::Decommissioned {
        drafts.extend(crate::agent::ended_tasks(directory, &agent.name));
    }
    drafts.push(Draft::Put(Object::Agent(agent)));
}

pub(crate) fn applied(directory: &Directory, drafts: &[Draft]) -> Directory {
    let mut after = directory.clone();
    for draft in drafts {
        match draft {
            Draft::Put(object) => after.put(object.clone()),
            Draft::Remove(key) => after.remove(key),
            Draft::Keep(_) => {}
        }
    }
    after
}

/// Charters whose power would outlive an order to stop them for longer than the organisation allows.
fn over_bound(links: Links, declared: &Declared, after: &Directory, changed: &[ObjectKey]) -> Vec<Fault> {
    let place = |(name, message): (Name, String)| {
        let key = ObjectKey::new(Kind::Agent, name.as_str());
        let cure = "take the slowest system out of its grants, or see `production_revocation_max`";
        shown(declared.fault_in((&key, "grants"), provost_declare::Severity::Error, message, cure))
    };
    let mut faults: Vec<Fault> = outlive(links, after, changed).into_iter().map(place).collect();
    faults.sort_by(|a, b| a.what.cmp(&b.what));
    faults
}

/// The same, agent by agent, in words.
fn outlive(links: Links, after: &Directory, changed: &[ObjectKey]) -> Vec<(Name, String)> {
    let Some(settings) = after.organisation.as_ref() else { return Vec::new() };
    let systems: BTreeSet<&str> =
        changed.iter().filter(|key| key.kind == Kind::System).map(|key| key.key.as_str()).collect();
    let agents: BTreeSet<&str> =
        changed.iter().filter(|key| key.kind == Kind::Agent).map(|key| key.key.as_str()).collect();
    let all = changed.iter().any(|key| key.kind == Kind::Organisation);
    let concerned = after.agents.values().filter(|agent| {
        agent.status != AgentStatus::Decommissioned
            && (all
                || agents.contains(agent.name.as_str())
                || agent.charter.systems().iter().any(|system| systems.contains(system.as_str())))
    });
    let over = concerned.filter_map(|agent| {
        let worst = links.worst(&agent.charter, after);
        let most = settings.revocation_max(agent.charter.environment).filter(|most| worst > *most)?;
        let message = format!(
            "agent {} could go on for {worst} after an order to stop it, and the organisation allows {most} in {}",
            agent.name, agent.charter.environment
        );
        Some((agent.name.clone(), message))
    });
    over.collect()
}

/// What stands against rows that were checked before, on the organisation as it is now with them in it.
pub(crate) fn recheck(links: Links, directory: &Directory, drafts: &[Draft]) -> Option<String> {
    let after = applied(directory, drafts);
    let changed: Vec<ObjectKey> = drafts.iter().map(Draft::key).collect();
    let fault = check_changed(&after, &changed).into_iter().next().map(|fault| fault.message);
    fault.or_else(|| outlive(links, &after, &changed).into_iter().next().map(|(_name, message)| message))
}

/// A fault of the decision point, placed in the files.
fn placed(declared: &Declared, fault: PolicyFault) -> Fault {
    let (key, part) = match &fault.place {
        Place::Policy { file, .. } => (ObjectKey::new(Kind::Policy, file.as_str()), String::new()),
        Place::Charter { agent, path } => (ObjectKey::new(Kind::Agent, agent.as_str()), path.clone()),
        Place::Application { application, part, .. } => {
            (ObjectKey::new(Kind::Application, application.as_str()), part.clone())
        }
        Place::Tool { tool } => (ObjectKey::new(Kind::Tool, tool.clone()), "args".to_owned()),
        Place::Guardrails { .. } => return crate::policy::shown(&fault),
    };
    let error = provost_declare::Severity::Error;
    let cure = fault.help.clone().unwrap_or_default();
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    shown(match fault.place.spot() {
        Some(spot) => {
            let spot = (number(spot.line), number(spot.column));
            declared.fault_in_text((&key, &part), spot, error, fault.message, cure)
        }
        None => declared.fault_in((&key, &part), error, fault.message, cure),
    })
}

/// A fault of the files as the API shows it.
pub(crate) fn shown(fault: provost_declare::Fault) -> Fault {
    let number = |n: u32| usize::try_from(n).ok().filter(|n| *n > 0);
    Fault {
        severity: match fault.severity {
            provost_declare::Severity::Error => Severity::Error,
            provost_declare::Severity::Warning => Severity::Warning,
        },
        file: Some(fault.file),
        line: number(fault.line),
        column: number(fault.column),
        width: number(fault.width),
        excerpt: fault.excerpt,
        what: fault.message,
        cure: Some(fault.cure).filter(|cure| !cure.is_empty()),
    }
}

fn step(step: &Step) -> PlanStep {
    let verb = match step.kind {
        StepKind::Add => "add",
        StepKind::Change => "change",
        StepKind::Remove => "remove",
        StepKind::Keep => "keep",
    };
    let words = step.words.iter();
    PlanStep {
        verb: verb.to_owned(),
        kind: step.key.kind.as_str().to_owned(),
        key: step.key.key.clone(),
        words: words
            .map(|words| PlanWords { text: words.text.clone(), reach: reach(words.reach).to_owned() })
            .collect(),
        reach: reach(step.reach).to_owned(),
    }
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Neutral => "neutral",
        Reach::Narrows => "narrows",
        Reach::Widens => "widens",
    }
}

fn view(directory: &Directory, steps: Vec<PlanStep>, left_alone: usize, faults: Vec<Fault>) -> PlanView {
    PlanView {
        seq: directory.seq.0,
        // Text and lists have a canonical form; a digest that could not be made would match no other.
        digest: Digest::of_json(&steps).map(|digest| digest.to_string()).unwrap_or_default(),
        left_alone,
        widens: steps.iter().any(|step| step.reach == "widens"),
        refused: faults.iter().any(|fault| fault.severity == Severity::Error),
        steps,
        faults,
        asks: Vec::new(),
    }
}
