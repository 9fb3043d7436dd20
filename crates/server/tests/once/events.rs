//! What can happen.

use crate::rows::{AMOUNTS, PEOPLE};
use proptest::prelude::*;

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// The agent pays, through a node that has heard of everything, or of what it had heard of before.
    Call { node: usize, amount: u32, fresh: bool },
    /// The same, and the node goes down once its decision is on record: what it was about to mark stays unmarked.
    CallThenCrash { node: usize, amount: u32 },
    /// A node hears of everything.
    CatchUp { node: usize },
    /// Time passes.
    Tick { minutes: u32 },
    /// A person does something at a desk.
    Person { desk: usize, who: usize, does: Deed },
    /// The same, and the desk goes down when it is done: nobody hears of it.
    Unheard { desk: usize, who: usize, does: Deed },
    /// What housekeeping does at a desk is done.
    KeepHouse { desk: usize },
    /// What those have who were stopped is ended.
    CleanUp { desk: usize },
    /// A policy is changed that says nothing of this.
    ChangePolicy,
    /// The tool is reviewed anew.
    PinAnew,
    /// The charter is written anew.
    NewCharter,
    /// A person leaves or returns.
    Leave { who: usize, gone: bool },
    /// All of these at once.
    AtOnce(Vec<Event>),
}

/// What a person does.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Says yes or no.
    Answer { amount: u32, yes: bool },
    /// Says yes to another amount instead.
    Edit { from: u32, to: u32 },
    /// Takes it back.
    Withdraw { amount: u32 },
    /// Allows several at once.
    Allow { amount: u32, most: u32, count: u32, sum: u32 },
    /// Takes back the newest envelope.
    Revoke,
    /// Ends the task.
    EndTask,
    /// Stops the agent, or lets it go on.
    Suspend { yes: bool },
    /// Leaves the agent so much.
    Restrict { level: &'static str },
    /// Orders.
    Order { about: About, level: &'static str },
    /// Asks that the newest order be lifted, or agrees to it.
    Lift,
}

/// Whom an order is about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    Agent,
    Owner,
    Names,
    Tool,
    Everything,
    /// Somebody else.
    Other,
}

/// Everything that happens in a case; in most of them somebody stops somebody at some time.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let calm = prop::collection::vec(event(simple().boxed()), 10..60);
    let simple = prop_oneof![12 => simple(), 1 => by_person(stop())];
    prop_oneof![calm, prop::collection::vec(event(simple.boxed()), 10..60)]
}

/// One thing, or several of the simple ones at once.
fn event(simple: BoxedStrategy<Event>) -> impl Strategy<Value = Event> {
    let desk = || 0..2_usize;
    prop_oneof![
        12 => simple.clone(),
        4 => prop::collection::vec(simple, 2..6).prop_map(Event::AtOnce),
        6 => (0..2_usize).prop_map(|node| Event::CatchUp { node }),
        2 => prop::sample::select(vec![1_u32, 5, 16, 61]).prop_map(|minutes| Event::Tick { minutes }),
        1 => desk().prop_map(|desk| Event::KeepHouse { desk }),
        1 => desk().prop_map(|desk| Event::CleanUp { desk }),
        1 => Just(Event::ChangePolicy),
        1 => Just(Event::PinAnew),
        1 => Just(Event::NewCharter),
        1 => (who(), prop::bool::ANY).prop_map(|(who, gone)| Event::Leave { who, gone }),
    ]
}

/// What may happen at once with others.
fn simple() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..2_usize, amount(), prop::bool::ANY)
            .prop_map(|(node, amount, fresh)| Event::Call { node, amount, fresh }),
        2 => (0..2_usize, amount()).prop_map(|(node, amount)| Event::CallThenCrash { node, amount }),
        13 => by_person(answer()),
    ]
}

fn by_person(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Event> {
    let unheard = prop::bool::weighted(0.1);
    (0..2_usize, who(), deed, unheard).prop_map(|(desk, who, does, unheard)| match unheard {
        true => Event::Unheard { desk, who, does },
        false => Event::Person { desk, who, does },
    })
}

fn answer() -> impl Strategy<Value = Deed> {
    prop_oneof![
        10 => (amount(), prop::bool::weighted(0.9)).prop_map(|(amount, yes)| Deed::Answer { amount, yes }),
        1 => (amount(), amount()).prop_map(|(from, to)| Deed::Edit { from, to }),
        1 => amount().prop_map(|amount| Deed::Withdraw { amount }),
        2 => (amount(), amount(), 1..4_u32, 10..70_u32)
            .prop_map(|(amount, most, count, sum)| Deed::Allow { amount, most, count, sum }),
        1 => Just(Deed::Revoke),
    ]
}

fn stop() -> impl Strategy<Value = Deed> {
    let about = prop::sample::select(vec![
        About::Agent,
        About::Owner,
        About::Names,
        About::Tool,
        About::Everything,
        About::Other,
    ]);
    let level = prop::sample::select(vec!["off", "read-only", "approvals-only", "approvals-only", "observe"]);
    let own = prop::sample::select(vec!["normal", "normal", "approvals-only", "read-only", "off"]);
    prop_oneof![
        3 => (about, level).prop_map(|(about, level)| Deed::Order { about, level }),
        6 => Just(Deed::Lift),
        3 => prop::bool::weighted(0.3).prop_map(|yes| Deed::Suspend { yes }),
        1 => own.prop_map(|level| Deed::Restrict { level }),
        1 => Just(Deed::EndTask),
    ]
}

fn who() -> impl Strategy<Value = usize> {
    0..PEOPLE.len()
}

fn amount() -> impl Strategy<Value = u32> {
    prop::sample::select(AMOUNTS.to_vec())
}
