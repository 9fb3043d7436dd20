//! Files in, plan or change out. What is applied is what was planned: read, compared, checked, and then written whole
//! in one transaction, or not at all.

mod checked;

use crate::{Action, ControlError, Op, access::Authorised, change::Draft, reason::reason};
pub(crate) use checked::{Checked, Wanted, checked};
use provost_api::plan::{Applied, ApplyRequest, FileText, PlanRequest, PlanView};
use provost_api::problem::Severity;
use provost_declare::SourceFile;
use provost_domain::{Directory, ObjectKey, Seq};
use provost_store::CommitError;
use std::collections::BTreeMap;

/// What applying these files would do. Writes nothing.
///
/// # Errors
/// When the operator may not. Faults in the files are the answer, not an error.
pub async fn plan(op: &Op, request: PlanRequest) -> Result<PlanView, ControlError> {
    op.authorize(Action::Plan)?;
    op.plane.replica.catch_up().await?;
    let wanted = Wanted::new(op, sources(request.files), request.prune, "files");
    let directory = op.plane.replica.latest().directory.clone();
    Ok(checked(wanted, directory).await?.view)
}

/// Makes the organisation what the files say, in one transaction. What already is so is not written again.
///
/// # Errors
/// When the operator may not, the files have an error, the plan is no longer the one that was looked at, or the store
/// fails. Nothing is written then.
pub async fn apply(op: &Op, request: ApplyRequest) -> Result<Applied, ControlError> {
    let authorised = op.authorize(Action::Apply)?;
    let why = reason(&request.reason)?.to_owned();
    let wanted = Wanted::new(op, sources(request.files), request.prune, "files");
    let seen = request.plan;
    let guard = |_directory: &Directory, _versions: &BTreeMap<ObjectKey, u64>, checked: &Checked| match &seen
    {
        Some(digest) if *digest != checked.view.digest => {
            Err(ControlError::conflict("applying would no longer do what the plan said")
                .because("the organisation or the files changed after it was made")
                .cure("plan again, look, and apply"))
        }
        _ => Ok(()),
    };
    let (seq, checked) = make(&authorised, wanted, "applied from files", &why, guard).await?;
    let PlanView { steps, faults, .. } = checked.view;
    let steps = steps.into_iter().filter(|step| step.verb != "keep").collect();
    Ok(Applied { seq: seq.0, steps, warnings: faults })
}

/// Commits what `wanted` declares. `guard` looks at it last, with the rows and versions it is about to be written on.
pub(crate) async fn make(
    authorised: &Authorised<'_>,
    wanted: Wanted,
    what: &str,
    why: &str,
    guard: impl Fn(&Directory, &BTreeMap<ObjectKey, u64>, &Checked) -> Result<(), ControlError>,
) -> Result<(Seq, Checked), ControlError> {
    let replica = &authorised.op.plane.replica;
    for _attempt in 0..ATTEMPTS_MAX {
        replica.catch_up().await?;
        let first = checked(wanted.clone(), replica.latest().directory.clone()).await?;
        refuse_faults(&first)?;
        let mut keys: Vec<ObjectKey> = first.drafts.iter().map(Draft::key).collect();
        keys.extend(wanted.keys_read.iter().cloned());
        // Versions before rows, as everywhere (`change.rs`): decide again on rows that are newer than the versions.
        let versions = authorised.versions(&keys).await?;
        let seq = replica.catch_up().await?;
        let directory = replica.latest().directory.clone();
        let checked = if directory.seq == first.seq() {
            first
        } else {
            checked(wanted.clone(), directory.clone()).await?
        };
        refuse_faults(&checked)?;
        if !checked.drafts.iter().all(|draft| versions.contains_key(&draft.key())) {
            continue;
        }
        guard(&directory, &versions, &checked)?;
        if checked.drafts.is_empty() {
            return Ok((seq, checked));
        }
        match authorised.commit(checked.drafts.clone(), &versions, what, why).await {
            Ok(seq) => {
                authorised.bind(seq).await?;
                return Ok((seq, checked));
            }
            Err(CommitError::Conflict { .. }) => authorised.op.plane.metrics.conflict(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(ControlError::conflict("the organisation keeps changing while this is applied").cure("try again"))
}

fn refuse_faults(checked: &Checked) -> Result<(), ControlError> {
    if !checked.view.refused {
        return Ok(());
    }
    let faults = checked.view.faults.clone();
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
    let what = match errors {
        1 => "there is 1 error, and nothing was applied".to_owned(),
        _ => format!("there are {errors} errors, and nothing was applied"),
    };
    Err(ControlError::caller(what).cure("mend what `faults` lists, all of it").with_faults(faults))
}

pub(crate) fn sources(files: Vec<FileText>) -> Vec<SourceFile> {
    files.into_iter().map(|file| SourceFile::new(file.path, file.text)).collect()
}

const ATTEMPTS_MAX: u32 = 8;
