//! `system.tool`: how a client that sees many systems at once names a tool.

/// The name of a system's tool (or prompt) where many systems are seen at once.
///
/// Errors: [`NameTooLong`] beyond `name_chars_max` characters (2026-07-28, Tools: Tool Names).
pub fn join(system: &str, tool: &str, name_chars_max: usize) -> Result<String, NameTooLong> {
    let name = format!("{system}.{tool}");
    let chars = name.chars().count();
    if chars > name_chars_max { Err(NameTooLong { name, chars, name_chars_max }) } else { Ok(name) }
}

/// The system and the tool of a joined name. System names have no dot, so the first one parts them.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(system, tool)| !system.is_empty() && !tool.is_empty())
}

/// A tool that cannot be offered beside those of other systems.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name `{name}` has {chars} characters but at most {name_chars_max} are allowed; use the system's own address or a shorter system name"
)]
pub struct NameTooLong {
    /// The name that would be too long.
    pub name: String,
    /// Its length in characters.
    pub chars: usize,
    /// The bound.
    pub name_chars_max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_name_parts_again_at_the_first_dot() {
        for (system, tool) in [("bank", "transfer"), ("bank", "accounts.list"), ("a", ".")] {
            assert_eq!(split(&join(system, tool, 128).unwrap()), Some((system, tool)));
        }
        for name in ["", "bank", ".x", "bank."] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn a_joined_name_is_bounded() {
        assert!(join("bank", &"x".repeat(123), 128).is_ok());
        let error = join("bank", &"x".repeat(124), 128).unwrap_err();
        assert_eq!((error.chars, error.name_chars_max), (129, 128));
    }
}
