//! Everything that ran, held against what the store says was true where it was decided.

use crate::{
    rows::args,
    world::{Run, World, agent_key, tool_key},
};
use provost_domain::{
    Agent, AgentStatus, Containment, Digest, Envelope, Kind, Level, Name, Object, ObjectKey, Restraint, Seq,
    Timestamp,
    approval::{ApprovalStatus, EnvelopeStatus},
    containment::ContainmentStatus,
};
use std::collections::{BTreeMap, BTreeSet};

/// What was used and given over all cases, so that a test which never gets anywhere is seen.
#[derive(Debug, Default)]
pub struct Uses {
    approvals: usize,
    envelopes: usize,
    signed: usize,
    orders: usize,
    lifted: usize,
}

impl Uses {
    pub fn add(&mut self, other: &Self) {
        self.approvals += other.approvals;
        self.envelopes += other.envelopes;
        self.signed += other.signed;
        self.orders += other.orders;
        self.lifted += other.lifted;
    }

    pub fn got_everywhere(&self) -> bool {
        let Self { approvals, envelopes, signed, orders, lifted } = self;
        [approvals, envelopes, signed, orders, lifted].into_iter().all(|count| *count > 0)
    }
}

impl World {
    pub async fn judge(&self) -> Uses {
        let runs = std::mem::take(&mut *self.runs.lock().unwrap());
        let orders = self.orders().await;
        let mut uses = Uses { orders: orders.len(), ..Uses::default() };
        let head = self.store.head().await.unwrap();
        for id in &orders {
            uses.lifted += usize::from(self.order_at(id, head).await.is_none());
        }
        let mut by_grant: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in &runs {
            let grant = run.grant.clone().expect("nothing runs without a grant");
            uses.signed += self.was_true(run, &grant, &orders).await;
            by_grant.entry(grant).or_default().push(run);
        }
        for (grant, used) in by_grant {
            if grant.starts_with("approval_") {
                uses.approvals += 1;
                assert_eq!(used.len(), 1, "{grant} was used more than once");
                continue;
            }
            uses.envelopes += 1;
            let envelope = self.envelope_at(&grant, used[0].view).await;
            let sum: u32 = used.iter().map(|run| run.amount).sum();
            let most = envelope.sum.as_ref().unwrap().max.units();
            assert!(used.len() <= envelope.count_max as usize, "{grant}: {} calls", used.len());
            assert!(i64::from(sum) * 10_000 <= most, "{grant}: {sum} of {most}");
        }
        assert!(self.store.check().await.unwrap().is_empty(), "the store's own books are in order");
        uses
    }

    /// Whether this run was right; how many signed for it.
    async fn was_true(&self, run: &Run, grant: &str, orders: &BTreeSet<String>) -> usize {
        let said = format!("{grant} for {} at {:?} on {:?}", run.amount, run.at, run.view);
        assert_eq!(run.action, self.digest(run.amount), "{said}");
        let agent = self.agent_at(run.view).await;
        assert_eq!(agent.status, AgentStatus::Active, "{said}");
        assert!(!matches!(agent.level, Level::Off | Level::ReadOnly), "{said}: {:?}", agent.level);
        let Some(Object::Task(task)) = self.at(run.view, ObjectKey::task(self.task)).await else {
            panic!("{said}")
        };
        assert!(task.is_live(run.at), "{said}");
        let yes = if grant.starts_with("approval_") {
            self.approved(run, grant, &said).await
        } else {
            self.enveloped(run, grant, &said).await
        };
        for voter in &yes.people {
            let Some(Object::Person(row)) =
                self.at(run.view, ObjectKey::new(Kind::Person, voter.as_str())).await
            else {
                panic!("{said}")
            };
            assert!(row.active, "{said}: {voter} had left");
        }
        for id in orders {
            let Some(order) = self.order_at(id, run.view).await else { continue };
            let name = &agent.name;
            let about = order.scope.has_agent(&agent, None)
                && order.scope.has_call(&"bank".parse().unwrap(), Some(&"transfer".parse().unwrap()));
            match order.level {
                _ if !about => {}
                Restraint::Off | Restraint::ReadOnly => panic!("{said}: {name} was stopped by {order:?}"),
                Restraint::ApprovalsOnly => {
                    assert!(!yes.several, "{said}: every call was to be agreed to: {order:?}");
                    assert!(yes.last >= order.at, "{said}: agreed at {:?}, before {order:?}", yes.last);
                }
                Restraint::Observe | Restraint::Without { .. } => {}
            }
        }
        // What it was given for is what is true now.
        let held = self.store.decision(yes.held).await.unwrap().unwrap().decision;
        assert_eq!(self.facts(held.view).await, self.facts(run.view).await, "{said}");
        yes.signed
    }

