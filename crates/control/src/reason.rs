//! Why something is changed, in the words of who changed it.

use crate::ControlError;

/// The reason, trimmed.
///
/// # Errors
/// When it is empty, too long, or has control characters that would break a line of a log.
pub(crate) fn reason(text: &str) -> Result<&str, ControlError> {
    let text = text.trim();
    let fits = (1..=REASON_BYTES_MAX).contains(&text.len());
    if fits && !text.chars().any(|c| c.is_control() && c != '\n') {
        return Ok(text);
    }
    Err(ControlError::caller("`reason` is missing, too long, or not plain text")
        .because("every change is recorded with who made it and why")
        .cure(format!("say why in 1 to {REASON_BYTES_MAX} bytes")))
}

/// Why the plane itself changes something, of text that others may have written: one plain line.
pub(crate) fn of_plane(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(OWN_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// With room for four bytes each.
const OWN_CHARS_MAX: usize = 240;
const REASON_BYTES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    #[test]
    fn a_reason_is_a_plain_text_of_some_length() {
        assert_eq!(super::reason("  because \n").unwrap(), "because");
        for bad in ["", "  ", "a\u{1b}[31m", &"x".repeat(1_001)] {
            assert!(super::reason(bad).is_err(), "{bad:?}");
        }
    }
}
