//! The file of a system that was just looked at, for a person to review before it counts.
//!
//! Everything in it that came from the system is the system's own claim. So hidden characters are written as
//! escapes a reviewer sees, and what the system says of itself (annotations, description) never makes a proposal
//! milder than the names of the tool and its arguments suggest.

mod effects;
mod steering;
mod write;

pub use effects::{Hints, Proposal, propose_effects};
pub(crate) use write::quoted;
pub use write::write_system_file;

use provost_domain::{System, Tool};

/// A system as the importer found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSystem {
    /// Name, description, environment, connection, credential, as the person gave them.
    pub system: System,
    /// Its tools.
    pub tools: Vec<ImportedTool>,
}

/// A tool as the importer found it, with the effects that are proposed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedTool {
    /// Pin, typed arguments, description from the system; effects and steering arguments as proposed, or as a person had set them before.
    pub tool: Tool,
    /// What the system claims about it.
    pub hints: Hints,
    /// Why these effects: one line for the reviewer.
    pub why: String,
}

impl ImportedTool {
    /// A tool with the effects its name, arguments and hints propose.
    #[must_use]
    pub fn proposed(mut tool: Tool, hints: Hints) -> Self {
        let args: Vec<&str> = tool.args.keys().map(String::as_str).collect();
        let Proposal { effects, why } = propose_effects(tool.name.as_str(), &args, &tool.description, hints);
        tool.effects = effects;
        tool.steering = steering::propose(&tool);
        Self { tool, hints, why }
    }
}
