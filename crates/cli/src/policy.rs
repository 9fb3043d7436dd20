//! Policies: checked, tested with cases, and their schema.

use crate::{Client, Exit, Failure, Out, folder, out::clean, plan::plural};
use clap::Subcommand;
use provost_api::policy::{PolicyCheck, PolicyReport, PolicySchema, PolicyTest, PolicyTestReport};
use std::{fmt::Write as _, path::PathBuf};

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
        /// The file with the cases: TOML with [[case]], or JSON
        #[arg(value_name = "CASES")]
        cases: PathBuf,
        /// The organisation's folder
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
            let files = dir.map(|dir| folder::read(&dir)).transpose()?.unwrap_or_default();
            let cases = std::fs::read_to_string(&cases).map_err(|error| {
                Failure::usage(format!("the file {} cannot be read", cases.display())).because(error)
            })?;
            let report: PolicyTestReport = client.post("policies/test", &PolicyTest { files, cases }).await?;
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
