use super::*;
use crate::TaskDetail;
use crate::arg_rule::tests::{allows, rules, values};
use crate::testing::{NOW, NOW_S};
use proptest::prelude::*;
use provost_domain::{ToolName, charter::Scalar};
use std::collections::{BTreeMap, BTreeSet};

const PLANE: &str = "https://plane/mcp";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The chain `c, b, a` for the person `maria`: `c` acts now.
fn chain(agents: &[&str]) -> Option<Actor> {
    agents
        .iter()
        .rev()
        .fold(None, |act, agent| Some(Actor { sub: name(agent), iss: None, act: act.map(Box::new) }))
}

fn subject(agents: &[&str]) -> ExchangeSubject {
    ExchangeSubject {
        sub: name("maria"),
        act: chain(agents),
        may_act: None,
        audience: Some(PLANE.into()),
        exp: NOW_S + 300,
        scope: None,
        details: None,
    }
}

struct Given {
    subject: ExchangeSubject,
    request: ExchangeRequest,
    actor: Name,
    agents: Vec<Name>,
    delegation: Vec<Delegation>,
    children_alive: u32,
    principal_is_agent: bool,
    actor_exp: i64,
    may_act_required: bool,
}

impl Given {
    /// `agents` act for maria, and `d` is to take over; every charter allows much.
    fn new(agents: &[&str]) -> Self {
        let much = Delegation { depth_max: 9, children_max: 9 };
        Self {
            subject: subject(agents),
            request: ExchangeRequest::default(),
            actor: name("d"),
            agents: agents.iter().map(|agent| name(agent)).collect(),
            delegation: vec![much; agents.len()],
            children_alive: 0,
            principal_is_agent: false,
            actor_exp: NOW_S + 900,
            may_act_required: false,
        }
    }

    fn result(&self) -> Result<Delegated, OauthError> {
        let links: Vec<ExchangeLink<'_>> = self
            .agents
            .iter()
            .zip(&self.delegation)
            .map(|(agent, delegation)| ExchangeLink {
                agent,
                delegation: *delegation,
                children_alive: self.children_alive,
            })
            .collect();
        let rules = ExchangeRules {
            actor: &self.actor,
            chain: &links,
            principal_is_agent: self.principal_is_agent,
            actor_exp: self.actor_exp,
            lifetime_seconds_max: 600,
            may_act_required: self.may_act_required,
        };
        self.subject.delegate(&self.request, &rules, NOW)
    }

    fn refused(&self) -> OauthCode {
        self.result().unwrap_err().code()
    }
}

#[test]
fn the_actor_becomes_outermost_and_the_history_stays() {
    let done = Given::new(&["c", "b", "a"]).result().unwrap();
    assert_eq!(done.sub.as_str(), "maria");
    let links: Vec<String> = done.act.links().map(|actor| actor.sub.to_string()).collect();
    assert_eq!(links, ["d", "c", "b", "a"]);

    // A person who signed in, and an agent of hers: never a token of the person alone.
    let mut person = Given::new(&[]);
    person.subject = ExchangeSubject::person(name("maria"), NOW_S + 300);
    person.request.audience = Some(PLANE.into());
    let done = person.result().unwrap();
    assert_eq!((done.act.sub.as_str(), done.act.depth(), done.audience.as_deref()), ("d", 1, Some(PLANE)));

    // An agent on its own hands on.
    let mut alone = Given::new(&["a"]);
    alone.subject = ExchangeSubject { sub: name("a"), act: None, ..subject(&[]) };
    alone.principal_is_agent = true;
    let done = alone.result().unwrap();
    assert_eq!((done.sub.as_str(), done.act.sub.as_str(), done.act.depth()), ("a", "d", 1));
}

#[test]
fn nobody_gets_into_a_chain_twice() {
    for actor in ["c", "b", "a", "maria"] {
        let mut given = Given::new(&["c", "b", "a"]);
        given.actor = name(actor);
        assert_eq!(given.refused(), OauthCode::InvalidRequest, "{actor}");
    }
}

