//! AuthZEN's access requests between the real program and a client in another language that knows the profile's text and
//! nothing of ours (`tests/interop/clients/arap.py`): discovery, denial, request, callback, status, evaluation again.

use crate::program::{Plane, free_port, provost};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

const ORGANISATION: &str = r#"
[organisation]
display = "Test Ltd"
approvals = { signed = "never" }

[person.maria]
display = "Maria"

[person.jonas]
display = "Jonas"

[workload.pep]
purpose = "asks what agents may do"
owner = "maria"
applications = ["agent"]
callbacks = { endpoints = ["http://127.0.0.1:PORT/callbacks"], secret = "pep-callbacks" }

[system.bank]
description = "A bank"
environment = "sandbox"
url = "http://127.0.0.1:9/mcp"
revocation_max = "1m"

[system.bank.tool.transfer]
pin = "sha256:4ecc49dbf99cde40f600c42a1edba0bedc66893e2994a69da4e058f0afc04b16"
description = "Pay"
effects = ["financial"]
args = { payee = "string", amount = "decimal" }

[agent.clerk]
purpose = "Pays a little"
owner = "maria"
environment = "sandbox"
autonomy = "supervised"
task_duration_max = "60m"

[[agent.clerk.grant]]
system = "bank"
tools = ["transfer"]
"#;

const POLICY: &str = r#"
@id("test/large-payments")
@gate("owner")
@reason("payments above 250 EUR are for people")
forbid (principal, action == Action::"bank/transfer", resource == System::"bank")
when { context.args.amount.greaterThan(decimal("250.0")) }
unless { context.approvals.contains("owner") };
"#;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

#[test]
fn a_client_that_knows_only_the_profile_asks_is_called_back_and_evaluates_again() {
    let plane = Plane::fresh();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    std::fs::write(folder.path().join("organisation.toml"), ORGANISATION.replace("PORT", &port.to_string()))
        .unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/payments.cedar"), POLICY).unwrap();
    plane.json(&["apply", folder.path().to_str().unwrap(), "--yes"]);
    let mut command = provost();
    command.args(["credential", "set", "pep-callbacks", "--url", &plane.url, "--data"]).arg(&plane.data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{SECRET}").unwrap();
    assert!(child.wait().unwrap().success());
    let token = plane.json(&["workload", "token", "pep", "--reason", "it asks"])["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let task = plane.json(&["task", "start", "clerk", "--purpose", "pay", "--requester", "jonas"]);
    let task = task["task"]["id"].as_str().unwrap().to_owned();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/clients/arap.py");
    let mut client = Command::new("python3")
        .arg(script)
        .env("ISSUER", &plane.url)
        .env("TOKEN", token)
        .env("SECRET", SECRET)
        .env("AGENT", "clerk")
        .env("TASK", task)
        .env("PORT", port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut said =
        || -> Value { serde_json::from_str(&lines.next().expect("the client went on").unwrap()).unwrap() };
    let answer = |asked: &Value, word: &str| {
        let id = asked["asked"].as_str().unwrap();
        plane.json(&["approvals", word, id, "--as", "maria", "--reason", "looked at"]);
    };
    answer(&said(), "approve");
    let used = json!({ "permitted": [true, false], "reason": "approval_expired", "next_action": "request" });
    assert_eq!(said(), used, "once, by evaluating again with it");
    answer(&said(), "refuse");
    assert_eq!(said(), json!({ "ended": "denied" }));
    let end = json!({ "elsewhere": [400, "urn:provost:problem:callback-unregistered"], "left": 0 });
    assert_eq!(said(), end);
    assert!(client.wait().unwrap().success());
}
