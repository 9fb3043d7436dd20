//! Whatever changed since it was laid out, what is found is what a look at every row finds.

use super::*;
use proptest::prelude::*;
use provost_domain::{Kind, Object, ObjectKey};
use serde_json::json;

const STATES: [&str; 4] = ["active", "suspended", "proposed", "decommissioned"];
const PURPOSES: [&str; 3] = ["Pays invoices", "Sorts MAIL\nand more", "pays and sorts"];

fn agent(name: &str, state: usize, says: usize) -> Object {
    let (system, purpose) = (["bank", "mail", "crm"][says % 3], PURPOSES[says % 3]);
    let (owner, environment) = (["maria", "jonas"][says % 2], ["sandbox", "production"][says % 2]);
    let status = STATES[state % 4];
    let grants = if says == 7 { json!([]) } else { json!([{ "system": system, "tools": ["look"] }]) };
    let body = json!({
        "id": "agent_00000000000000000000000000", "name": name, "status": status, "revision": 1,
        "charter": {
            "purpose": purpose, "owner": owner, "deputies": [],
            "environment": environment, "autonomy": "bounded", "data": [],
            "manifest": {}, "task_duration_max": 9, "grants": grants, "budgets": [],
        },
        "provenance": {"created_by": "maria", "created_at": 0, "source": "files"},
    });
    Object::Agent(serde_json::from_value(body).unwrap())
}

/// A name, and what happens to the agent of it: it comes or changes, or it goes.
fn step() -> impl Strategy<Value = (String, Option<(usize, usize)>)> {
    ("[a-c]{1,3}(-[ab])?", proptest::option::weighted(0.8, (0..4_usize, 0..8_usize)))
}

fn take(directory: &mut Directory, (name, becomes): &(String, Option<(usize, usize)>)) {
    match becomes {
        Some((state, says)) => directory.put(agent(name, *state, *says)),
        None => directory.remove(&ObjectKey::new(Kind::Agent, name.as_str())),
    }
}

fn sought() -> impl Strategy<Value = Sought> {
    let part = proptest::option::of("[a-c-]{0,2}");
    let status = proptest::option::of(0..4_usize);
    let owner = proptest::option::of(prop_oneof![Just("maria"), Just("nobody")]);
    let environment = proptest::option::of(Just(Environment::Production));
    let system = proptest::option::of(prop_oneof![Just("bank"), Just("nowhere")]);
    (part, status, owner, environment, system).prop_map(|(part, status, owner, environment, system)| Sought {
        part,
        status: status.map(|state| serde_json::from_value(json!(STATES[state])).unwrap()),
        owner: owner.map(|name| name.parse().unwrap()),
        environment,
        system: system.map(|name| name.parse().unwrap()),
    })
}

fn names(agents: Vec<&Arc<Agent>>) -> Vec<String> {
    agents.into_iter().map(|agent| agent.name.to_string()).collect()
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_look_at_every_row_finds(
        before in proptest::collection::vec(step(), 0..40),
        since in proptest::collection::vec(step(), 0..12),
        sought in sought(),
        after in proptest::option::of("[a-c]{0,3}"),
        part in "[a-c]{1,2}",
        most in 1..8_usize,
    ) {
        let mut directory = Directory::default();
        before.iter().for_each(|step| take(&mut directory, step));
        let flat = Arc::new(Flat::of(&directory));
        since.iter().for_each(|step| take(&mut directory, step));
        let touched = directory.agents_touched_since(flat.mark).unwrap().cloned().collect();
        let look = Look { flat, directory: directory.clone(), touched };

        let mut all: Vec<&Arc<Agent>> = directory.agents.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let fits = |agent: &&&Arc<Agent>| sought.fits(agent) && after.as_deref().is_none_or(|after| agent.name.as_str() > after);
        let expected = names(all.iter().filter(fits).take(most).copied().collect());
        prop_assert_eq!(names(look.agents(&sought, after.as_deref(), most)), expected);

        let mut named: Vec<&Arc<Agent>> = all.iter().filter(|agent| agent.name.as_str().contains(&part)).copied().collect();
        named.sort_by_key(|agent| (!agent.name.as_str().starts_with(&part), agent.name.clone()));
        named.truncate(most);
        prop_assert_eq!(names(look.named(&part, most)), names(named));

        for words in ["pays", "mail", "sorts mail", "nothing"] {
            let meant = |agent: &&&Arc<Agent>| agent.charter.purpose.to_ascii_lowercase().replace('\n', " ").contains(words);
            let expected = names(all.iter().filter(meant).take(most).copied().collect());
            prop_assert_eq!(names(look.meant_for(words, most)), expected, "{}", words);
        }

        let mut counts = BTreeMap::new();
        all.iter().for_each(|agent| *counts.entry(agent.status).or_insert(0) += 1);
        prop_assert_eq!(look.by_status(), counts);
    }
}

