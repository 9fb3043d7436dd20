//! The plane as the supervisor sees it: a task, its token, and the lease.

use super::{ASKS_PER_LEASE, END_MAX, say};
use crate::{Client, Failure, client::part};
use provost_api::{
    Because,
    task::{TaskStart, TaskStarted, TaskSummary, TokenRequest},
};
use provost_domain::TaskId;
use serde::Deserialize;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A task that we started, while it may go on.
pub(super) struct Plane {
    starter: Client,
    pub(super) url: String,
    pub(super) task: TaskId,
    token: Mutex<String>,
    folder: PathBuf,
    /// The lease that the plane gave last, and when we had asked for it.
    lease: Mutex<(Instant, Duration)>,
}

/// Why the program may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The plane says so.
    Contained(String),
    /// The plane says nothing.
    CutOff(String),
    /// Somebody told us to end.
    Signal(u8),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Heard {
    LeaseMs(u64),
    Stopped(String),
}

impl Plane {
    /// Starts the task, and has the first lease.
    pub(super) async fn begin(starter: Client, url: &str, wanted: &TaskStart) -> Result<Self, Failure> {
        let started: TaskStarted = starter.post("tasks", wanted).await?;
        let task = started.task.id;
        let folder = std::env::temp_dir().join(format!("provost-run-{task}"));
        let plane = Self {
            starter,
            url: url.trim_end_matches('/').to_owned(),
            task,
            token: Mutex::new(started.token),
            folder,
            lease: Mutex::new((Instant::now(), Duration::ZERO)),
        };
        let begun = match plane.keep_token() {
            Ok(()) => plane.ask(Duration::ZERO).await.map_err(|stop| Failure::new(stop.why().to_owned())),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = begun {
            plane.end().await;
            return Err(failure);
        }
        Ok(plane)
    }

    /// The present token.
    pub(super) fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the present token always stands.
    pub(super) fn token_file(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// Keeps the lease, and returns when it is lost.
    pub(super) async fn lost(&self) -> Stop {
        loop {
            let (until, lease) = self.until();
            let asking = tokio::time::timeout_at(until, self.ask(lease / ASKS_PER_LEASE));
            match asking.await {
                Ok(Ok(())) => {}
                Ok(Err(stop @ (Stop::Contained(_) | Stop::Signal(_)))) => return stop,
                // Perhaps the next question is answered; the lease decides how long we try.
                Ok(Err(Stop::CutOff(why))) => {
                    let again = Instant::now() + (lease / ASKS_PER_LEASE / 2).max(ASK_AGAIN_MIN);
                    if again >= until {
                        tokio::time::sleep_until(until).await;
                        return Stop::CutOff(why);
                    }
                    tokio::time::sleep_until(again).await;
                }
                Err(_elapsed) => {
                    let why = format!("the plane at {} did not answer within the lease", self.url);
                    return Stop::CutOff(why);
                }
            }
        }
    }

    /// Ends the task.
    pub(super) async fn end(&self) {
        let path = format!("tasks/{}/end", part(&self.task.to_string()));
        let because = Because { reason: "the program that ran under a lease has ended".to_owned() };
        let ending = self.starter.post::<TaskSummary>(&path, &because);
        if !matches!(tokio::time::timeout(END_MAX, ending).await, Ok(Ok(_))) {
            say(&format!("the task {} could not be ended; it ends by itself when its time is up", self.task));
        }
        // What is in it is worth nothing any more.
        let _left_behind = fs::remove_dir_all(&self.folder);
    }

    /// When the lease ends, and how long it was.
    fn until(&self) -> (Instant, Duration) {
        let (asked, lease) = *self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        (asked + lease, lease)
    }

    /// Asks whether the task may go on; waits for a stop, `patience` at most.
    async fn ask(&self, patience: Duration) -> Result<(), Stop> {
        let cut_off = |failure: &Failure| Stop::CutOff(failure.error.clone());
        let path = format!("/enforce/v1/lease?wait_ms={}", patience.as_millis());
        for _turn in 0..2 {
            let client = Client::with_token(&self.url, self.token()).map_err(|failure| cut_off(&failure))?;
            let asked = Instant::now();
            let heard = client.ask::<Heard>(reqwest::Method::GET, &path, None::<&()>).await;
            match heard {
                Ok(Heard::Stopped(why)) => return Err(Stop::Contained(why)),
                Ok(Heard::LeaseMs(ms)) => {
                    let lease = Duration::from_millis(ms.min(LEASE_MS_MAX));
                    // The plane's word counts from the moment it was asked for, which is before it was given.
                    *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = (asked, lease);
                    return Ok(());
                }
                Err(failure) => match code(&failure) {
                    "token-expired" => self.renew().await?,
                    "task-ended" | "agent-unknown" | "cut" | "token-revoked" => {
                        return Err(Stop::Contained(failure.error));
                    }
                    _ => return Err(cut_off(&failure)),
                },
            }
        }
        Err(Stop::CutOff("the plane does not take the token it has just given".to_owned()))
    }

    async fn renew(&self) -> Result<(), Stop> {
        let path = format!("tasks/{}/token", part(&self.task.to_string()));
        let started = self.starter.post::<TaskStarted>(&path, &TokenRequest { system: None }).await;
        let started =
            started.map_err(|failure| match failure.problem.as_ref().map(|problem| problem.status) {
                Some(403 | 404 | 409) => Stop::Contained(failure.error),
                _ => Stop::CutOff(failure.error),
            })?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = started.token;
        self.keep_token().map_err(|failure| Stop::CutOff(failure.error))
    }

    /// Puts the token into its file, whole or not at all.
    fn keep_token(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("the token's file cannot be written in {}", self.folder.display()))
                .because(error)
        };
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _there => {}
        }
        let new = self.folder.join("token.new");
        write_private(&new, &self.token()).and_then(|()| fs::rename(&new, self.token_file())).map_err(failed)
    }
}

impl Stop {
    /// In words.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Contained(why) | Self::CutOff(why) => why,
            Self::Signal(_) => "we were told to end",
        }
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn code(failure: &Failure) -> &str {
    let kind = failure.problem.as_ref().map(|problem| problem.kind.as_str());
    kind.and_then(|kind| kind.strip_prefix("urn:provost:problem:")).unwrap_or_default()
}

/// No plane gives more; one that says so is not believed.
const LEASE_MS_MAX: u64 = 60_000;
const ASK_AGAIN_MIN: Duration = Duration::from_millis(20);
