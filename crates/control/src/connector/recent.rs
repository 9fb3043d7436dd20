//! What connectors asked of this node lately, for people who look. It is no authority, and is gone with the process.

use provost_api::connector::TroubleView;
use provost_domain::{Name, Timestamp};
use provost_notify::text::clean;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// What connectors asked of this node.
#[derive(Debug, Default)]
pub struct Recent(Mutex<BTreeMap<Name, Asked>>);

#[derive(Debug, Default)]
struct Asked {
    seen: Option<Timestamp>,
    troubles: VecDeque<TroubleView>,
}

impl Recent {
    /// A connector asked something; `refused`: what it was answered instead, and why.
    pub fn note(&self, connector: &Name, what: &str, refused: Option<(u16, &str)>, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = all.entry(connector.clone()).or_default();
        asked.seen = Some(now);
        if let Some((status, why)) = refused {
            let (what, why) = (clean(what, TEXT_CHARS_MAX), clean(why, TEXT_CHARS_MAX));
            asked.troubles.push_front(TroubleView { at: now.into(), what, status, why });
            asked.troubles.truncate(TROUBLES_MAX);
        }
    }

    pub(super) fn seen(&self, connector: &Name) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(connector)?.seen
    }

    pub(super) fn troubles(&self, connector: &Name) -> Vec<TroubleView> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(connector).map(|asked| asked.troubles.iter().cloned().collect()).unwrap_or_default()
    }
}

const TROUBLES_MAX: usize = 20;
const TEXT_CHARS_MAX: usize = 200;
