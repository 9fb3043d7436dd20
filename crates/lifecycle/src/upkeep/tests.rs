use super::*;
use proptest::prelude::*;
use provost_domain::Object;
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn day(n: i64) -> Timestamp {
    Timestamp::from_millis(n * DAY)
}

fn agent(more: Value) -> Agent {
    let mut charter = json!({"purpose": "p", "owner": "maria", "deputies": ["jonas"], "environment": "production",
        "autonomy": "supervised", "task_duration_max": 1});
    charter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "id": provost_domain::ids::AgentId::from_bytes([7; 16]), "name": "clerk", "status": "active", "revision": 1,
        "charter": charter, "provenance": {"created_by": "files", "created_at": 0, "source": "files"},
    }))
    .unwrap()
}

/// Maria, who reports to ada; jonas; sid of the group; whoever is named has left.
fn people(left: &[&str], lifecycle: Value) -> Directory {
    let mut directory = Directory::default();
    let organisation = json!({"display": "d", "groups": {"keepers": {"members": ["sid"], "needs": 1}}, "lifecycle": lifecycle});
    directory.put(Object::Organisation(serde_json::from_value(organisation).unwrap()));
    for (person, manager) in [("maria", Some("ada")), ("jonas", None), ("ada", None), ("sid", None)] {
        let row = json!({"name": person, "display": person, "manager": manager, "active": !left.contains(&person), "roles": []});
        directory.put(Object::Person(serde_json::from_value(row).unwrap()));
    }
    directory
}

/// What is due, again and again until nothing is.
fn settled(
    directory: &Directory,
    mut agent: Agent,
    last: Option<Timestamp>,
    now: Timestamp,
) -> (Agent, Vec<Step>) {
    let mut steps = Vec::new();
    for _ in 0..10 {
        let Some(due) = due(directory, &agent, last, now) else { break };
        steps.push(due.step);
        match due.row {
            Some(row) => agent = row,
            // Told, and nothing else: it stays due, and is not told twice.
            None => break,
        }
    }
    (agent, steps)
}

#[test]
fn who_follows_an_owner_is_asked_in_turn_and_the_agent_only_reads_until_one_accepts() {
    let keepers = json!({"heirs": "keepers"});
    let gone = people(&["maria"], keepers.clone());
    let (row, steps) = settled(&gone, agent(json!({})), None, day(1));
    assert_eq!(
        (steps.as_slice(), row.answers(), row.level),
        (&[Step::HeirAsked][..], &name("jonas"), Level::ReadOnly)
    );
    assert!(accepted(&row, &name("ada")).unwrap_err().to_string().contains("jonas is asked"));
    // Nobody answers: the manager, then the group, then nobody.
    let (row, steps) = settled(&gone, row, None, day(4));
    assert_eq!((steps.as_slice(), row.answers()), (&[Step::HeirAsked][..], &name("ada")));
    let (row, _) = settled(&gone, row, None, day(7));
    assert_eq!(row.answers(), &name("sid"));
    let taken = accepted(&row, &name("sid")).unwrap();
    assert_eq!((&taken.charter.owner, taken.level, taken.revision), (&name("sid"), Level::Normal, 2));
    assert_eq!(settled(&gone, taken, None, day(100)).1, []);
    let (row, steps) = settled(&gone, row, None, day(10));
    assert_eq!((steps.as_slice(), row.status), (&[Step::Ownerless][..], AgentStatus::Suspended));
    assert_eq!(settled(&gone, row, None, day(11)).1, [], "what is stopped waits for nobody");
    let stopped = Agent { status: AgentStatus::Suspended, ..agent(json!({})) };
    assert_eq!(settled(&gone, stopped, None, day(1)).1, [], "and nobody is asked for it");
}

#[test]
fn an_owner_who_is_back_has_the_agent_as_it_was_and_what_people_took_meanwhile_stays_taken() {
    let (gone, back) = (people(&["maria"], json!({})), people(&[], json!({})));
    let asked = settled(&gone, agent(json!({})), None, day(1)).0;
    let (row, steps) = settled(&back, asked.clone(), None, day(2));
    assert_eq!((steps.as_slice(), row), (&[Step::OwnerBack][..], agent(json!({}))));
    let off = Agent { level: Level::Off, ..asked };
    assert_eq!(settled(&back, off, None, day(2)).0.level, Level::Off);
}

#[test]
fn a_deputy_who_left_too_is_not_asked_and_one_who_leaves_is_asked_no_more() {
    let both = people(&["maria", "jonas"], json!({}));
    let (row, _) = settled(&both, agent(json!({})), None, day(1));
    assert_eq!(row.answers(), &name("ada"));
    let asked = settled(&people(&["maria"], json!({})), agent(json!({})), None, day(1)).0;
    let (row, steps) = settled(&both, asked, None, day(1));
    assert_eq!((steps.as_slice(), row.answers()), (&[Step::HeirAsked][..], &name("ada")));
}

