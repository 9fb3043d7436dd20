//! Whom a connector governs: those it made or was given, and nobody else; and what its groups give.

use crate::{CONNECTORS, Stage, apply, refused};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_neither_sees_nor_touches_people_and_groups_of_others() {
    let stage = Stage::built().await;
    let served = &stage.served;
    let ada = stage.user("ada@test.example").await;
    let team = stage.group("Team", &[&ada]).await;
    let other = async |method: &str, path: &str, body: Option<Value>| {
        served.send(method, &format!("/scim/v2{path}"), Some(&stage.okta), body.as_ref()).await
    };
    let body = Some(json!({"userName": "mine@test.example", "displayName": "Mine"}));
    let patch = Some(json!({"Operations": [{"op": "replace", "path": "active", "value": false}]}));
    for id in [&*ada, "maria", "jonas", "checkout", "clerk", "nobody"] {
        let path = format!("/Users/{id}");
        for (method, body) in
            [("GET", None), ("PUT", body.clone()), ("PATCH", patch.clone()), ("DELETE", None)]
        {
            refused(&other(method, &path, body).await, 404, None);
        }
    }
    let path = format!("/Groups/{team}");
    for (method, body) in [("GET", None), ("PUT", body.clone()), ("PATCH", patch.clone()), ("DELETE", None)] {
        refused(&other(method, &path, body).await, 404, None);
    }
    assert_eq!(other("GET", "/Users", None).await.ok()["totalResults"], 0);
    assert_eq!(other("GET", "/Groups", None).await.ok()["totalResults"], 0);
    let filter = "/Users?filter=userName+eq+%22ada%40test.example%22";
    assert_eq!(other("GET", filter, None).await.ok()["totalResults"], 0);
    let group = Some(json!({"displayName": "Team", "members": [{"value": ada}]}));
    refused(&other("POST", "/Groups", group).await, 400, Some("invalidValue"));
    assert_eq!(stage.person("ada").await["active"], true);
    // A name of one connector says nothing about those of another.
    let same = other("POST", "/Users", Some(json!({"userName": "ada@test.example"}))).await;
    assert_eq!((same.status, &same.body["id"]), (201, &json!("ada-2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_files_declare_is_taken_by_nobody_and_linked_by_an_administrator() {
    let stage = Stage::built().await;
    let served = &stage.served;
    let email = CONNECTORS.to_owned() + "[person.paul]\ndisplay = \"Paul\"\nemail = \"paul@test.example\"\n";
    apply(served, &email).await;
    let table = [
        json!({"userName": "maria@test.example"}),
        json!({"userName": "MARIA"}),
        json!({"userName": "someone", "emails": [{"value": "PAUL@test.example"}]}),
    ];
    for body in table {
        let answer = stage.send("POST", "/Users", Some(body)).await;
        refused(&answer, 409, Some("uniqueness"));
        assert!(
            answer.body["detail"].as_str().unwrap().contains("provost connector link"),
            "{:#}",
            answer.body
        );
    }
    let link = json!({"person": "jonas", "user_name": "Jonas@test.example", "external_id": "j-1", "reason": "the same"});
    served.post("/connectors/entra/people", link.clone()).await.ok();
    assert_eq!(served.post("/connectors/okta/people", link).await.status, 409, "one connector has somebody");
    assert_eq!(stage.found("/Users", r#"userName eq "jonas@test.example""#).await, ["jonas"]);
    let said = json!({"userName": "Jonas@test.example", "externalId": "j-1", "displayName": "The Boss", "active": true,
        "emails": [{"value": "boss@test.example"}]});
    let put = stage.send("PUT", "/Users/jonas", Some(said)).await.ok();
    assert_eq!(put["displayName"], "The Boss", "it is answered what it said");
    let jonas = stage.person("jonas").await;
    assert_eq!((&jonas["display"], jonas.get("email")), (&json!("Jonas"), None), "files say who they are");
    stage.patch("/Users/jonas", json!([{"op": "replace", "path": "active", "value": false}])).await.ok();
    assert_eq!(stage.person("jonas").await["active"], false);
    apply(served, &email).await;
    assert_eq!(
        stage.person("jonas").await["active"],
        false,
        "files do not bring back whom the connector let go"
    );
    stage.patch("/Users/jonas", json!([{"op": "replace", "path": "active", "value": true}])).await.ok();
    assert_eq!(stage.person("jonas").await["active"], true);
    served.delete("/connectors/entra/people/jonas?reason=no+more").await.ok();
    refused(&stage.get("/Users/jonas").await, 404, None);
    assert_eq!(stage.person("jonas").await["active"], true);
    assert_eq!(served.delete("/connectors/entra/people/maria?reason=x").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_connector_made_stays_when_files_are_applied_whole_and_is_described_by_files_that_name_them()
 {
    let stage = Stage::built().await;
    let ada = stage.user("ada@test.example").await;
    let mut files = crate::common::files().as_array().unwrap().clone();
    files.push(json!({"path": "connectors.toml", "text": CONNECTORS}));
    let whole =
        json!({"files": files, "reason": "whole", "prune": true, "break_glass": true, "person": "maria"});
    stage.served.post("/apply", whole).await.ok();
    assert_eq!(stage.person(&ada).await["active"], true);
    assert_eq!(stage.get("/Users/ada").await.status, 200);
    apply(&stage.served, &format!("{CONNECTORS}[person.ada]\ndisplay = \"Countess\"\n")).await;
    stage.patch("/Users/ada", json!([{"op": "replace", "path": "displayName", "value": "Ada"}])).await.ok();
    assert_eq!(stage.person("ada").await["display"], "Countess");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_give_nothing_until_an_administrator_says_so_and_then_to_their_members_at_once() {
    let stage = Stage::built().await;
    let ada = stage.user("ada@test.example").await;
    let roles = async || stage.person("ada").await.get("roles").cloned().unwrap_or(json!([]));
    let finance = || {
        let view = stage.served.plane.replica.latest();
        let groups = &view.directory.organisation.as_ref().unwrap().groups;
        groups.get("finance").unwrap().members.contains("ada")
    };
    stage.group("Administrators", &[&ada]).await;
    let body = json!({"userName": "ada@test.example", "roles": ["administrator"], "entitlements": [{"value": "administrator"}]});
    stage.send("PUT", "/Users/ada", Some(body)).await.ok();
    assert_eq!(roles().await, json!([]), "neither a group's name nor an attribute is a role");
    let group = stage.group("Finance Approvers", &[]).await;
    let path = format!("/Groups/{group}");
    assert_eq!((roles().await, finance()), (json!([]), false));
    stage.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": ada}]}])).await.ok();
    assert_eq!((roles().await, finance()), (json!(["approver"]), true));
    stage.patch("/Users/ada", json!([{"op": "replace", "path": "active", "value": false}])).await.ok();
    stage.patch("/Users/ada", json!([{"op": "replace", "path": "active", "value": true}])).await.ok();
    stage.patch(&path, json!([{"op": "replace", "path": "displayName", "value": "Finance"}])).await.ok();
    assert_eq!((roles().await, finance()), (json!([]), false), "a group of another name gives nothing");
    stage
        .patch(&path, json!([{"op": "replace", "path": "displayName", "value": "Finance Approvers"}]))
        .await
        .ok();
    assert_eq!((roles().await, finance()), (json!(["approver"]), true));
    // The mapping is the administrator's: without it the same group gives nothing.
    apply(&stage.served, &CONNECTORS.replace("\"Finance Approvers\" =", "\"Others\" =")).await;
    assert_eq!((roles().await, finance()), (json!([]), false));
    apply(&stage.served, CONNECTORS).await;
    assert_eq!(roles().await, json!(["approver"]));
    // Of another connector, a group of that name is another group.
    let send = async |path: &str, body: Value| {
        stage.served.send("POST", &format!("/scim/v2{path}"), Some(&stage.okta), Some(&body)).await
    };
    let bob = send("/Users", json!({"userName": "bob"})).await.body["id"].clone();
    send("/Groups", json!({"displayName": "Provost Administrators", "members": [{"value": bob}]})).await;
    assert!(stage.person("bob").await.get("roles").is_none());
    assert_eq!(stage.send("DELETE", &path, None).await.status, 204);
    assert_eq!((roles().await, finance()), (json!([]), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_ten_thousand_is_listed_without_them_and_changed_by_one() {
    let stage = Stage::built().await;
    let plane = &stage.served.plane;
    // Made beside the protocol, since ten thousand requests are a test of patience.
    let connector: provost_domain::Name = "entra".parse().unwrap();
    let first = stage.user("member@test.example").await;
    let team = stage.group("All", &[]).await;
    let like = plane.replica.latest().directory.people.get(first.as_str()).unwrap().as_ref().clone();
    let writes = (0..10_000).map(|number| {
        let mut row = like.clone();
        row.name = format!("member{number}").parse().unwrap();
        let said = row.provisioned.as_mut().unwrap();
        said.user_name = format!("member{number}@test.example");
        assert_eq!(said.connector, connector);
        provost_store::Write::Put { expected: 0, object: provost_domain::Object::Person(row) }
    });
    let by = provost_store::Attribution { actor: "test".to_owned(), why: "many".to_owned() };
    let change = provost_store::ChangeSet { by, at: plane.now(), writes: writes.collect() };
    plane.store.commit(change).await.unwrap();
    let all: Vec<Value> = (0..10_000).map(|number| json!({"value": format!("member{number}")})).collect();
    let path = format!("/Groups/{team}");
    let added = stage.patch(&path, json!([{"op": "add", "path": "members", "value": all}])).await.ok();
    assert_eq!(added["members"].as_array().unwrap().len(), 10_000);
    let lean = stage.get("/Groups?excludedAttributes=members").await.ok();
    assert!(lean.to_string().len() < 2_000, "{}", lean.to_string().len());
    assert!(stage.get(&format!("{path}?excludedAttributes=members")).await.ok().get("members").is_none());
    let before = plane.store.head().await.unwrap();
    let one = json!([{"op": "remove", "path": "members[value eq \"member7\"]"}]);
    stage.patch(&format!("{path}?excludedAttributes=members"), one).await.ok();
    let records = plane.store.tail(before, 100).await.unwrap();
    assert_eq!(records.len(), 2, "the group's row and that of who left it");
    assert!(serde_json::to_string(&records).unwrap().len() < 5_000, "and not those who stayed");
}

const LOGINS: &str = r#"
[issuer.acme]
description = "Where people sign in"
issuer = "https://idp.example"
keys = "discovery"
owner = "maria"
[issuer.acme.people]
client_id = "provost"
sign_in = true

[person.paul]
display = "Paul"
logins = { acme = "paul-sub" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_connector_made_signs_in_as_what_it_calls_them_and_nobody_else_does() {
    let stage = Stage::built().await;
    let logins =
        "\n[connector.entra.logins]\nissuer = \"acme\"\nsubject = \"external-id\"\n\n[connector.okta]";
    apply(&stage.served, &format!("{}{LOGINS}", CONNECTORS.replace("\n[connector.okta]", logins))).await;
    let subjects = async |name: &str| -> Vec<Value> {
        let person = stage.person(name).await;
        person["logins"].as_array().into_iter().flatten().map(|login| login["subject"].clone()).collect()
    };
    let made = stage.send("POST", "/Users", Some(json!({"userName": "ada", "externalId": "s-1"}))).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    assert_eq!(subjects("ada").await, ["s-1"]);
    stage.patch("/Users/ada", json!([{"op": "replace", "path": "externalId", "value": "s-2"}])).await.ok();
    assert_eq!(subjects("ada").await, ["s-2"], "one subject at a time");
    let taken =
        stage.send("POST", "/Users", Some(json!({"userName": "bob", "externalId": "paul-sub"}))).await;
    refused(&taken, 409, Some("uniqueness"));
    let link = json!({"person": "paul", "user_name": "paul", "external_id": "p-1", "reason": "the same"});
    stage.served.post("/connectors/entra/people", link).await.ok();
    stage
        .patch("/Users/paul", json!([{"op": "replace", "path": "externalId", "value": "mallory"}]))
        .await
        .ok();
    assert_eq!(
        subjects("paul").await,
        ["paul-sub"],
        "who was here before is nobody else by a connector's word"
    );
    assert_eq!(stage.send("DELETE", "/Users/ada", None).await.status, 204);
    assert!(subjects("ada").await.is_empty());
    let again = stage.send("POST", "/Users", Some(json!({"userName": "ada", "externalId": "s-2"}))).await;
    assert_eq!((again.status, &again.body["id"]), (201, &json!("ada-2")), "the subject is free again");
}
