//! Tools as servers define them, lists that show less, calls, and names with their system in front.

mod call;
mod definition;
mod list;
mod prefix;

pub use call::{ToolCall, ToolOutcome};
pub use definition::{Annotations, DefinitionError, ToolDefinition};
pub use list::{Collector, Keep, ListError, ListKind, Page, Unusable, filter, read_page, write_tools};
pub use prefix::{NameTooLong, join, split};
