//! Applications: the certification scenario of the AuthZEN Authorization API 1.0, and what it does not ask.

#![expect(clippy::unwrap_used, reason = "tests")]

use provost_domain::application::{Application, RequestProperties, StoredEntity};
use provost_policy::{App, AuthzenEntity, AuthzenRequest, Found, Page};
use serde::Deserialize;
use serde_json::{Map, Value, json};

fn certification() -> Application {
    Application {
        name: "certification".parse().unwrap(),
        schema: include_str!("authzen-certification/schema.cedarschema").to_owned(),
        policies: include_str!("authzen-certification/policies.cedar").to_owned(),
        entities: serde_json::from_str(include_str!("authzen-certification/entities.json")).unwrap(),
        request_properties: RequestProperties {
            accepted: ["user.role".to_owned(), "record.status".to_owned()].into(),
        },
        buffered: false,
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    decision: bool,
    request: AuthzenRequest,
}

#[test]
fn every_case_of_the_certification_scenario_is_decided_as_it_says_and_twice_the_same() {
    let app = App::compile(&certification()).unwrap();
    let cases: Vec<Case> = serde_json::from_str(include_str!("authzen-certification/cases.json")).unwrap();
    for case in cases {
        let evaluation = app.decide(&case.request);
        assert_eq!(evaluation.verdict.is_allow(), case.decision, "{}: {:?}", case.name, evaluation.verdict);
        assert!(!evaluation.verdict.reasons().is_empty(), "{}", case.name);
        assert!(evaluation.errors.is_empty(), "{}: {:?}", case.name, evaluation.errors);
        assert_eq!(app.decide(&case.request), evaluation, "{}", case.name);
        let again = AuthzenRequest::deserialize(&evaluation.input).unwrap();
        assert_eq!(app.decide(&again), evaluation, "{}: replayed from its record", case.name);
    }
}

fn entity(kind: &str, id: &str) -> AuthzenEntity {
    AuthzenEntity { kind: kind.to_owned(), id: id.to_owned(), properties: Map::new() }
}

fn action(name: &str) -> provost_policy::AuthzenAction {
    provost_policy::AuthzenAction { name: name.to_owned(), properties: Map::new() }
}

const ALL: Page = Page { offset: 0, results_max: 100, candidates_max: 1_000 };

fn ids(found: &Found<AuthzenEntity>) -> Vec<&str> {
    found.results.iter().map(|entity| entity.id.as_str()).collect()
}

#[test]
fn searches_find_exactly_what_would_be_allowed() {
    let app = App::compile(&certification()).unwrap();
    let none = Map::new();
    let subjects =
        |does: &str, to: &str| app.search_subject("user", &action(does), &entity("record", to), &none, ALL);
    assert_eq!(ids(&subjects("read", "record-1")), ["alice", "bob"]);
    assert_eq!(ids(&subjects("write", "record-1")), ["alice"]);
    assert_eq!(ids(&subjects("paint", "record-1")), [""; 0]);
    let resources = |who: &str, does: &str| {
        app.search_resource(&entity("user", who), &action(does), "record", &none, ALL)
    };
    assert_eq!(ids(&resources("alice", "write")), ["record-1", "record-2"]);
    assert_eq!(ids(&resources("bob", "write")), [""; 0]);
    let actions = app.search_action(&entity("user", "alice"), &entity("record", "record-1"), &none, ALL);
    let names: Vec<&str> = actions.results.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(names, ["read", "write"]);
    let unknown = app.search_subject("robot", &action("read"), &entity("record", "record-1"), &none, ALL);
    assert_eq!(unknown, Found { results: Vec::new(), next: None });
}

#[test]
fn pages_of_a_search_join_to_the_whole_and_end() {
    let mut row = certification();
    for index in 0..7 {
        row.entities.push(StoredEntity {
            kind: "user".to_owned(),
            id: format!("u{index}"),
            properties: Map::new(),
            parents: Vec::new(),
        });
    }
    let app = App::compile(&row).unwrap();
    for (results_max, candidates_max) in [(1, 100), (2, 100), (4, 3), (100, 1)] {
        let (mut joined, mut offset, mut pages) = (Vec::new(), 0, 0);
        loop {
            let page = Page { offset, results_max, candidates_max };
            let found =
                app.search_subject("user", &action("read"), &entity("record", "record-1"), &Map::new(), page);
            assert!(found.results.len() <= results_max);
            joined.extend(found.results.into_iter().map(|entity| entity.id));
            pages += 1;
            assert!(pages < 20);
            match found.next {
                Some(next) => offset = next,
                None => break,
            }
        }
        assert_eq!(joined, ["alice", "bob", "u0", "u1", "u2", "u3", "u4", "u5", "u6"]);
    }
}

fn documents() -> Application {
    let entities = json!([
        { "type": "team", "id": "all" },
        { "type": "team", "id": "law", "parents": [["team", "all"]] },
        { "type": "user", "id": "ann", "parents": [["team", "law"]], "properties": { "level": 3, "quota": "2.50" } },
        { "type": "user", "id": "joe", "properties": { "level": 1, "boss": "ann" } },
        { "type": "doc", "id": "d", "properties": { "owner": { "type": "user", "id": "joe" }, "tags": ["x"] } },
    ]);
    Application {
        name: "documents".parse().unwrap(),
        schema: r#"
            type Place = { city: String, code?: Long };
            entity team in [team];
            entity user in [team] = { level: Long, boss?: user, quota?: decimal };
            entity doc = { owner: user, tags: Set<String>, place?: Place };
            action any;
            action "open", "pay" in [any] appliesTo {
                principal: [user], resource: [doc],
                context: { ip?: ipaddr, at?: datetime, action: { price?: decimal } },
            };
        "#
        .to_owned(),
        policies: r#"
            @id("team") @reason("the team may open") permit (principal in team::"all", action == Action::"open", resource);
            @id("boss") @reason("the owner's boss may do anything")
            permit (principal, action in Action::"any", resource)
            when { resource.owner has boss && resource.owner.boss == principal };
            @id("quota") @reason("over the quota") forbid (principal, action == Action::"pay", resource)
            unless { context.action has price && principal has quota && context.action.price.lessThanOrEqual(principal.quota) };
            @id("net") @reason("from outside") forbid (principal, action, resource)
            when { context has ip && !context.ip.isInRange(ip("10.0.0.0/8")) };
        "#
        .to_owned(),
        entities: serde_json::from_value(entities).unwrap(),
        request_properties: RequestProperties::default(),
        buffered: false,
    }
}

#[test]
fn groups_references_and_every_type_of_value_reach_policies() {
    let app = App::compile(&documents()).unwrap();
    let ask = |who: &str, does: Value, context: Value| {
        let request: AuthzenRequest = serde_json::from_value(json!({
            "subject": { "type": "user", "id": who }, "action": does,
            "resource": { "type": "doc", "id": "d" }, "context": context,
        }))
        .unwrap();
        let evaluation = app.decide(&request);
        assert!(evaluation.errors.is_empty(), "{:?}", evaluation.errors);
        let reasons =
            evaluation.verdict.reasons().iter().map(|reason| format!("{} {}", reason.policy, reason.reason));
        (evaluation.verdict.is_allow(), reasons.collect::<Vec<_>>().join(", "))
    };
    let open = json!({ "name": "open" });
    let pay = |price: Value| json!({ "name": "pay", "properties": { "price": price } });
    for (who, does, context, allowed, reason) in [
        (
            "ann",
            open.clone(),
            json!({}),
            true,
            "boss the owner's boss may do anything, team the team may open",
        ),
        ("joe", open.clone(), json!({}), false, "no policy permits this"),
        ("ann", open.clone(), json!({"ip": "10.1.2.3"}), true, "boss"),
        ("ann", open.clone(), json!({"ip": "192.0.2.1"}), false, "net from outside"),
        ("ann", open.clone(), json!({"ip": "nonsense"}), false, "application/documents"),
        (
            "ann",
            open.clone(),
            json!({"ip": 5}),
            false,
            "the context's `ip` must be an IP address as text, and is a number",
        ),
        ("ann", open.clone(), json!({"at": "2026-01-05T12:00:00Z", "ip": null}), true, "boss"),
        ("ann", pay(json!(2.5)), json!({}), true, "boss"),
        ("ann", pay(json!("2.51")), json!({}), false, "quota"),
        ("ann", pay(json!(0.00001)), json!({}), false, "the context's `action.price` is refused"),
        ("ann", pay(json!(2.5)), json!({"action": {"price": 9}}), true, "boss"),
        ("zoe", open, json!({}), false, "the subject's `level` is missing"),
    ] {
        let (said, reasons) = ask(who, does.clone(), context.clone());
        assert_eq!(said, allowed, "{who} {does} {context}: {reasons}");
        assert!(reasons.contains(reason), "{who} {does} {context}: {reasons}");
    }
}

#[test]
fn a_property_that_is_not_accepted_counts_only_as_stored() {
    let app = App::compile(&documents()).unwrap();
    let request: AuthzenRequest = serde_json::from_value(json!({
        "subject": { "type": "user", "id": "ann", "properties": { "quota": "999999" } },
        "action": { "name": "pay", "properties": { "price": 100 } },
        "resource": { "type": "doc", "id": "d" },
    }))
    .unwrap();
    assert!(!app.decide(&request).verdict.is_allow(), "nobody raises their own quota");
}

#[test]
fn every_fault_of_an_application_is_told_with_its_place() {
    let faults = |change: &dyn Fn(&mut Application)| {
        let mut row = documents();
        change(&mut row);
        App::compile(&row).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    type Change = Box<dyn Fn(&mut Application)>;
    let add = |text: &'static str| -> Change { Box::new(move |row| row.policies.push_str(text)) };
    let put = |entity: Value| -> Change {
        Box::new(move |row| row.entities.push(serde_json::from_value(entity.clone()).unwrap()))
    };
    let accept = |word: &'static str| -> Change {
        Box::new(move |row| row.request_properties.accepted.extend([word.to_owned()]))
    };
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|row| row.schema = "entity user = ".to_owned()), "application documents, schema:1:"),
        (Box::new(|row| row.schema = "namespace X { entity user; }".to_owned()), "has a namespace"),
        (add("permit(principal"), "application documents, policies:"),
        (add("permit(principal, action, resource);"), "the policy has no @id"),
        (
            add(r#"@id("team") @reason("x") permit(principal, action, resource);"#),
            "`team` names two policies",
        ),
        (add(r#"@id("x") permit(principal, action, resource);"#), "the policy has no @reason"),
        (
            add(r#"@id("x") @reason("y") permit(principal, action, resource) when { principal.lvl == 1 };"#),
            "lvl",
        ),
        (
            put(json!({"type": "robot", "id": "r"})),
            "application documents, entities[5]: \"robot\" \"r\": the schema has no such type",
        ),
        (put(json!({"type": "user", "id": "r"})), "`level` is missing"),
        (
            put(json!({"type": "user", "id": "r", "properties": {"level": "1"}})),
            "`level` must be a whole number",
        ),
        (put(json!({"type": "user", "id": "ann", "properties": {"level": 1}})), "is there twice"),
        (put(json!({"type": "team", "id": "t", "parents": [["team", "t"]]})), "is its own ancestor"),
        (put(json!({"type": "team", "id": "t", "properties": {"x": 1}})), "the type has no property `x`"),
        (accept("user.quotta"), "the schema has no `user.quotta`\n  do: did you mean `user.quota`?"),
        (accept("user.level"), "`user.level` is required"),
    ];
    for (change, expected) in cases {
        let found = faults(&*change);
        assert!(found.contains(expected), "{expected} is not in\n{found}");
    }
}
