//! How long, at worst, an agent's power outlives the order to stop it (REQUIREMENTS.md C4): what each link of the
//! chain may take, and which one sets most of it.

use crate::plane::Plane;
use provost_api::agent::{RevocationBound, RevocationLink};
use provost_domain::{Charter, Directory, DurationMs, Name, credential::CredentialBound};

/// What the plane adds, whatever the systems do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    /// The lease of an enforcement point that is cut off.
    pub(crate) staleness_max: DurationMs,
    /// The life of a task token.
    pub(crate) token_lifetime_max: DurationMs,
}

impl Links {
    pub(crate) fn of(plane: &Plane) -> Self {
        Self { staleness_max: plane.limits.staleness_max, token_lifetime_max: plane.token_lifetime_max }
    }

    /// The worst case of a charter: the slowest of its systems after the plane's own links.
    pub(crate) fn worst(&self, charter: &Charter, directory: &Directory) -> DurationMs {
        let slowest = slowest(charter, directory).map_or(0, |(_name, takes)| takes.at_most.0);
        DurationMs(self.staleness_max.0.saturating_add(self.token_lifetime_max.0).saturating_add(slowest))
    }
}

/// The bound of a charter, link by link.
pub(crate) fn bound(links: Links, charter: &Charter, directory: &Directory) -> RevocationBound {
    let slowest = slowest(charter, directory);
    let mut chain = vec![
        RevocationLink {
            link: "enforcement points".to_owned(),
            at_most: links.staleness_max.into(),
            counts: true,
            meaning:
                "one that is cut off from the store stops deciding when its lease ends (`staleness_max`)"
                    .to_owned(),
        },
        RevocationLink {
            link: "task tokens".to_owned(),
            at_most: links.token_lifetime_max.into(),
            counts: true,
            meaning: "whoever judges a token by its signature alone honours it until it expires".to_owned(),
        },
    ];
    for (name, takes) in systems(charter, directory) {
        let counts = slowest.as_ref().is_some_and(|(slow, _)| *slow == name);
        chain.push(RevocationLink {
            link: format!("system {name}"),
            at_most: takes.at_most.into(),
            counts,
            meaning: takes.because.to_owned(),
        });
    }
    let counting = chain.iter().filter(|link| link.counts);
    let set_by = counting.max_by_key(|link| link.at_most).map(|link| link.link.clone());
    let settings = directory.organisation.as_ref();
    RevocationBound {
        worst: links.worst(charter, directory).into(),
        set_by: set_by.unwrap_or_default(),
        links: chain,
        allowed: settings.and_then(|settings| settings.revocation_max(charter.environment)).map(Into::into),
    }
}

fn systems(charter: &Charter, directory: &Directory) -> Vec<(Name, CredentialBound)> {
    let known = charter.systems().into_iter().filter_map(|name| directory.systems.get(name));
    known.map(|system| (system.name.clone(), system.credential_bound())).collect()
}

fn slowest(charter: &Charter, directory: &Directory) -> Option<(Name, CredentialBound)> {
    systems(charter, directory).into_iter().max_by_key(|(_name, takes)| takes.at_most)
}
