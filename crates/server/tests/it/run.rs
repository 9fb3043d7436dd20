//! `provost run`, with real processes: the program ends when its agent may not go on, when no plane answers, and when its
//! supervisor dies.

use crate::program::{Plane, acme, complaint, provost};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A program that says who it is, starts another one, ignores SIGTERM, and would go on for a minute.
const STUBBORN: &str = "trap '' TERM; echo $$ > \"$1/pid\"; sleep 61 & echo $! > \"$1/below\"; \
                        env > \"$1/env\"; touch \"$1/up\"; while true; do sleep 1; done";

struct Under {
    supervisor: Child,
    folder: tempfile::TempDir,
}

impl Under {
    fn start(plane: &Plane, agent: &str, program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let supervisor = provost()
            .args(["run", "--agent", agent, "--purpose", "to be ended", "--grace", "300ms"])
            .args(["--url", &plane.url])
            .arg("--data")
            .arg(&plane.data)
            .args(["--", "sh", "-c", program, "sh"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let under = Self { supervisor, folder };
        under.until(|under| under.path("up").exists(), "the program came up");
        under
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pids(&self) -> Vec<String> {
        ["pid", "below"]
            .map(|name| std::fs::read_to_string(self.path(name)).unwrap().trim().to_owned())
            .into()
    }

    fn until(&self, holds: impl Fn(&Self) -> bool, what: &str) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How it ended, and what it said; nothing of the program is left by then.
    fn ended(mut self) -> (Option<i32>, String) {
        let pids = self.pids();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.supervisor.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the supervisor goes on");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.supervisor.stderr.take().unwrap(), &mut said).unwrap();
        for pid in pids {
            assert!(is_gone(&pid), "{pid} goes on: {said}");
        }
        (status.code(), said)
    }
}

/// A process that ended and that nobody has waited for yet is gone too.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])))
}

/// The program, run to its end.
fn ran(plane: &Plane, program: &[&str]) -> Output {
    let mut command = provost();
    command.args(["run", "--agent", "invoice-clerk", "--url", &plane.url]).arg("--data").arg(&plane.data);
    command.arg("--").args(program).output().unwrap()
}

fn plane() -> Plane {
    let plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--reason", "the test begins", "--yes"]);
    plane
}

#[test]
fn a_program_whose_agent_is_contained_is_ended_with_everything_it_started() {
    let plane = plane();
    let under = Under::start(&plane, "invoice-clerk", STUBBORN);
    let env = std::fs::read_to_string(under.path("env")).unwrap();
    for wanted in
        ["PROVOST_TASK_TOKEN=", "PROVOST_TASK_TOKEN_FILE=", "PROVOST_TASK=task_", "PROVOST_MCP_URL=http"]
    {
        assert!(env.contains(wanted), "{wanted}");
    }
    assert!(!env.contains("PROVOST_TOKEN="), "what started it may administer, and it may not");
    let order = plane.json(&["kill", "--agent", "invoice-clerk", "--reason", "a key leaked"]);
    let (code, said) = under.ended();
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains(order["id"].as_str().unwrap()) && said.contains("a key leaked"), "{said}");
    // And nothing starts under the order.
    let refused = ran(&plane, &["true"]);
    assert_eq!(refused.status.code(), Some(1), "{}", complaint(&refused));
}

#[test]
fn a_program_is_ended_when_its_agent_is_suspended_or_its_task_ends() {
    let plane = plane();
    let under = Under::start(&plane, "invoice-clerk", STUBBORN);
    let tasks = plane.json(&["task", "list", "--agent", "invoice-clerk"]);
    plane.json(&["task", "end", tasks["items"][0]["id"].as_str().unwrap(), "--reason", "enough"]);
    assert_eq!(under.ended().0, Some(77));
    let under = Under::start(&plane, "invoice-clerk", STUBBORN);
    plane.json(&["agent", "suspend", "invoice-clerk", "--reason", "enough"]);
    assert_eq!(under.ended().0, Some(77));
}

#[test]
fn a_program_does_not_outlive_its_plane_by_more_than_the_lease() {
    let mut plane = plane();
    let under = Under::start(&plane, "invoice-clerk", STUBBORN);
    plane.kill();
    let (code, said) = under.ended();
    assert_eq!(code, Some(75), "{said}");
}

#[test]
fn a_program_dies_with_its_supervisor() {
    let plane = plane();
    let mut under = Under::start(
        &plane,
        "invoice-clerk",
        "echo $$ > \"$1/pid\"; echo $$ > \"$1/below\"; touch \"$1/up\"; exec sleep 61",
    );
    let pids = under.pids();
    under.supervisor.kill().unwrap();
    under.supervisor.wait().unwrap();
    under.until(|_| pids.iter().all(|pid| is_gone(pid)), "the program is gone");
}

#[test]
fn a_program_that_ends_by_itself_says_how_and_its_task_ends_with_it() {
    let plane = plane();
    for (program, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let ran = ran(&plane, &["sh", "-c", program]);
        assert_eq!(ran.status.code(), Some(code), "{}", complaint(&ran));
    }
    let missing = ran(&plane, &["/no/such/program"]);
    assert_eq!(missing.status.code(), Some(127), "{}", complaint(&missing));
    assert_eq!(plane.json(&["task", "list", "--agent", "invoice-clerk"])["items"], serde_json::json!([]));
}

#[test]
fn a_signal_to_the_supervisor_ends_the_program() {
    let plane = plane();
    let under = Under::start(&plane, "invoice-clerk", STUBBORN);
    let told = Command::new("kill").args(["-TERM", &under.supervisor.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(under.ended().0, Some(143));
}

#[test]
fn a_program_says_what_it_is_and_another_one_in_its_place_does_not_start() {
    let plane = plane();
    let folder = tempfile::tempdir().unwrap();
    let (own, ran) = (folder.path().join("agent"), folder.path().join("ran"));
    let write = |what: &str| {
        std::fs::write(&own, format!("#!/bin/sh\n# {what}\ntouch '{}'\n", ran.display())).unwrap();
        std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        provost_domain::Digest::of(&std::fs::read(&own).unwrap()).to_string()
    };
    let run = |options: &[&str]| {
        let _gone = std::fs::remove_file(&ran);
        let mut command = provost();
        command.args(["run", "--agent", "invoice-clerk", "--url", &plane.url]).args(options);
        command.arg("--data").arg(&plane.data).arg("--").arg(&own).output().unwrap()
    };
    let digest = write("as it was reviewed");
    assert_eq!(run(&[]).status.code(), Some(0));
    let made_of = || plane.json(&["agent", "show", "invoice-clerk"])["made_of"].to_string();
    assert!(!made_of().contains("program"), "nobody asked for it: {}", made_of());
    let first = run(&["--bill"]);
    assert_eq!(first.status.code(), Some(0), "{}", complaint(&first));
    assert!(made_of().contains(&digest) && ran.exists(), "{}", made_of());
    let known = run(&[]);
    assert_eq!(
        known.status.code(),
        Some(0),
        "it is waited for now, and comes by itself: {}",
        complaint(&known)
    );
    write("as somebody else has it");
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(1), "{}", complaint(&refused));
    assert!(complaint(&refused).contains("is not made of what was approved"), "{}", complaint(&refused));
    assert!(!ran.exists(), "it did not start");
    assert_eq!(plane.json(&["agent", "show", "invoice-clerk"])["status"], "pending-reapproval");
}