#[test]
fn an_agent_that_went_takes_no_other_ones_place_in_what_is_found() {
    let mut directory = Directory::default();
    ["b-a", "b", "a-b"].iter().for_each(|name| directory.put(agent(name, 0, 0)));
    let flat = Arc::new(Flat::of(&directory));
    directory.remove(&ObjectKey::new(Kind::Agent, "b"));
    let touched = directory.agents_touched_since(flat.mark).unwrap().cloned().collect();
    let look = Look { flat, directory, touched };
    assert_eq!(names(look.named("b", 1)), ["b-a"]);
}

#[tokio::test]
async fn a_layout_that_is_behind_is_followed_by_the_next_and_answers_are_always_of_now() {
    let inventory = Inventory::default();
    let mut directory = Directory::default();
    directory.put(agent("first", 0, 0));
    assert_eq!(inventory.look_at(directory.clone()).await.unwrap().by_status().len(), 1);
    for n in 0..=TOUCHED_MAX {
        directory.put(agent(&format!("n{n}"), 1, 0));
    }
    let suspended = serde_json::from_value(json!("suspended")).unwrap();
    let seen = async || inventory.look_at(directory.clone()).await.unwrap();
    assert_eq!(seen().await.by_status()[&suspended], TOUCHED_MAX + 1);
    for _look in 0..2_000 {
        if seen().await.touched.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let look = seen().await;
    assert!(look.touched.is_empty(), "the next layout was made");
    assert_eq!(look.by_status()[&suspended], TOUCHED_MAX + 1);
}

/// `cargo nextest run --release -p provost-control --run-ignored all a_million_agents --no-capture` prints how long each takes.
#[tokio::test]
#[ignore = "a measurement: it asserts no time"]
async fn a_million_agents_are_laid_out_listed_counted_and_searched() {
    let models: Vec<Agent> = (0..12)
        .map(|n| match agent("model", n, n) {
            Object::Agent(agent) => agent,
            _ => unreachable!(),
        })
        .collect();
    let mut directory = Directory::default();
    for n in 0..1_000_000_u32 {
        let mut one = models[n as usize % models.len()].clone();
        one.name = format!("robot-{:06}", n.wrapping_mul(389) % 1_000_000).parse().unwrap();
        // No two are for quite the same.
        one.charter.purpose = format!("{} of customer {n}", one.charter.purpose).into();
        directory.put(Object::Agent(one));
    }
    let inventory = Inventory::default();
    let timed = |what: &str, does: &mut dyn FnMut() -> usize| {
        let mut took: Vec<std::time::Duration> = Vec::new();
        let mut found = 0;
        for _ in 0..11 {
            let started = std::time::Instant::now();
            found = does();
            took.push(started.elapsed());
        }
        took.sort();
        println!("{what:<44} median {:>9.3?}, worst {:>9.3?} ({found})", took[5], took[10]);
    };
    let started = std::time::Instant::now();
    inventory.look_at(directory.clone()).await.unwrap();
    println!("laid out once                                {:.3?}", started.elapsed());
    for n in 0..1_000 {
        directory.put(agent(&format!("robot-{n:06}"), 1, n));
    }
    let look = inventory.look_at(directory.clone()).await.unwrap();
    let page = |sought: Sought, after: Option<&str>| look.agents(&sought, after, 51).len();
    let part = |part: &str| Sought { part: Some(part.to_owned()), ..Sought::default() };
    timed("the first page", &mut || page(Sought::default(), None));
    timed("a page from the middle", &mut || page(Sought::default(), Some("robot-500000")));
    timed("a page of names that have `999`", &mut || page(part("999"), None));
    timed("a page of names that have `zzz`: none", &mut || page(part("zzz"), None));
    let owner = Sought { owner: Some("nobody".parse().unwrap()), ..Sought::default() };
    timed("a page of an owner who has none", &mut || page(owner.clone(), None));
    timed("search `robot-500000`", &mut || {
        look.named("robot-500000", 11).len() + look.meant_for("robot-500000", 22).len()
    });
    timed("search `customer 77777`", &mut || {
        look.named("customer 77777", 11).len() + look.meant_for("customer 77777", 22).len()
    });
    timed("search `nothing-is-so`: none", &mut || {
        look.named("nothing-is-so", 11).len() + look.meant_for("nothing-is-so", 22).len()
    });
    timed("how many in each state", &mut || look.by_status().len());
    let mut every = || directory.agents.values().filter(|agent| agent.name.as_str().contains("zzz")).count();
    timed("for comparison: a look at every row", &mut every);
}
