//! The plane itself: how it is, and its care.

use crate::{Action, ControlError, Op, fsck, plane::Plane};
use provost_api::plane::{Backup, BackupRequest, Check, FsckReport, Readiness, Status};
use provost_domain::DurationMs;
use std::time::Duration;

/// How the plane is.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn status(op: &Op) -> Result<Status, ControlError> {
    op.authorize(Action::Status)?;
    let plane = &op.plane;
    let view = plane.replica.latest();
    let head = plane.store.ledger_head().await?;
    let counts = plane.inventory.look(plane).await?.by_status();
    let agents = counts.into_iter().map(|(status, count)| (status.as_str().to_owned(), count)).collect();
    let now = plane.now();
    let age = plane.replica.age();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: plane.node.to_string(),
        issuer: plane.issuer.clone(),
        seq: view.directory.seq.0,
        age: age.into(),
        staleness_max: plane.limits.staleness_max.into(),
        deciding: age <= plane.limits.staleness_max,
        agents,
        tasks: view.directory.tasks.values().filter(|task| task.is_live(now)).count(),
        systems: view.directory.systems.len(),
        tools: view.directory.tools.len(),
        people: view.directory.people.len(),
        ledger_size: head.size,
        ledger_waiting: head.waiting,
        at: now.into(),
    })
}

/// Checks everything against everything else. Reads all there is: minutes, for a large plane.
///
/// # Errors
/// When the operator may not, or the store fails. Faults are the answer, not an error.
pub async fn fsck(op: &Op) -> Result<FsckReport, ControlError> {
    op.authorize(Action::Fsck)?;
    fsck::run(&op.plane).await
}

/// Writes a consistent copy of the database into the folder `backups` of the plane's data.
///
/// # Errors
/// When the operator may not, the name is not one, a file of that name is there, or the store cannot.
pub async fn backup(op: &Op, wanted: &BackupRequest) -> Result<Backup, ControlError> {
    op.authorize(Action::Backup)?;
    let name = wanted.name.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(ControlError::caller("`name` is not a plain file name")
            .cure("use 1 to 100 letters, digits, `-`, `_` and `.`, and no folders"));
    }
    let folder = op.plane.data.join("backups");
    let path = folder.join(name);
    let failed = |error| ControlError::us("the folder for backups cannot be used", error);
    tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
    if tokio::fs::try_exists(&path).await.map_err(failed)? {
        return Err(
            ControlError::conflict(format!("there is a backup `{name}` already")).cure("choose another name")
        );
    }
    op.plane.store.backup(&path).await?;
    tracing::info!(request = %op.request_id, subject = %op.subject, name, "backup written");
    Ok(Backup { path: path.display().to_string() })
}

/// Whether this node should get traffic. Asked by machines, without a token: it names nothing of the organisation.
pub async fn readiness(plane: &Plane) -> Readiness {
    let store = tokio::time::timeout(STORE_ANSWER_MAX, plane.store.ledger_head()).await;
    let (store_check, waiting) = match store {
        Ok(Ok(head)) => (check("store", true, "answers".to_owned()), head.waiting),
        Ok(Err(_error)) => (check("store", false, "fails".to_owned()), 0),
        Err(_elapsed) => (check("store", false, "does not answer in time".to_owned()), 0),
    };
    let age = plane.replica.age();
    let most = plane.limits.staleness_max;
    let lease =
        check("lease", age <= most, format!("the store was heard of {age} ago; at most {most} is allowed"));
    let idle = plane.now().since(plane.metrics.sequenced_at());
    let behind = waiting > 0 && idle > SEQUENCER_LAG_MAX;
    let lag = match behind {
        true => format!("{waiting} records wait, and the last step was {idle} ago"),
        false => format!("{waiting} records wait"),
    };
    let checks = vec![store_check, lease, check("sequencer", !behind, lag)];
    Readiness { ready: checks.iter().all(|check| check.ok), checks }
}

/// All counters and gauges, as Prometheus text. Names nobody.
pub async fn metrics(plane: &Plane) -> String {
    let view = plane.replica.latest();
    let head = plane.store.ledger_head().await.unwrap_or_default();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    plane.metrics.render(&[
        ("provost_seq", "Position of the last change this node knows.", view.directory.seq.0),
        ("provost_view_age_ms", "How long ago the store confirmed it.", plane.replica.age().0),
        ("provost_agents", "Agents, whatever their state.", count(view.directory.agents.len())),
        ("provost_tasks", "Tasks that have not ended.", count(view.directory.tasks.len())),
        ("provost_ledger_size", "Leaves of the ledger.", head.size),
        ("provost_ledger_waiting", "Records still to be sequenced.", head.waiting),
    ])
}

fn check(name: &str, ok: bool, detail: String) -> Check {
    Check { name: name.to_owned(), ok, detail }
}

const NAME_BYTES_MAX: usize = 100;
const STORE_ANSWER_MAX: Duration = Duration::from_secs(2);
const SEQUENCER_LAG_MAX: DurationMs = DurationMs::from_secs(30);
