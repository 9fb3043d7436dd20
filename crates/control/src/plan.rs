//! Files in, plan, change or proposal out. What is applied is what was planned: read, compared, checked, and then written
//! whole in one transaction, or not at all. What gains nothing takes effect at once; what gains something waits for those
//! who must agree (`gate.rs`).

mod checked;
mod gate;

use crate::{Action, ControlError, Op, access::Authorised, change::Draft, reason::reason};
pub(crate) use checked::{Checked, Wanted, applied, checked, recheck};
pub(crate) use gate::{Author, stamped};
use provost_api::plan::{Applied, ApplyRequest, FileText, PlanRequest, PlanView};
use provost_api::problem::Severity;
use provost_api::proposal::ProposalView;
use provost_declare::SourceFile;
use provost_domain::{Directory, ObjectKey, Proposal, Seq};
use provost_store::CommitError;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a change: it is made, or waits for those who must agree.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It binds.
    Done(T),
    /// Nothing has changed yet.
    Waits(ProposalView),
}

impl<T> Outcome<T> {
    /// The same of something else.
    #[must_use]
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(done) => Outcome::Done(into(done)),
            Self::Waits(proposal) => Outcome::Waits(proposal),
        }
    }
}

impl Made {
    /// What to answer: `done`, or the proposal that waits.
    pub(crate) async fn outcome<T>(
        self,
        op: &Op,
        done: impl AsyncFnOnce() -> Result<T, ControlError>,
    ) -> Result<Outcome<T>, ControlError> {
        Ok(match self {
            Self::Done(..) => Outcome::Done(done().await?),
            Self::Waits(row, _checked) => Outcome::Waits(crate::proposal::view(op, &row).await?),
        })
    }
}

/// The same, inside.
pub(crate) enum Made {
    Done(Seq, Checked),
    Waits(Box<Proposal>, Checked),
}

/// What applying these files would do, and who would have to agree to it. Writes nothing.
///
/// # Errors
/// When the operator may not. Faults in the files are the answer, not an error.
pub async fn plan(op: &Op, request: PlanRequest) -> Result<PlanView, ControlError> {
    op.authorize(Action::Plan)?;
    op.plane.replica.catch_up().await?;
    let wanted = Wanted::new(op, sources(request.files), request.prune, "files");
    let directory = op.plane.replica.latest().directory.clone();
    let checked = checked(wanted, directory.clone()).await?;
    let asks = gate::asks(op, &directory, &checked);
    Ok(PlanView { asks, ..checked.view })
}

/// Makes the organisation what the files say, in one transaction, or proposes it to those who must agree. What already is so
/// is not written again.
///
/// # Errors
/// When the operator may not, the files have an error, the plan is no longer the one that was looked at, or the store
/// fails. Nothing is written then.
pub async fn apply(op: &Op, request: ApplyRequest) -> Result<Applied, ControlError> {
    let authorised = op.authorize(Action::Apply)?;
    let why = reason(&request.reason)?.to_owned();
    let author = Author::of(op, request.person, request.break_glass)?;
    let wanted = Wanted::new(op, sources(request.files), request.prune, "files").by(author);
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
    let made = make(&authorised, wanted, "applied from files", &why, guard).await?;
    let (seq, proposal, checked) = match made {
        Made::Done(seq, checked) => (seq, None, checked),
        Made::Waits(row, checked) => {
            let view = crate::proposal::view(op, &row).await?;
            (checked.seq(), Some(Box::new(view)), checked)
        }
    };
    let PlanView { steps, faults, .. } = checked.view;
    let steps = steps.into_iter().filter(|step| step.verb != "keep").collect();
    Ok(Applied { seq: seq.0, steps, warnings: faults, proposal })
}

/// Commits what `wanted` declares, or a proposal of it. `guard` looks at it last, with the rows and versions it is about to
/// be written on.
pub(crate) async fn make(
    authorised: &Authorised<'_>,
    wanted: Wanted,
    what: &str,
    why: &str,
    guard: impl Fn(&Directory, &BTreeMap<ObjectKey, u64>, &Checked) -> Result<(), ControlError>,
) -> Result<Made, ControlError> {
    let check = |directory| checked(wanted.clone(), directory);
    take(authorised, (&wanted.author, &wanted.keys_read), check, (what, why), guard).await
}

/// Commits the rows of an operation that comes from no file, or a proposal of them. `decide` is asked again on newer rows, and
/// says of each row in words what is gained.
pub(crate) async fn make_rows(
    authorised: &Authorised<'_>,
    author: &Author,
    (what, why): (&str, &str),
    decide: impl Fn(&Directory) -> Result<Vec<(Draft, String)>, ControlError>,
) -> Result<Made, ControlError> {
    let check = |directory: Directory| {
        let made = decide(&directory).map(|rows| Checked::of_rows(rows, directory));
        std::future::ready(made)
    };
    take(authorised, (author, &[]), check, (what, why), |_directory, _versions, _checked| Ok(())).await
}

async fn take<F: Future<Output = Result<Checked, ControlError>>>(
    authorised: &Authorised<'_>,
    (author, keys_read): (&Author, &[ObjectKey]),
    check: impl Fn(Directory) -> F,
    (what, why): (&str, &str),
    guard: impl Fn(&Directory, &BTreeMap<ObjectKey, u64>, &Checked) -> Result<(), ControlError>,
) -> Result<Made, ControlError> {
    let replica = &authorised.op.plane.replica;
    for _attempt in 0..ATTEMPTS_MAX {
        replica.catch_up().await?;
        let first = check(replica.latest().directory.clone()).await?;
        refuse_faults(&first)?;
        let mut keys: BTreeSet<ObjectKey> = first.drafts.iter().map(Draft::key).collect();
        keys.extend(keys_read.iter().cloned());
        keys.extend(gate::keys(&replica.latest().directory, &first, author));
        let keys: Vec<ObjectKey> = keys.into_iter().collect();
        // Versions before rows, as everywhere (`change.rs`): decide again on rows that are newer than the versions.
        let versions = authorised.versions(&keys).await?;
        let seq = replica.catch_up().await?;
        let directory = replica.latest().directory.clone();
        let checked = if directory.seq == first.seq() { first } else { check(directory.clone()).await? };
        refuse_faults(&checked)?;
        if !checked.drafts.iter().all(|draft| versions.contains_key(&draft.key())) {
            continue;
        }
        guard(&directory, &versions, &checked)?;
        if checked.drafts.is_empty() {
            return Ok(Made::Done(seq, checked));
        }
        let now = authorised.op.plane.now();
        let Some(force) = gate::force(author, &directory, &versions, &checked, why, now)? else {
            continue;
        };
        let what = force.what.as_deref().unwrap_or(what);
        match authorised.commit(force.drafts, &versions, what, why).await {
            Ok(seq) => {
                authorised.bind(seq).await?;
                return Ok(match force.waits {
                    Some(row) => Made::Waits(row, checked),
                    None => Made::Done(seq, checked),
                });
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
