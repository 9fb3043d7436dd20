//! Faults for tests: the writer fails, or the process dies, at a named step.

use crate::error::backend;
use provost_store::StoreError;
use std::sync::{Arc, Mutex};

/// A step of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    BeforeCommit,
    AfterCommit,
}

/// What happens when a step is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails once.
    Fails,
    /// The process dies there.
    Dies,
}

/// The planned fault, if any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<(Step, Fault)>>>);

impl Faults {
    pub(crate) fn plan(&self, step: Step, fault: Fault) {
        *self.0.lock().unwrap() = Some((step, fault));
    }

    pub(crate) fn reach(&self, step: Step) -> Result<(), StoreError> {
        let mut planned = self.0.lock().unwrap();
        match *planned {
            Some((at, Fault::Fails)) if at == step => {
                *planned = None;
                Err(backend("commit", "a planned fault"))
            }
            Some((at, Fault::Dies)) if at == step => std::process::abort(),
            _ => Ok(()),
        }
    }
}
