//! A command that was not done, told in four parts: what, why, what it means, what to do.

use crate::{Exit, out::Style};
use provost_api::{Problem, problem::Fault};
use serde::Serialize;
use std::fmt::Write as _;

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// How the program ends.
    #[serde(skip)]
    pub exit: Exit,
    /// What happened.
    pub error: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Box<str>>,
    /// What it means for who asked.
    #[serde(rename = "this means", skip_serializing_if = "Option::is_none")]
    pub means: Option<Box<str>>,
    /// What to do.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub cure: Option<Box<str>>,
    /// Every fault behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// What the plane answered, when it was the plane that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// A command that failed.
    pub fn new(error: impl Into<String>) -> Self {
        Self {
            exit: Exit::Refused,
            error: error.into(),
            because: None,
            means: None,
            cure: None,
            faults: Vec::new(),
            problem: None,
        }
    }

    /// A command that makes no sense.
    pub fn usage(error: impl Into<String>) -> Self {
        Self::new(error).exit(Exit::Usage)
    }

    /// Ends the program so.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, because: impl std::fmt::Display) -> Self {
        self.because = Some(because.to_string().into());
        self
    }

    /// Adds what it means.
    #[must_use]
    pub fn means(mut self, means: impl Into<Box<str>>) -> Self {
        self.means = Some(means.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<Box<str>>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Adds faults.
    #[must_use]
    pub fn faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// The four parts, a line each, faults between.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut text = format!("{} {}\n", style.red("error:"), self.error);
        for fault in &self.faults {
            text.push_str(&crate::plan::fault(fault, style));
        }
        for (label, part) in [("because:", &self.because), ("this means:", &self.means), ("do:", &self.cure)]
        {
            if let Some(part) = part {
                // Writing to a String cannot fail.
                let _written = writeln!(text, "  {} {part}", style.bold(label));
            }
        }
        text
    }
}

impl From<Problem> for Failure {
    /// What it means depends on the kind of problem alone, so that is said here.
    fn from(problem: Problem) -> Self {
        let means = match problem.status {
            401 => Some("nothing was done: the plane does not know who you are"),
            403 => Some("nothing was done: a rule says no"),
            404 | 422 | 400 => None,
            409 => Some("nothing was changed"),
            502 | 504 => Some("a system behind the plane did not do its part"),
            503 => Some("the plane cannot do this just now"),
            500.. => Some("the plane is broken here; its log says more under this request"),
            _ => None,
        };
        let cure = problem.cure.clone().or_else(|| {
            (problem.status == 401).then(|| {
                "point --data at the plane's data folder, or set PROVOST_TOKEN to an administrator token"
                    .into()
            })
        });
        Self {
            exit: Exit::Refused,
            error: if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() },
            because: problem.because.clone().map(Into::into),
            means: means.map(Into::into),
            cure: cure.map(Into::into),
            faults: problem.faults.clone(),
            problem: Some(Box::new(problem)),
        }
    }
}

/// The chain of an error, joined by colons.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_four_parts() {
        let problem: Problem = serde_json::from_str(
            r#"{"type":"urn:provost:problem:conflict","title":"Conflict","status":409,"detail":"agent a was changed",
                "because":"somebody else changed it","do":"read it again"}"#,
        )
        .unwrap();
        let text = Failure::from(problem).render(Style::plain());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "error: agent a was changed",
                "  because: somebody else changed it",
                "  this means: nothing was changed",
                "  do: read it again"
            ]
        );
    }
}
