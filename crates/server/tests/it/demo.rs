//! `provost demo --once`: the story, told by the real program, with every promise kept.

use crate::program::provost;
use std::time::{Duration, Instant};

#[test]
fn the_demo_keeps_every_promise_and_exits_0() {
    let started = Instant::now();
    let output = provost().args(["demo", "--once", "--port", "0"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("promised:"), "a promise was not kept:\n{told}");
    for line in [
        "→ invoice-clerk calls transfer",
        "← ALLOWED",
        "← HELD",
        "guardrail/effects-production",
        "approval_",
        "← DENIED",
        "charter/invoice-clerk/1/bank.transfer/amount",
        "decided again from the record: same, bit by bit",
        "guardrail/steered-untrusted",
        "guardrail/tool-pinned",
        "TURNED AWAY",
        "← 1 transfers, 0 messages, 0 exports",
        "a yes to this takes maria's passkey",
        "signed: maria said yes to approval",
        "provost kill --owner maria",
        "ordered by maria: a key has leaked",
        "account-disabled",
        "acknowledged",
        "PARTIAL",
        "provost drill run invoice-clerk",
        "verified: all",
        "NOT verified",
        "promises kept",
    ] {
        assert!(told.contains(line), "`{line}` is not told in\n{told}");
    }
    assert!(started.elapsed() < STORY_MAX, "{:?}", started.elapsed());
}

#[test]
fn the_demo_tells_machines_every_promise_as_json() {
    let output = provost().args(["demo", "--once", "--json"]).output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["kept"], true, "{summary:#}");
    assert!(summary["promises"].as_array().unwrap().len() >= 20);
}

#[test]
fn the_demo_touches_no_folder_that_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("provost.db"), "mine").unwrap();
    let output = provost().args(["demo", "--once", "--data"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"), "{output:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("provost.db")).unwrap(), "mine");
}

const STORY_MAX: Duration = Duration::from_secs(30);
