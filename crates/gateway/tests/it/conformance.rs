//! The official conformance suite, directly and through the gateway, compared check by check.

use crate::{
    others::{folder, serve},
    plane::{Foreign, Plane, Setup},
};
use provost_domain::DurationMs;
use std::process::Stdio;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_conformance_suite_fails_nothing_through_the_gateway_that_it_does_not_fail_directly_2025_11_25()
 {
    compare("2025-11-25").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_conformance_suite_fails_nothing_through_the_gateway_that_it_does_not_fail_directly_2026_07_28()
 {
    compare("2026-07-28").await;
}

async fn compare(revision: &str) {
    let fixture = serve(&["fixture/server.mjs"]).await;
    let mut setup = Setup::foreign(vec![Foreign::http("fixture", &fixture.url)]);
    // So short that the suite sees the stream of a call that takes a second closed, and takes it up again.
    setup.limits.stream_quiet_max = DurationMs(600);
    let plane = Plane::start_with(setup).await;
    let (task, _) = plane.task().await;
    let token = plane.token(task, |claims| claims.exp += 600);
    let settings = [
        ("UPSTREAM_URL", fixture.url.as_str()),
        ("GATEWAY_URL", &plane.url),
        ("TOKEN", &token),
        ("REVISIONS", revision),
    ];
    let mut command = Command::new("node");
    command
        .current_dir(folder())
        .arg("conformance.mjs")
        .envs(settings)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains(" 0 only-through failures"), "{said}");
    println!("{said}");
}
