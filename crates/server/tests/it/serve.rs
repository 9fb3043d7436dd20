//! `provost serve` and the command line against it: first start, work, sudden death, and every refusal to start.

use crate::program::{Plane, acme, complaint, free_port, provost};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

#[test]
fn a_fresh_folder_becomes_a_private_plane_that_the_command_line_finds_by_itself() {
    let mut plane = Plane::fresh();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&plane.data), 0o700);
    for file in ["admin-token", "sealing-key", "node", "provost.db", "provost.lock"] {
        assert_eq!(mode(&plane.data.join(file)), 0o600, "{file}");
    }
    let status = plane.json(&["status"]);
    assert_eq!((&status["deciding"], &status["issuer"]), (&true.into(), &plane.url.clone().into()));
    assert_eq!(plane.terminate(), Some(0));
}

#[test]
fn files_are_planned_applied_and_shown_and_applying_again_changes_nothing() {
    let plane = Plane::fresh();
    let plan = plane.json(&["plan", &acme()]);
    assert_eq!(plan["refused"], false, "{plan:#}");
    assert!(plan["steps"].as_array().unwrap().len() > 10);
    plane.json(&["apply", &acme(), "--yes", "--reason", "a test"]);
    let again = plane.json(&["apply", &acme(), "--yes"]);
    assert_eq!(again["steps"].as_array().unwrap().len(), 0, "{again:#}");

    let agents = plane.json(&["agent", "list"]);
    let names: Vec<_> =
        agents["items"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bookkeeper", "invoice-clerk"]);
    let tools = plane.json(&["tool", "list", "--effect", "financial"]);
    assert_eq!(tools["items"].as_array().unwrap().len(), 3, "{tools:#}");
    let task = plane.json(&[
        "task",
        "start",
        "invoice-clerk",
        "--purpose",
        "a test",
        "--only",
        "bank/list_accounts",
    ]);
    let id = task["task"]["id"].as_str().unwrap();
    assert_eq!(plane.json(&["task", "show", id])["purpose"], "a test");
    assert_eq!(plane.json(&["task", "end", id])["status"], "ended");
    let restricted =
        plane.json(&["agent", "restrict", "invoice-clerk", "--level", "read-only", "--reason", "a test"]);
    assert_eq!(restricted["level"], "read-only");
    assert_eq!(
        plane.json(&["agent", "suspend", "invoice-clerk", "--reason", "a test"])["status"],
        "suspended"
    );
    assert_eq!(plane.json(&["fsck"])["sound"], true);
    for page in [
        &["agent", "show", "invoice-clerk"][..],
        &["system", "show", "bank"],
        &["person", "list"],
        &["status"],
    ] {
        let output = plane.ask(page);
        assert!(output.status.success() && !output.stdout.is_empty(), "{page:?}: {output:?}");
    }
}

#[test]
fn the_cases_of_a_folder_are_run_against_what_its_files_would_make() {
    let plane = Plane::fresh();
    let report = plane.json(&["policy", "test", &acme()]);
    assert_eq!(report["failed"], 0, "{report:#}");
    assert!(report["passed"].as_u64().unwrap() >= 10, "{report:#}");
    assert_eq!(plane.json(&["agent", "list"])["items"].as_array().unwrap().len(), 0, "nothing was applied");
    assert_eq!(plane.json(&["policy", "check", &acme()])["sound"], true);
}

#[test]
fn a_secret_comes_from_standard_input_and_is_never_shown() {
    let plane = Plane::fresh();
    let mut child = provost()
        .args(["credential", "set", "bank", "--json", "--url", &plane.url, "--data"])
        .arg(&plane.data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"hunter2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let listed = plane.ask(&["credential", "list", "--json"]);
    for output in [&output, &listed] {
        assert!(!format!("{output:?}").contains("hunter2"));
    }
    assert!(String::from_utf8_lossy(&listed.stdout).contains("bank"));
    assert_eq!(
        plane.ask(&["credential", "set", "bank"]).status.code(),
        Some(2),
        "nothing to read is wrong usage"
    );
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_a_restart() {
    let mut plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--yes"]);
    let task = plane.json(&["task", "start", "invoice-clerk", "--purpose", "a test"]);
    let seq = plane.json(&["status"])["seq"].clone();
    let node = plane.json(&["status"])["node"].clone();
    plane.kill();
    let folder = plane.keep_folder();
    let mut plane = Plane::start(&folder.path().join("data")).unwrap_or_else(|output| panic!("{output:?}"));
    let status = plane.json(&["status"]);
    assert_eq!((&status["seq"], &status["node"]), (&seq, &node));
    assert_eq!(plane.json(&["task", "show", task["task"]["id"].as_str().unwrap()])["status"], "running");
    assert_eq!(plane.json(&["fsck"])["sound"], true);
    assert_eq!(plane.terminate(), Some(0));
}

#[test]
fn a_second_plane_on_the_same_folder_is_refused() {
    let plane = Plane::fresh();
    let Err(output) = Plane::start(&plane.data) else { panic!("it started") };
    let text = complaint(&output);
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "error: refusing to start: another plane runs on",
        "because: process",
        "this means:",
        "do: stop the other",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(plane.json(&["status"])["deciding"], true, "the first one is not disturbed");
}

#[test]
fn a_port_that_is_taken_is_said_so_before_anything_is_opened() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = taken.local_addr().unwrap().to_string();
    let output = provost().args(["serve", "--listen", &address, "--data"]).arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains(&format!("cannot listen on {address}")), "{output:?}");
    assert!(!data.join("provost.db").exists());
}

#[test]
fn a_folder_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let Err(output) = Plane::start(folder.path()) else { panic!("it started") };
    assert!(complaint(&output).contains("chmod 700"), "{output:?}");
}

