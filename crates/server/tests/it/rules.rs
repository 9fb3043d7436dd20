//! Rules from end to end: what an agent does is found, a rule hears of the finding, and the next call is refused.

use crate::{
    death::{Client, bank, client, governed_with},
    program::{Plane, until},
};
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

/// What the plane made of a call: the answer, or the refusal, as text.
async fn call(client: &Client, tool: &'static str, args: Value) -> Result<String, String> {
    let args = args.as_object().unwrap().clone();
    match client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await {
        Ok(answer) if answer.is_error == Some(true) => Err(serde_json::to_string(&answer).unwrap()),
        Ok(answer) => Ok(serde_json::to_string(&answer).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

/// The order that a rule has given, once it has.
async fn ordered(plane: &Plane, rule: &str) -> Value {
    let by = format!("rule {rule}");
    tokio::task::block_in_place(|| {
        until(|| {
            let listed = plane.json(&["kill", "list"]);
            listed["items"].as_array().unwrap().iter().find(|row| row["by"] == by.as_str()).cloned()
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_uses_up_its_budget_is_contained_by_a_rule_before_its_next_call() {
    let bank = bank().await;
    let plane = governed_with(&bank, RULES);
    let (spender, other) = (client(&plane, "spender").await, client(&plane, "bookkeeper").await);
    for _ in 0..2 {
        call(&spender, "list_accounts", json!({})).await.unwrap();
    }
    call(&spender, "get_statement", json!({"account": "operations"})).await.unwrap();
    let spent = call(&spender, "list_accounts", json!({})).await.unwrap_err();
    assert!(spent.contains("looks"), "the budget: {spent}");
    let order = ordered(&plane, "spent").await;
    assert_eq!((&order["scope"], &order["level"]), (&json!("agent spender"), &json!("off")), "{order:#}");
    let refused = call(&spender, "get_statement", json!({"account": "operations"})).await.unwrap_err();
    // Its task may have ended already, and its token with it.
    let says = [order["id"].as_str().unwrap(), "ended", "Auth required"];
    assert!(says.iter().any(|word| refused.contains(word)), "{refused}");
    call(&other, "list_accounts", json!({})).await.unwrap();
    // The chain of it is on record: the finding, the order that names the rule, and the finding that says so.
    let found = plane.json(&["finding", "list", "--kind", "budget-exhausted"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found:#}");
    let fired = plane.json(&["finding", "list", "--kind", "rule-fired"]);
    assert!(fired["items"][0]["what"].as_str().unwrap().contains(order["id"].as_str().unwrap()), "{fired:#}");
    let tested = plane.json(&["rule", "test", "spent", "--since", "1d"]);
    assert_eq!((&tested["fired"], &tested["held_back"]), (&json!(1), &json!(0)), "{tested:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_tries_what_its_charter_does_not_name_is_left_reading_by_a_rule() {
    let bank = bank().await;
    let plane = governed_with(&bank, RULES);
    let spender = client(&plane, "spender").await;
    let pay = json!({"from_account": "operations", "payee": "ACME", "amount": 1.0, "reference": "r"});
    call(&spender, "transfer", pay).await.unwrap_err();
    let order = ordered(&plane, "drifted").await;
    assert_eq!(
        (&order["scope"], &order["level"]),
        (&json!("agent spender"), &json!("read-only")),
        "{order:#}"
    );
    call(&spender, "list_accounts", json!({})).await.unwrap();
    let refused = call(
        &spender,
        "export_statements",
        json!({"account": "operations", "destination": "https://archive.acme.example/1"}),
    )
    .await;
    let refused = refused.unwrap_err();
    assert!(refused.contains(order["id"].as_str().unwrap()), "{refused}");
    assert_eq!(bank.bank().calls("transfer") + bank.bank().calls("export_statements"), 0);
}

const RULES: &str = r#"
[rule.spent]
finding = "budget-exhausted"
severity = "medium"
level = "off"
stops = "agent"
at_most = "3 in 1h"

[rule.drifted]
finding = "drift"
severity = "high"
level = "read-only"
stops = "agent"
at_most = "3 in 1h"

[agent.spender]
purpose = "Looks at accounts"
owner = "jonas"
environment = "production"
autonomy = "supervised"
task_duration_max = "4h"
data = ["confidential"]

[[agent.spender.grant]]
system = "bank"
tools = ["list_accounts", "get_statement", "export_statements"]

[[agent.spender.budget]]
name = "looks"
system = "bank"
tools = ["list_accounts"]
window = "24h"
count_max = 2
"#;
