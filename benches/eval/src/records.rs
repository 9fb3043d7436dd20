//! The recorded runs as they are kept: JSON lines, plain or compressed with xz.

use anyhow::{Context as _, bail};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process::{Command, Stdio},
};

/// Everything that was recorded.
pub struct Records {
    /// Runs without an error of their own.
    pub runs: Vec<Run>,
    /// Texts of results by their hash.
    pub results: HashMap<String, String>,
    /// By run.
    pub critical: HashMap<String, Critical>,
    /// The calls that an attacker's goal takes, by suite and goal. Used for scoring only.
    pub goals: BTreeMap<(String, String), Vec<GoalCall>>,
}

/// One run of one model on one task.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub id: String,
    pub suite: String,
    pub model: String,
    pub kind: Kind,
    pub user_task: Option<String>,
    pub injection_task: Option<String>,
    #[serde(default)]
    pub prompt: Option<String>,
    pub utility: Option<bool>,
    pub attack_succeeded: Option<bool>,
    pub run_error: Option<Value>,
    pub calls: Vec<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Benign,
    Attack,
    InjectionAsUser,
}

/// One recorded call. Calls of one turn do not see each other's results.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    pub turn: u32,
    pub tool: String,
    pub args: Map<String, Value>,
    pub result: Option<String>,
    pub error: Option<String>,
    pub executed: bool,
}

/// Which calls made an attack a success.
#[derive(Debug, Clone, Deserialize)]
pub struct Critical {
    pub id: String,
    /// Each of these alone.
    #[serde(default)]
    pub crit: Vec<usize>,
    #[serde(default)]
    pub mode: Option<String>,
    /// Only all of these together.
    #[serde(default)]
    pub groups: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GoalCall {
    pub tool: String,
    pub args: Map<String, Value>,
}

#[derive(Deserialize)]
struct Task {
    suite: String,
    task_id: String,
    kind: String,
    #[serde(default)]
    calls: Vec<GoalCall>,
}

impl Records {
    /// Reads a folder. Runs with an error of their own are dropped.
    pub fn read(folder: &Path, models: &[String]) -> anyhow::Result<Self> {
        let all: Vec<Run> = lines(folder, "runs")?;
        let wanted = |run: &Run| models.is_empty() || models.contains(&run.model);
        let runs = all.into_iter().filter(|run| run.run_error.is_none() && wanted(run)).collect();
        let results: Vec<(String, String)> = lines(folder, "results")?;
        let critical: Vec<Critical> = lines(folder, "critical")?;
        let tasks: Vec<Task> = lines(folder, "tasks")?;
        let goals = tasks.into_iter().filter(|task| task.kind == "injection");
        Ok(Self {
            runs,
            results: results.into_iter().collect(),
            critical: critical.into_iter().map(|critical| (critical.id.clone(), critical)).collect(),
            goals: goals.map(|task| ((task.suite, task.task_id), task.calls)).collect(),
        })
    }
}

fn lines<T: DeserializeOwned>(folder: &Path, name: &str) -> anyhow::Result<Vec<T>> {
    let (plain, packed) = (folder.join(format!("{name}.jsonl")), folder.join(format!("{name}.jsonl.xz")));
    let text = if plain.exists() {
        std::fs::read_to_string(&plain).with_context(|| format!("cannot read {}", plain.display()))?
    } else {
        unpacked(&packed)?
    };
    let line = |(at, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{name}, line {}", at + 1))
    };
    text.lines().enumerate().map(line).collect()
}

fn unpacked(path: &Path) -> anyhow::Result<String> {
    let mut xz = Command::new("xz");
    let output = xz.arg("-dc").arg("--").arg(path).stderr(Stdio::inherit()).output();
    let output = output.context("cannot run xz (Debian: apt-get install xz-utils)")?;
    if !output.status.success() {
        bail!("xz cannot read {}", path.display());
    }
    Ok(String::from_utf8(output.stdout)?)
}