#[test]
fn every_fault_of_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("provost.toml");
    fs::write(
        &file,
        "lisen = '127.0.0.1:1'\n[limits]\nbody_bytes_max = 'big'\nbody_byte_max = 3\n[journal]\nx = 1\n",
    )
    .unwrap();
    let output =
        provost().args(["serve", "--config"]).arg(&file).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = complaint(&output);
    for part in [
        "provost.toml:1:1",
        "did you mean `listen`?",
        "provost.toml:3:",
        "`body_byte_max`",
        "unknown key `x` in journal",
        "4 faults",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!folder.path().join("provost-data").exists(), "nothing was opened");
}

#[test]
fn a_database_older_than_its_checkpoint_is_refused_in_four_parts_until_it_is_adopted() {
    let mut plane = Plane::fresh();
    plane.json(&["backup", "early.db"]);
    plane.json(&["apply", &acme(), "--yes"]);
    settle(&plane);
    assert_eq!(plane.terminate(), Some(0));
    let folder = plane.keep_folder();
    let data = folder.path().join("data");
    let backup = data.join("backups/early.db");
    let restored = provost().arg("restore").arg(&backup).arg("--data").arg(&data).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");

    let Err(output) = Plane::start(&data) else { panic!("it started") };
    let text = complaint(&output);
    for part in [
        "error: refusing to start: the ledger checkpoint in",
        "is newer than the database (size",
        "because: ",
        "this means: ",
        "do: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let size = text.split("newer than the database (size ").nth(1).unwrap().split(')').next().unwrap();
    let wrong = provost()
        .args(["ledger", "adopt", "999", "--reason", "a test", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let adopted = provost()
        .args(["ledger", "adopt", size, "--reason", "a test", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(adopted.status.success(), "{adopted:?}");
    let plane = Plane::start(&data).unwrap_or_else(|output| panic!("{output:?}"));
    assert_eq!(
        plane.json(&["agent", "list"])["items"].as_array().unwrap().len(),
        0,
        "the backup was made before"
    );
}

#[test]
fn the_ledger_is_exported_and_verified_without_the_plane_and_a_bent_copy_is_found_out() {
    let mut plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--yes"]);
    settle(&plane);
    let folder = plane.keep_folder();
    let (copy, key) = (folder.path().join("copy"), plane.json(&["ledger", "checkpoint"])["vkey"].clone());
    plane.json(&["ledger", "export", copy.to_str().unwrap()]);
    let receipt = folder.path().join("receipt");
    plane.json(&["ledger", "prove", "change-1", "--kind", "change", "--out", receipt.to_str().unwrap()]);
    plane.kill();
    let verify = |path: &Path| {
        provost().args(["ledger", "verify", "--key", key.as_str().unwrap()]).arg(path).output().unwrap()
    };
    assert_eq!(verify(&copy).status.code(), Some(0), "{:?}", verify(&copy));
    assert_eq!(verify(&receipt).status.code(), Some(0), "{:?}", verify(&receipt));
    let records = copy.join("records/000.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    fs::write(&records, text.replacen("Maria Lindt", "Maria Lindl", 1)).unwrap();
    let bent = verify(&copy);
    assert_eq!(bent.status.code(), Some(3));
    let said = String::from_utf8_lossy(&bent.stdout).into_owned();
    assert!(said.contains("record ") && said.contains("is not the one committed to"), "{said}");
}

#[test]
fn a_command_without_a_plane_says_so_and_exits_69() {
    let output =
        provost().args(["status", "--url", &format!("http://127.0.0.1:{}", free_port())]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let text = complaint(&output);
    assert!(
        text.contains("error: no plane answers at") && text.contains("do: start one with `provost serve`"),
        "{text}"
    );
}

#[test]
fn a_stranger_without_a_token_is_told_where_it_was_looked_for() {
    let plane = Plane::fresh();
    let elsewhere = tempfile::tempdir().unwrap();
    let output =
        provost().args(["status", "--url", &plane.url, "--data"]).arg(elsewhere.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("admin-token"), "{output:?}");
}

#[test]
fn a_wrong_command_line_is_usage_and_names_what_was_probably_meant() {
    let output = provost().args(["agnet", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("agent"), "{output:?}");
}

/// Waits until every record is in the tree.
fn settle(plane: &Plane) {
    for _look in 0..200 {
        if plane.json(&["ledger", "checkpoint"])["waiting"] == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("the ledger does not catch up");
}
