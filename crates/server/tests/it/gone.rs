//! Gone, not dormant: after a task has ended, the plane has tried at its own real faces whether it is, and says so.

use crate::program::{Plane, acme, until};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn every_face_refuses_an_ended_task_and_the_refusals_are_on_record() {
    let mut plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--yes"]);
    let ended = start(&plane, "invoice-clerk", &[]);
    let narrow = start(&plane, "invoice-clerk", &["--only", "bank/list_accounts"]);
    let decommissioned = start(&plane, "bookkeeper", &[]);
    plane.json(&["task", "end", &ended]);
    plane.json(&["task", "end", &narrow]);
    plane.json(&["agent", "decommission", "bookkeeper", "--reason", "a test"]);
    for task in [&ended, &narrow, &decommissioned] {
        let shown = tried(&plane, task);
        assert_eq!(
            (&shown["trial"]["gone"], &shown["trial"]["round"]),
            (&json!(true), &json!(1)),
            "{shown:#}"
        );
        let faces = faces(&shown);
        for face in ["/mcp", "/mcp/bank", "/oauth/introspect", "/access/v1/evaluation", "/oauth/token"] {
            assert!(faces.contains(&face.to_owned()), "{face} was not tried: {shown:#}");
        }
        assert_eq!(shown["history"][0]["actor"], "plane");
    }
    let page = plane.ask(&["task", "show", &ended]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("Tried after its end") && page.contains("/mcp/bank"), "{page}");
    assert_eq!(plane.json(&["fsck"])["sound"], true);
    assert_eq!(plane.terminate(), Some(0));
}

#[test]
fn the_faces_of_http_apis_and_of_local_systems_are_tried_too() {
    let plane = Plane::fresh();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.toml"), SYSTEMS).unwrap();
    plane.json(&["apply", folder.path().to_str().unwrap(), "--yes"]);
    let task = start(&plane, "walker", &[]);
    plane.json(&["task", "end", &task]);
    let shown = tried(&plane, &task);
    assert_eq!(shown["trial"]["gone"], true, "{shown:#}");
    let faces = faces(&shown);
    for face in ["/mcp", "/mcp/api", "/proxy/api/", "/mcp/local", "/enforce/v1/local/watch"] {
        assert!(faces.contains(&face.to_owned()), "{face} was not tried: {shown:#}");
    }
}

#[test]
fn a_task_that_ended_just_before_the_plane_died_is_tried_by_the_next_start() {
    let mut plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--yes"]);
    let task = start(&plane, "invoice-clerk", &[]);
    plane.json(&["task", "end", &task]);
    plane.kill();
    let folder = plane.keep_folder();
    let plane = restarted(&folder.path().join("data"));
    let shown = tried(&plane, &task);
    assert_eq!(shown["trial"]["gone"], true, "{shown:#}");
}

fn start(plane: &Plane, agent: &str, more: &[&str]) -> String {
    let mut args = vec!["task", "start", agent, "--purpose", "a test"];
    args.extend(more);
    plane.json(&args)["task"]["id"].as_str().unwrap().to_owned()
}

/// The task, once it was tried and found gone. A claim of a node that died may have to run out first.
fn tried(plane: &Plane, task: &str) -> Value {
    until(|| Some(plane.json(&["task", "show", task])).filter(|shown| shown["trial"]["gone"] == true))
}

fn faces(shown: &Value) -> Vec<String> {
    let probes = shown["trial"]["probes"].as_array().unwrap().iter();
    probes.map(|probe| probe["face"].as_str().unwrap().to_owned()).collect()
}

fn restarted(data: &Path) -> Plane {
    Plane::start(data).unwrap_or_else(|output| panic!("{output:?}"))
}

const SYSTEMS: &str = r#"
[person.maria]
display = "Maria"

[system.api]
description = "An API"
environment = "sandbox"
api = "http://127.0.0.1:9/v1"
[system.api.tool.look]
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
effects = ["read"]
request = "GET /things"

[system.local]
description = "A program beside the agent"
environment = "sandbox"
local = true
[system.local.tool.look]
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
effects = ["read"]

[agent.walker]
purpose = "walks"
owner = "maria"
environment = "sandbox"
autonomy = "bounded"
task_duration_max = "1h"
[[agent.walker.grant]]
system = "api"
tools = ["look"]
[[agent.walker.grant]]
system = "local"
tools = ["look"]
"#;