#[test]
fn may_act_is_obeyed() {
    let may = |sub: &str| Some(MayAct { sub: name(sub), iss: None });
    for (may_act, required, good) in [
        (None, false, true),
        (None, true, false),
        (may("d"), true, true),
        (may("e"), false, false),
        (may("d"), false, true),
    ] {
        let mut given = Given::new(&["c"]);
        given.subject.may_act = may_act.clone();
        given.may_act_required = required;
        assert_eq!(given.result().is_ok(), good, "{may_act:?} {required}");
    }
}

#[test]
fn every_charter_above_counts_depth_from_itself() {
    let depths = |depths: &[u8]| {
        let mut given = Given::new(&["c", "b", "a"]);
        given.delegation =
            depths.iter().map(|depth| Delegation { depth_max: *depth, children_max: 9 }).collect();
        given.result().is_ok()
    };
    for (given, good) in
        [([1, 2, 3], true), ([0, 9, 9], false), ([9, 1, 9], false), ([9, 9, 2], false), ([9, 9, 9], true)]
    {
        assert_eq!(depths(&given), good, "{given:?}");
    }
    let long: Vec<String> = (0..16).map(|n| format!("a{n}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let mut given = Given::new(&long);
    given.delegation = vec![Delegation { depth_max: 255, children_max: 9 }; 16];
    assert_eq!(given.refused(), OauthCode::InvalidRequest, "as long as tokens can be");
}

#[test]
fn the_number_of_children_is_capped_by_the_tightest_charter_above() {
    for (alive, most, good) in
        [(0, [1, 9], true), (1, [1, 9], false), (1, [9, 1], false), (8, [9, 9], true), (0, [0, 9], false)]
    {
        let mut given = Given::new(&["b", "a"]);
        given.children_alive = alive;
        given.delegation = most.map(|children_max| Delegation { depth_max: 9, children_max }).to_vec();
        assert_eq!(given.result().is_ok(), good, "{alive} {most:?}");
    }
}

#[test]
fn the_chain_handed_in_must_be_the_tokens() {
    for agents in [&["b", "c"][..], &["c"], &["c", "b", "a"], &[], &["c", "x"]] {
        let mut given = Given::new(&["c", "b"]);
        given.agents = agents.iter().map(|agent| name(agent)).collect();
        given.delegation = vec![Delegation { depth_max: 9, children_max: 9 }; agents.len()];
        assert_eq!(given.refused(), OauthCode::InvalidRequest, "{agents:?}");
    }
    let mut given = Given::new(&["c", "b"]);
    given.principal_is_agent = true;
    assert_eq!(given.refused(), OauthCode::InvalidRequest, "the principal's charter is missing");
}

#[test]
fn the_end_is_the_earliest_of_all() {
    for (subject_exp, actor_exp, wanted) in [
        (NOW_S + 300, NOW_S + 900, Some(NOW_S + 300)),
        (NOW_S + 900, NOW_S + 200, Some(NOW_S + 200)),
        (NOW_S + 9_000, NOW_S + 9_000, Some(NOW_S + 600)),
        (NOW_S, NOW_S + 900, None),
        (NOW_S + 300, NOW_S - 1, None),
    ] {
        let mut given = Given::new(&["c"]);
        given.subject.exp = subject_exp;
        given.actor_exp = actor_exp;
        assert_eq!(given.result().ok().map(|done| done.exp), wanted, "{subject_exp} {actor_exp}");
    }
}

#[test]
fn audience_and_scope_only_narrow() {
    for (held, wanted, good) in [
        (PLANE, None, true),
        (PLANE, Some(PLANE), true),
        (PLANE, Some("https://plane/mcp/bank"), true),
        ("https://plane/mcp/bank", Some(PLANE), false),
        ("https://plane/mcp/bank", Some("https://plane/mcp/mail"), false),
        ("https://plane/mcp/bank", Some("https://plane/mcp/bank-2"), false),
        (PLANE, Some("https://plane/mcp/"), false),
        (PLANE, Some("https://plane/mcp/../admin"), false),
        (PLANE, Some("https://plane/mcp/bank/x"), false),
        (PLANE, Some("https://plane/mcp/bank?x"), false),
        (PLANE, Some("https://plane/mcp/ bank"), false),
        (PLANE, Some("https://plane/mcpx"), false),
        (PLANE, Some("https://evil/mcp"), false),
    ] {
        let mut given = Given::new(&["c"]);
        given.subject.audience = Some(held.into());
        given.request.audience = wanted.map(str::to_owned);
        let result = given.result();
        assert_eq!(result.is_ok(), good, "{held} {wanted:?}");
        match result {
            Ok(done) => assert_eq!(done.audience.as_deref(), wanted.or(Some(held))),
            Err(error) => assert_eq!(error.code(), OauthCode::InvalidTarget),
        }
    }
    for (held, wanted, result) in [
        (None, None, Some(None)),
        (Some("a b"), None, Some(Some("a b"))),
        (Some("a b"), Some("b"), Some(Some("b"))),
        (Some("a b"), Some("b c"), None),
        (None, Some("a"), None),
    ] {
        let mut given = Given::new(&["c"]);
        given.subject.scope = held.map(|text| text.parse().unwrap());
        given.request.scope = wanted.map(|text| text.parse().unwrap());
        let done = given.result().ok().map(|done| done.scope.map(|scope| scope.to_string()));
        assert_eq!(done, result.map(|scope| scope.map(str::to_owned)), "{held:?} {wanted:?}");
    }
}

fn details() -> impl Strategy<Value = Option<Details>> {
    let tools = prop::collection::btree_set("[xyz]".prop_map(|t| t.parse::<ToolName>().unwrap()), 0..3);
    let args = prop::collection::btree_map("[mn]", rules(), 0..3);
    let entry = ("[st]", tools, args)
        .prop_map(|(system, tools, args)| TaskDetail::new(system.parse().unwrap(), tools, args));
    prop::option::of(prop::collection::vec(entry, 1..4))
        .prop_map(|entries| entries.and_then(|entries| Details::new(entries).ok()))
}

/// Whether details allow a call; entries add up.
fn permits(
    details: Option<&Details>,
    system: &str,
    tool: &str,
    args: &BTreeMap<String, Option<Scalar>>,
) -> bool {
    let Some(details) = details else { return true };
    details.entries().iter().any(|entry| {
        entry.system.as_str() == system
            && (entry.tools.is_empty() || entry.tools.contains(tool))
            && entry.args.iter().all(|(path, rule)| allows(rule, args.get(path).and_then(Option::as_ref)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn delegation_never_widens(
        held in details(), wanted in details(), system in "[st]", tool in "[xyz]",
        m in values(), n in values(),
        subject_exp in -10..1_000_i64, actor_exp in -10..1_000_i64,
        depths in prop::collection::vec(0..5_u8, 0..4),
    ) {
        let agents: Vec<String> = (0..depths.len()).map(|n| format!("a{n}")).collect();
        let mut given = Given::new(&agents.iter().map(String::as_str).collect::<Vec<_>>());
        given.delegation = depths.iter().map(|depth| Delegation { depth_max: *depth, children_max: 1 }).collect();
        given.subject.details.clone_from(&held);
        given.subject.exp = NOW_S + subject_exp;
        given.actor_exp = NOW_S + actor_exp;
        given.request.details.clone_from(&wanted);
        if let Ok(done) = given.result() {
            let args = BTreeMap::from([("m".to_owned(), m), ("n".to_owned(), n)]);
            let both = permits(held.as_ref(), &system, &tool, &args) && permits(wanted.as_ref(), &system, &tool, &args);
            prop_assert_eq!(permits(done.details.as_ref(), &system, &tool, &args), both);
            prop_assert!(done.exp <= given.subject.exp && done.exp <= given.actor_exp && done.exp <= NOW_S + 600);
            prop_assert!(depths.iter().enumerate().all(|(above, depth)| usize::from(*depth) > above));
            prop_assert_eq!(done.act.depth(), depths.len() + 1);
            prop_assert_eq!(done.act.act.as_deref(), given.subject.act.as_ref());
            let distinct: BTreeSet<&Name> = done.act.links().map(|actor| &actor.sub).collect();
            prop_assert_eq!(distinct.len(), done.act.depth());
        }
    }
}
