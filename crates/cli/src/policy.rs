//! Policies: checked, tested with cases, and their schema.

use crate::{Client, Exit, Failure, Out, folder, out::clean, plan::plural};
use clap::Subcommand;
use provost_api::policy::{PolicyCheck, PolicyReport, PolicySchema, PolicyTest, PolicyTestReport};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// `provost policy`.
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// Check policies: those in force, or with a folder what would be in force after applying it
    Check {
        /// The organisation's folder
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Run cases (given, when, then) against what is in force, or would be after applying a folder
    Test {
        /// The file with the cases: TOML with [[case]], or JSON; or an organisation's folder, with every case in it
        #[arg(value_name = "CASES|DIR")]
        cases: PathBuf,
        /// The organisation's folder, if the cases are elsewhere
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the Cedar schema policies are checked against
    Schema,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: PolicyCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check { dir } => {
            let files = dir.map(|dir| folder::read(&dir)).transpose()?.unwrap_or_default();
            let report: PolicyReport = client.post("policies/check", &PolicyCheck { files }).await?;
            out.show(&report, |report, style| {
                let mut text: String =
                    report.faults.iter().map(|fault| crate::plan::fault(fault, style)).collect();
                text.push_str(&if report.sound { style.green("sound") } else { style.red("not sound") });
                text
            });
            Ok(if report.sound { Exit::Ok } else { Exit::Unverified })
        }
        PolicyCommand::Test { cases, dir } => {
            let request = test(&cases, dir.as_deref())?;
            let report: PolicyTestReport = client.post("policies/test", &request).await?;
            out.show(&report, |report, style| {
                let mut text = String::new();
                for case in &report.cases {
                    let mark = if case.passed { style.green("✓") } else { style.red("✗") };
                    let _written = writeln!(text, "{mark} {}", clean(&case.name));
                    for line in &case.detail {
                        let _written = writeln!(text, "    {}", clean(line));
                    }
                }
                let n = report.passed + report.failed;
                let _written = write!(text, "{} of {n} {} held", report.passed, plural(n, "case"));
                text
            });
            Ok(if report.failed == 0 { Exit::Ok } else { Exit::Unverified })
        }
        PolicyCommand::Schema => {
            let schema: PolicySchema = client.get("policies/schema").await?;
            out.show(&schema, |schema, _| schema.text.clone());
            Ok(Exit::Ok)
        }
    }
}

/// The cases, and the files they are about: of a folder both.
fn test(cases: &Path, dir: Option<&Path>) -> Result<PolicyTest, Failure> {
    let files = dir.map(folder::read).transpose()?.unwrap_or_default();
    if !cases.is_dir() {
        let text = std::fs::read_to_string(cases).map_err(|error| {
            Failure::usage(format!("the file {} cannot be read", cases.display())).because(error)
        })?;
        return Ok(PolicyTest { files, cases: text });
    }
    let found = folder::read(cases)?;
    let mut all = Vec::new();
    for file in found.iter().filter(|file| file.path.ends_with(".toml")) {
        all.extend(cases_of(&file.text).map_err(|error| {
            Failure::usage(format!("the cases in {} cannot be read", file.path)).because(error)
        })?);
    }
    if all.is_empty() {
        return Err(Failure::usage(format!("there is no [[case]] in {}", cases.display()))
            .cure("write [[case]] with name, given, when and then"));
    }
    let files = if dir.is_none() { found } else { files };
    Ok(PolicyTest { files, cases: serde_json::json!({ "case": all }).to_string() })
}

/// The cases of one file, whatever else is in it.
fn cases_of(text: &str) -> Result<Vec<toml::Value>, toml::de::Error> {
    let mut table: toml::Table = toml::from_str(text)?;
    Ok(match table.remove("case") {
        Some(toml::Value::Array(cases)) => cases,
        Some(other) => vec![other],
        None => Vec::new(),
    })
}
