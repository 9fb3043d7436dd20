//! One search across everything that has a name or an id. The rows are in memory, so a search walks them once; decisions,
//! which are not, are found by their id, and by the exact name of their agent or system.

use crate::{Action, ControlError, Op, access::allows, approval, decision};
use provost_api::{
    decision::{DecisionQuery, DecisionSummary},
    search::{FoundView, HitView, SearchQuery, SearchView},
};
use provost_domain::{DecisionId, Directory, Name};

/// What has these letters in its name, its id, or what it is for, of the kinds that the operator may look at.
///
/// # Errors
/// When the operator may look at nothing, the text is too long, or the store fails.
pub async fn find(op: &Op, query: &SearchQuery) -> Result<SearchView, ControlError> {
    // Whoever may look at no kind is refused, and told so.
    if !KINDS.iter().any(|(_, action)| allows(&op.subject, *action)) {
        op.authorize(Action::AgentRead)?;
    }
    let wanted = query.q.trim().to_ascii_lowercase();
    if wanted.len() > QUERY_BYTES_MAX {
        return Err(
            ControlError::caller("`q` is too long").cure(format!("use at most {QUERY_BYTES_MAX} bytes"))
        );
    }
    if wanted.is_empty() {
        return Ok(SearchView::default());
    }
    let view = op.plane.replica.latest();
    let mut found = Vec::new();
    for (kind, action) in KINDS {
        if !allows(&op.subject, *action) {
            continue;
        }
        let mut hits = Hits::new(&wanted);
        match *kind {
            "agent" => of_agents(op, &wanted, &mut hits).await?,
            "approval" => of_approvals(op, &wanted, &mut hits).await,
            "decision" => of_decisions(op, &wanted, &mut hits).await?,
            kind => look(kind, &view.directory, op, &mut hits),
        }
        found.extend(hits.into_view(kind));
    }
    Ok(SearchView { found })
}

/// The rows of one kind, each as its key and the words it is found by.
fn look<'d>(kind: &str, directory: &'d Directory, op: &Op, hits: &mut Hits<'d>) {
    match kind {
        "task" => {
            let now = op.plane.now();
            for task in directory.tasks.values() {
                let state = || if task.is_live(now) { "running" } else { "expired" }.to_owned();
                let words = [&*task.purpose, task.agent.as_str()];
                hits.take_id(task.id.to_string(), &words, state);
            }
        }
        "system" => {
            for system in directory.systems.values() {
                hits.take(system.name.as_str(), &[&system.description], String::new);
            }
        }
        "tool" => {
            for tool in directory.tools.values() {
                let key = format!("{}/{}", tool.system, tool.name);
                hits.take_id(key, &[&tool.description], String::new);
            }
        }
        "person" => {
            for person in directory.people.values() {
                let state = || if person.active { "active" } else { "left" }.to_owned();
                let mail = person.email.as_deref().unwrap_or_default();
                hits.take(person.name.as_str(), &[&person.display, mail], state);
            }
        }
        "workload" => {
            for workload in directory.workloads.values() {
                hits.take(workload.name.as_str(), &[&workload.purpose], String::new);
            }
        }
        "issuer" => {
            for issuer in directory.issuers.values() {
                hits.take(issuer.name.as_str(), &[&issuer.description, &issuer.issuer], String::new);
            }
        }
        "connector" => {
            for connector in directory.connectors.values() {
                hits.take(connector.name.as_str(), &[&connector.description], String::new);
            }
        }
        _ => {
            for policy in directory.policies.values() {
                hits.take(policy.name.as_str(), &[&policy.text], String::new);
            }
        }
    }
}

/// Of a million agents, the few that are shown are found in what is laid out of them.
async fn of_agents(op: &Op, wanted: &str, hits: &mut Hits<'_>) -> Result<(), ControlError> {
    let look = op.plane.inventory.look(&op.plane).await?;
    // One more than is shown says that there are more; those found by their name may be found by their purpose, too.
    let most = HITS_MAX.saturating_add(1);
    let named = look.named(wanted, most);
    let meant = look.meant_for(wanted, most.saturating_add(named.len()));
    let others = meant.into_iter().filter(|agent| !agent.name.as_str().contains(wanted));
    for agent in named.iter().copied().chain(others) {
        hits.take(agent.name.as_str(), &[&agent.charter.purpose], || agent.status.to_string());
    }
    Ok(())
}

/// An approval by its id; whether it may be seen says the operation that shows it.
async fn of_approvals(op: &Op, wanted: &str, hits: &mut Hits<'_>) {
    if wanted.starts_with("approval_")
        && let Ok(shown) = approval::show(op, wanted).await
    {
        let summary = shown.summary;
        hits.add(0, summary.id, format!("{} by {}", summary.tool, summary.agent), summary.status);
    }
}

async fn of_decisions(op: &Op, wanted: &str, hits: &mut Hits<'_>) -> Result<(), ControlError> {
    if let Ok(id) = wanted.parse::<DecisionId>() {
        if let Some(stored) = op.plane.store.decision(id).await? {
            hits.decided(0, &decision::summary(&stored, &op.plane.replica.latest().directory));
        }
        return Ok(());
    }
    let Ok(name) = wanted.parse::<Name>() else { return Ok(()) };
    let view = op.plane.replica.latest();
    let limit = Some(LAST_MAX);
    let query = if view.directory.agents.contains_key(&name) {
        DecisionQuery { agent: Some(name), limit, ..DecisionQuery::default() }
    } else if view.directory.systems.contains_key(&name) {
        DecisionQuery { system: Some(name), limit, ..DecisionQuery::default() }
    } else {
        return Ok(());
    };
    let page = decision::list(op, query).await?;
    page.items.iter().for_each(|row| hits.decided(1, row));
    hits.more = page.next.is_some();
    Ok(())
}

