//! All systems at one address.

use crate::{
    plane::{Foreign, Plane, Setup},
    small::{Small, Speaker},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn at_the_address_of_all_systems_names_carry_their_system_and_calls_find_it() {
    let (one, two) = (Small::http("2026-07-28").await, Small::stdio("2025-11-25"));
    let named = |name, small: &Small| Foreign { name, ..small.system() };
    let plane = Plane::start_with(Setup::foreign(vec![
        named("one", &one),
        named("two", &two),
        named("three", &one).without("work"),
    ]))
    .await;
    for client in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let speaker = Speaker::start(&plane, "/mcp", client).await;
        let listed = speaker.ask(1, "tools/list", json!({})).await.pop().unwrap();
        let names: Vec<&str> = listed["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["one.work", "two.work"], "{client}: {listed}");
        for (name, ran) in [("one.work", true), ("two.work", true), ("three.work", false)] {
            let said = speaker
                .ask(2, "tools/call", json!({"name": name, "arguments": {"how": "well"}}))
                .await
                .pop()
                .unwrap();
            let done = said["result"]["content"][0]["text"] == "done";
            assert_eq!(done, ran, "{client} {name}: {said}");
        }
        for (name, says) in [
            ("bank.list_accounts", "no tool"),
            ("work", "system.tool"),
            ("", "no tool"),
            ("nowhere.work", "no tool"),
        ] {
            let said =
                speaker.ask(3, "tools/call", json!({"name": name, "arguments": {}})).await.pop().unwrap();
            assert!(
                said["error"]["message"].as_str().unwrap_or_default().contains(says),
                "{client} {name}: {said}"
            );
        }
    }
    let ran = |small: &Small| small.log().iter().filter(|line| *line == "call well").count();
    assert_eq!((ran(&one), ran(&two)), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_down_does_not_hide_the_others() {
    let (one, mut two) = (Small::http("2026-07-28").await, Small::http("2025-06-18").await);
    let named = |name, small: &Small| Foreign { name, ..small.system() };
    let plane = Plane::start_with(Setup::foreign(vec![named("one", &one), named("two", &two)])).await;
    two.stop();
    let speaker = Speaker::start(&plane, "/mcp", "2026-07-28").await;
    let listed = speaker.ask(1, "tools/list", json!({})).await.pop().unwrap();
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(tools.len() == 1 && tools[0]["name"] == "one.work", "{listed}");
}
