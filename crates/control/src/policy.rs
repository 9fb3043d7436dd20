//! Policies: the ones in force, checks, cases, the schema.

use crate::{
    Action, ControlError, Op,
    plan::{Wanted, checked, sources},
};
use provost_api::{
    plan::FileText,
    policy::{CaseReport, PolicyCheck, PolicyReport, PolicySchema, PolicyTest, PolicyTestReport, PolicyView},
    problem::{Fault, Severity},
};
use provost_domain::Directory;
use provost_policy::{Case, CaseResult, PolicyFault, check, run_cases, schema_text};

/// The organisation's policies, in order of their names.
///
/// # Errors
/// When the operator may not.
pub async fn list(op: &Op) -> Result<Vec<PolicyView>, ControlError> {
    op.authorize(Action::PolicyRead)?;
    let view = op.plane.replica.latest();
    let files = view.directory.policies.values();
    Ok(files.map(|file| PolicyView { name: file.name.clone(), text: file.text.clone() }).collect())
}

/// Checks everything in force, or, with files, everything as it would be with them.
///
/// # Errors
/// When the operator may not. Faults are the answer, not an error.
pub async fn check_all(op: &Op, request: PolicyCheck) -> Result<PolicyReport, ControlError> {
    op.authorize(Action::PolicyCheck)?;
    let (directory, mut faults) = with_files(op, request.files).await?;
    let stopped = faults.iter().any(|fault| fault.severity == Severity::Error);
    if !stopped {
        let found = blocking(move || check(&directory)).await?;
        for fault in found.iter().map(shown) {
            if !faults.iter().any(|known| known.what == fault.what) {
                faults.push(fault);
            }
        }
    }
    let sound = !faults.iter().any(|fault| fault.severity == Severity::Error);
    Ok(PolicyReport { sound, faults })
}

/// Runs cases against what is in force, or, with files, against what would be.
///
/// # Errors
/// When the operator may not, the files have an error, or the cases cannot be read.
pub async fn test(op: &Op, request: PolicyTest) -> Result<PolicyTestReport, ControlError> {
    op.authorize(Action::PolicyTest)?;
    let cases = cases(&request.cases)?;
    let (directory, faults) = with_files(op, request.files).await?;
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(ControlError::caller("the files have errors, so no case can be run").with_faults(faults));
    }
    let results = blocking(move || run_cases(&directory, &cases)).await?;
    let cases: Vec<CaseReport> = results.into_iter().map(report).collect();
    let passed = cases.iter().filter(|case| case.passed).count();
    Ok(PolicyTestReport { passed, failed: cases.len().saturating_sub(passed), cases })
}

/// The Cedar schema that policies are checked against, as the organisation's systems make it.
///
/// # Errors
/// When the operator may not.
pub async fn schema(op: &Op) -> Result<PolicySchema, ControlError> {
    op.authorize(Action::PolicyRead)?;
    let view = op.plane.replica.latest();
    Ok(PolicySchema { text: schema_text(&view.directory) })
}

/// A fault of the decision point as the API shows it.
pub(crate) fn shown(fault: &PolicyFault) -> Fault {
    let spot = fault.place.spot();
    Fault {
        severity: Severity::Error,
        file: Some(fault.place.to_string()),
        line: spot.map(|spot| spot.line),
        column: spot.map(|spot| spot.column),
        width: None,
        excerpt: spot.map(|spot| spot.excerpt.clone()),
        what: fault.message.clone(),
        cure: fault.help.clone(),
    }
}

async fn with_files(op: &Op, files: Vec<FileText>) -> Result<(Directory, Vec<Fault>), ControlError> {
    op.plane.replica.catch_up().await?;
    let directory = op.plane.replica.latest().directory.clone();
    if files.is_empty() {
        return Ok((directory, Vec::new()));
    }
    let checked = checked(Wanted::new(op, sources(files), false, "files"), directory).await?;
    Ok((checked.after, checked.view.faults))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ControlError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|stopped| ControlError::us("the check stopped in the middle", stopped))
}

fn cases(text: &str) -> Result<Vec<Case>, ControlError> {
    let read: Result<Cases, String> = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.to_string())
    };
    let cases = read.map_err(|error| {
        ControlError::caller("the cases cannot be read")
            .because(error)
            .cure("write [[case]] with name, given, when and then")
    })?;
    if cases.case.len() > CASES_MAX {
        return Err(ControlError::caller(format!("there are {} cases", cases.case.len()))
            .because(format!("the limit `cases_max` is {CASES_MAX}"))
            .cure("split them"));
    }
    Ok(cases.case)
}

fn report(result: CaseResult) -> CaseReport {
    let verdict = result.verdict.as_ref().map(|verdict| verdict.as_str().to_owned());
    CaseReport { name: result.name, passed: result.passed, verdict, detail: result.differences }
}

/// A file of cases.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(default)]
    case: Vec<Case>,
}

const CASES_MAX: usize = 10_000;