#[test]
fn an_agent_that_expires_is_told_of_and_then_suspended() {
    let here = people(&[], json!({}));
    let row = agent(json!({"retirement": {"expires": 100 * DAY}}));
    assert_eq!(settled(&here, row.clone(), None, day(85)).1, []);
    assert_eq!(settled(&here, row.clone(), None, day(86)).1, [Step::ExpiryNear]);
    let (row, steps) = settled(&here, row, None, day(100));
    assert_eq!((steps.as_slice(), row.status), (&[Step::Expired][..], AgentStatus::Suspended));
}

#[test]
fn an_owner_is_asked_reminded_and_then_the_agent_is_suspended() {
    let rules = people(&[], json!({"attested": 90 * DAY, "grace": 10 * DAY}));
    let row = agent(json!({}));
    assert_eq!(settled(&rules, row.clone(), None, day(89)).1, []);
    // A plane that was away for a year asks first: nobody is stopped who was not asked.
    let (row, steps) = settled(&rules, row, None, day(400));
    assert_eq!((steps.as_slice(), row.status), (&[Step::AttestationAsked][..], AgentStatus::Active));
    assert_eq!(settled(&rules, row.clone(), None, day(404)).1, []);
    assert_eq!(settled(&rules, row.clone(), None, day(405)).1, [Step::AttestationReminded]);
    let confirmed = attested(&row, "person maria", day(406));
    assert_eq!(settled(&rules, confirmed.clone(), None, day(420)).1, []);
    assert_eq!(settled(&rules, confirmed, None, day(496)).1, [Step::AttestationAsked]);
    let (row, steps) = settled(&rules, row, None, day(410));
    assert_eq!((steps.as_slice(), row.status), (&[Step::AttestationLapsed][..], AgentStatus::Suspended));
}

#[test]
fn an_idle_agent_is_told_of_first_however_long_nobody_looked() {
    let here = people(&[], json!({}));
    let row = agent(json!({"retirement": {"idle_days_max": 40}}));
    assert!(!may_be_idle(&here, &row, day(29)) && may_be_idle(&here, &row, day(30)));
    assert_eq!(settled(&here, row.clone(), Some(day(25)), day(50)).1, [], "it works");
    assert_eq!(settled(&here, row.clone(), None, day(500)).1, [], "nobody looked");
    let (row, steps) = settled(&here, row, Some(day(0)), day(500));
    assert_eq!((steps.as_slice(), row.status), (&[Step::IdleNear][..], AgentStatus::Active));
    assert_eq!(settled(&here, row.clone(), Some(day(505)), day(510)).1, [], "it works again");
    let (row, steps) = settled(&here, row, Some(day(0)), day(510));
    assert_eq!((steps.as_slice(), row.status), (&[Step::Idle][..], AgentStatus::Suspended));
    let resumed = Agent { status: AgentStatus::Active, ..row }.living(|life| life.resumed = Some(day(520)));
    assert_eq!(settled(&here, resumed, Some(day(0)), day(540)).1, [], "it has its time again");
}

#[derive(Debug, Clone)]
enum Event {
    Toggle(usize),
    Accept(usize),
    Days(i64),
}

proptest! {
    #[test]
    fn no_agent_acts_freely_without_an_owner_who_is_here(
        events in prop::collection::vec(prop_oneof![
            (0_usize..4).prop_map(Event::Toggle), (0_usize..4).prop_map(Event::Accept), (0_i64..5).prop_map(Event::Days),
        ], 0..40),
    ) {
        let all = ["maria", "jonas", "ada", "sid"];
        let mut left: Vec<&str> = Vec::new();
        let (mut row, mut now) = (agent(json!({})), 0);
        for event in events {
            match event {
                Event::Toggle(person) => match left.iter().position(|name| *name == all[person]) {
                    Some(place) => drop(left.remove(place)),
                    None => left.push(all[person]),
                },
                Event::Accept(person) if !left.contains(&all[person]) => {
                    row = accepted(&row, &name(all[person])).unwrap_or(row);
                }
                Event::Accept(_) => {}
                Event::Days(days) => now += days,
            }
            let directory = people(&left, json!({"heirs": "keepers"}));
            row = settled(&directory, row, None, day(now)).0;
            let here = !left.contains(&row.charter.owner.as_str());
            prop_assert!(here || row.level >= Level::ReadOnly || row.status == AgentStatus::Suspended);
            // And what was taken for that is given back, once somebody answers for it.
            prop_assert!(!here || row.level == Level::Normal || row.life.is_some());
        }
    }
}
