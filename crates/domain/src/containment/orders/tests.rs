use super::super::{ContainmentStatus, Restraint, Who};
use super::*;
use crate::{Effect, Environment, Level, Object, Timestamp, organisation::Group};
use proptest::prelude::*;

fn agent(name: &str, owner: &str, model: Option<&str>) -> Agent {
    let Object::Agent(mut agent) = crate::pool::tests::agent(name, "500.0") else { unreachable!() };
    agent.charter.owner = owner.parse().unwrap();
    let manifest = model.map(|model| ("model".to_owned(), serde_json::Value::from(model)));
    agent.charter.manifest = serde_json::from_value(manifest.into_iter().collect()).unwrap();
    agent
}

fn order(id: &str, scope: Scope, level: Restraint) -> Containment {
    let by = Who { person: None, shown_by: "plane".to_owned() };
    let status = ContainmentStatus::InForce;
    let (reason, at) = ("r".to_owned(), Timestamp::from_millis(1));
    Containment {
        id: id.to_owned(),
        scope,
        level,
        reason,
        by,
        at,
        status,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    }
}

fn scope(json: serde_json::Value) -> Scope {
    serde_json::from_value(json).unwrap()
}

/// Maria is of finance.
fn organisation() -> Organisation {
    Organisation {
        display: String::new(),
        production_revocation_max: None,
        groups: [(
            "finance".parse().unwrap(),
            Group { members: ["maria".parse().unwrap()].into(), needs: 1 },
        )]
        .into(),
        approvals: Default::default(),
        changes: Default::default(),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    }
}

#[test]
fn an_order_is_about_what_all_its_words_say() {
    let organisation = organisation();
    let clerk = agent("invoice-clerk", "maria", Some("gpt-9-mini"));
    let environment = match clerk.charter.environment {
        Environment::Production => ("production", "sandbox"),
        Environment::Staging => ("staging", "sandbox"),
        Environment::Sandbox => ("sandbox", "production"),
    };
    let rows = [
        (serde_json::json!({}), true),
        (serde_json::json!({"agent": "invoice-clerk"}), true),
        (serde_json::json!({"agent": "other"}), false),
        (serde_json::json!({"owner": "maria"}), true),
        (serde_json::json!({"owner": "tom"}), false),
        (serde_json::json!({"group": "finance"}), true),
        (serde_json::json!({"group": "legal"}), false),
        (serde_json::json!({"like": "invoice-*"}), true),
        (serde_json::json!({"like": "payment-*"}), false),
        (serde_json::json!({"model": "gpt-9*"}), true),
        (serde_json::json!({"model": "other"}), false),
        (serde_json::json!({"environment": environment.0}), true),
        (serde_json::json!({"environment": environment.1}), false),
        (serde_json::json!({"system": "bank"}), true),
        (serde_json::json!({"system": "mail"}), false),
        (serde_json::json!({"system": "bank", "tool": "pay"}), true),
        (serde_json::json!({"system": "bank", "tool": "list"}), false),
        (serde_json::json!({"owner": "maria", "system": "bank"}), true),
        (serde_json::json!({"owner": "tom", "system": "bank"}), false),
        (serde_json::json!({"agent": "invoice-clerk", "system": "mail"}), false),
    ];
    for (wanted, hit) in rows {
        let mut orders = Orders::default();
        orders.put(order("containment_1", scope(wanted.clone()), Restraint::Off));
        let (bank, pay) = ("bank".parse().unwrap(), "pay".parse().unwrap());
        let found = orders.matching(&clerk, Some(&organisation), &bank, Some(&pay)).count() == 1;
        assert_eq!(found, hit, "{wanted}");
        let level = orders.restriction(&clerk, Some(&organisation), &bank, &pay).level;
        assert_eq!(level == Level::Off, hit, "{wanted}");
        orders.remove("containment_1");
        assert_eq!(orders.matching(&clerk, Some(&organisation), &bank, Some(&pay)).count(), 0);
        assert!(orders.places.is_empty() && orders.kinds == [0; KINDS]);
    }
}

#[test]
fn several_orders_leave_what_each_of_them_leaves() {
    let clerk = agent("clerk", "maria", None);
    let (bank, pay) = ("bank".parse().unwrap(), "pay".parse().unwrap());
    let mut orders = Orders::default();
    let tier = Restraint::Without { effects: [Effect::Financial].into() };
    orders.put(order("1", Scope::default(), Restraint::ApprovalsOnly));
    orders.put(order("2", scope(serde_json::json!({"owner": "maria"})), Restraint::ReadOnly));
    orders.put(order("3", scope(serde_json::json!({"system": "bank"})), tier));
    orders.put(order("4", scope(serde_json::json!({"agent": "clerk"})), Restraint::Observe));
    let left = orders.restriction(&clerk, None, &bank, &pay);
    assert_eq!((left.level, left.asks), (Level::ReadOnly, true), "reading waits for the owner too");
    assert_eq!(left.without, [Effect::Financial].into());
    orders.put(order("4", scope(serde_json::json!({"agent": "clerk"})), Restraint::Off));
    assert_eq!(orders.restriction(&clerk, None, &bank, &pay).level, Level::Off);
    orders.remove("4");
    assert_eq!(orders.restriction(&clerk, None, &bank, &pay).level, Level::ReadOnly);
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let name = |names: &'static [&'static str]| {
        prop::option::weighted(0.4, prop::sample::select(names))
            .prop_map(|name| name.map(|n| n.parse().unwrap()))
    };
    let texts = |texts: &'static [&'static str]| {
        prop::option::weighted(0.2, prop::sample::select(texts)).prop_map(|text| text.map(str::to_owned))
    };
    (
        name(&["a", "b"]),
        name(&["maria", "tom"]),
        texts(&["a*", "*", "a", "ab*", "*b", "", "a\\*"]),
        texts(&["m*", "x", "*1", "m1"]),
        name(&["bank", "mail"]),
        name(&["finance", "legal"]),
    )
        .prop_map(|(agent, owner, like, model, system, group)| Scope {
            agent,
            owner,
            like,
            model,
            system,
            group,
            ..Scope::default()
        })
}

proptest! {
    /// The index finds what a look at every order would find, whatever was put and taken out before.
    #[test]
    fn the_index_finds_what_looking_at_every_order_would(
        steps in prop::collection::vec((0..6_u8, prop::option::weighted(0.8, any_scope())), 0..24)
    ) {
        let mut orders = Orders::default();
        let mut plain = std::collections::BTreeMap::new();
        for (id, put) in steps {
            let id = id.to_string();
            match put {
                Some(scope) => {
                    orders.put(order(&id, scope.clone(), Restraint::Off));
                    plain.insert(id, scope);
                }
                None => {
                    orders.remove(&id);
                    plain.remove(&id);
                }
            }
        }
        let organisation = organisation();
        let all = Some(&organisation);
        for (name, owner) in [("a", "maria"), ("b", "maria"), ("a", "tom"), ("c", "kim"), ("ab", "kim")] {
            let agent = agent(name, owner, Some("m1"));
            for system in ["bank", "mail"] {
                let system: Name = system.parse().unwrap();
                let mut found: Vec<&str> =
                    orders.matching(&agent, all, &system, None).map(|order| order.id.as_str()).collect();
                found.sort_unstable();
                let wanted: Vec<&str> = plain.iter()
                    .filter(|(_id, scope)| scope.has_call(&system, None) && scope.has_agent(&agent, all))
                    .map(|(id, _)| id.as_str()).collect();
                prop_assert_eq!(found, wanted);
            }
        }
    }
}