    async fn approved(&self, run: &Run, grant: &str, said: &str) -> Yes {
        let Some(Object::Approval(row)) = self.at(run.view, ObjectKey::approval(grant)).await else {
            panic!("{said}: it was not there")
        };
        let ApprovalStatus::Granted { until, .. } = row.status else { panic!("{said}: {:?}", row.status) };
        assert!(run.at < until && row.action == run.action && row.args == args(run.amount), "{said}");
        let votes: Vec<_> = row.votes.iter().filter(|vote| vote.yes).collect();
        assert!(!votes.is_empty(), "{said}: nobody said yes");
        let signed = votes.iter().filter(|vote| vote.signature.is_some()).count();
        assert!(!self.signed || signed == votes.len(), "{said}: a yes that was not signed");
        Yes {
            people: votes.iter().map(|vote| vote.person.clone()).collect(),
            last: votes.iter().map(|vote| vote.at).max().unwrap(),
            held: row.decision,
            several: false,
            signed,
        }
    }

    async fn enveloped(&self, run: &Run, grant: &str, said: &str) -> Yes {
        let row = self.envelope_at(grant, run.view).await;
        assert!(row.status == EnvelopeStatus::Open && run.at < row.until, "{said}");
        let most = row.args["amount"].max.as_ref().unwrap().units();
        assert!(i64::from(run.amount) * 10_000 <= most, "{said}: {most}");
        let signed = usize::from(row.signature.is_some());
        assert!(!self.signed || signed == 1, "{said}: an envelope that was not signed");
        let asked = provost_store::approval(self.store.as_ref(), &row.approval).await.unwrap().unwrap().1;
        Yes {
            people: [row.by.clone()].into(),
            last: row.granted,
            held: asked.decision,
            several: true,
            signed,
        }
    }

    /// Charter revision, pin and policies at a position.
    async fn facts(&self, view: Seq) -> (u32, Digest, Option<String>) {
        let policy =
            self.at(view, ObjectKey::new(Kind::Policy, "x")).await.map(|policy| format!("{policy:?}"));
        let Some(Object::Tool(tool)) = self.at(view, tool_key()).await else { panic!("no tool at {view:?}") };
        (self.agent_at(view).await.revision, tool.pin, policy)
    }

    /// Every order that was ever given.
    async fn orders(&self) -> BTreeSet<String> {
        let (mut found, mut after) = (BTreeSet::new(), Seq::default());
        loop {
            let page = self.store.tail(after, 1_000).await.unwrap();
            let Some(last) = page.last() else { return found };
            after = last.seq;
            found.extend(page.into_iter().filter_map(|record| match record.after {
                Some(Object::Containment(row)) => Some(row.id.clone()),
                _ => None,
            }));
        }
    }

    /// The order, if it was in force then.
    async fn order_at(&self, id: &str, view: Seq) -> Option<Containment> {
        match self.at(view, ObjectKey::new(Kind::Containment, id)).await? {
            Object::Containment(row) if !matches!(row.status, ContainmentStatus::Lifted { .. }) => Some(*row),
            _ => None,
        }
    }

    async fn agent_at(&self, view: Seq) -> Agent {
        match self.at(view, agent_key()).await {
            Some(Object::Agent(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    async fn envelope_at(&self, id: &str, view: Seq) -> Envelope {
        match self.at(view, ObjectKey::envelope(&"invoice-clerk".parse().unwrap(), id)).await {
            Some(Object::Envelope(row)) => *row,
            other => panic!("{id}: {other:?}"),
        }
    }

    async fn at(&self, view: Seq, key: ObjectKey) -> Option<Object> {
        self.store.load_at(view, &[key]).await.unwrap().pop()
    }
}

/// Who agreed to a run.
struct Yes {
    people: Vec<Name>,
    last: Timestamp,
    /// The decision that was held.
    held: provost_domain::DecisionId,
    /// To several calls, not to this one.
    several: bool,
    signed: usize,
}