/// The best of what was found of one kind, and whether there was more.
struct Hits<'d> {
    wanted: &'d str,
    best: Vec<(u8, HitView)>,
    more: bool,
}

impl<'d> Hits<'d> {
    fn new(wanted: &'d str) -> Self {
        Self { wanted, best: Vec::new(), more: false }
    }

    fn take(&mut self, key: &str, words: &[&str], state: impl FnOnce() -> String) {
        if let Some(rank) = rank(self.wanted, key, words)
            && self.has_room(rank, key)
        {
            self.add(rank, key.to_owned(), about(words), state());
        }
    }

    fn take_id(&mut self, key: String, words: &[&str], state: impl FnOnce() -> String) {
        if let Some(rank) = rank(self.wanted, &key, words)
            && self.has_room(rank, &key)
        {
            self.add(rank, key, about(words), state());
        }
    }

    fn decided(&mut self, rank: u8, row: &DecisionSummary) {
        self.add(rank, row.id.to_string(), format!("{} by {}", row.tool, row.subject), row.verdict.clone());
    }

    /// Whether it would be among the best; what is not costs nothing.
    fn has_room(&mut self, rank: u8, key: &str) -> bool {
        let last = self.best.last().filter(|_| self.best.len() >= HITS_MAX);
        let room = last.is_none_or(|(worst, hit)| (rank, key) < (*worst, hit.key.as_str()));
        self.more |= !room;
        room
    }

    fn add(&mut self, rank: u8, key: String, about: String, state: String) {
        let place =
            self.best.partition_point(|(other, hit)| (*other, hit.key.as_str()) < (rank, key.as_str()));
        self.best.insert(place, (rank, HitView { key, about, state }));
        if self.best.len() > HITS_MAX {
            self.best.truncate(HITS_MAX);
            self.more = true;
        }
    }

    fn into_view(self, kind: &str) -> Option<FoundView> {
        let hits: Vec<HitView> = self.best.into_iter().map(|(_, hit)| hit).collect();
        (!hits.is_empty()).then(|| FoundView { kind: kind.to_owned(), hits, more: self.more })
    }
}

/// How well it fits: the key itself, its beginning, a part of it, a part of its words; `None`, if not at all.
fn rank(wanted: &str, key: &str, words: &[&str]) -> Option<u8> {
    match find_in(key, wanted) {
        Some(0) if key.len() == wanted.len() => Some(0),
        Some(0) => Some(1),
        Some(_) => Some(2),
        None => words.iter().any(|word| find_in(word, wanted).is_some()).then_some(3),
    }
}

/// Where `wanted`, in small letters, begins in `text`, whatever the case of its ASCII letters.
fn find_in(text: &str, wanted: &str) -> Option<usize> {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    text.windows(wanted.len().max(1)).position(|part| part.eq_ignore_ascii_case(wanted))
}

fn about(words: &[&str]) -> String {
    words
        .iter()
        .find(|word| !word.is_empty())
        .map(|word| word.chars().take(ABOUT_CHARS_MAX).collect())
        .unwrap_or_default()
}

/// Kinds in the order in which they are shown, and who may look at them.
const KINDS: &[(&str, Action)] = &[
    ("agent", Action::AgentRead),
    ("task", Action::TaskRead),
    ("approval", Action::ApprovalRead),
    ("decision", Action::DecisionRead),
    ("system", Action::SystemRead),
    ("tool", Action::SystemRead),
    ("person", Action::PersonRead),
    ("workload", Action::WorkloadRead),
    ("issuer", Action::IssuerRead),
    ("connector", Action::ConnectorRead),
    ("policy", Action::PolicyRead),
];
const QUERY_BYTES_MAX: usize = 200;
const HITS_MAX: usize = 10;
const LAST_MAX: usize = 5;
const ABOUT_CHARS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_itself_comes_before_its_beginning_and_that_before_a_part_of_it_or_its_words() {
        for (key, words, fits) in [
            ("clerk", "", Some(0)),
            ("clerk-2", "", Some(1)),
            ("invoice-clerk", "", Some(2)),
            ("robot", "helps the CLERK", Some(3)),
            ("robot", "helps", None),
        ] {
            assert_eq!(rank("clerk", key, &[words]), fits, "{key} {words}");
        }
    }

    #[test]
    fn of_very_many_the_best_are_kept_whatever_their_order() {
        for reverse in [false, true] {
            let mut keys: Vec<String> = (0..200).map(|n| format!("x-clerk-{n:03}")).collect();
            keys.push("clerk".to_owned());
            keys.push("clerk-1".to_owned());
            if reverse {
                keys.reverse();
            }
            let mut hits = Hits::new("clerk");
            keys.iter().for_each(|key| hits.take(key, &[], String::new));
            let found = hits.into_view("agent").unwrap();
            let names: Vec<&str> = found.hits.iter().map(|hit| hit.key.as_str()).take(4).collect();
            assert_eq!(names, ["clerk", "clerk-1", "x-clerk-000", "x-clerk-001"]);
            assert!(found.more && found.hits.len() == HITS_MAX);
        }
    }
}
