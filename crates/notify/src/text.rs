//! What others wrote, as text and nothing else: no line breaks, no control characters, nothing that turns the direction of
//! reading round or hides, and not more than fits.

/// A text on one line, of at most so many characters.
#[must_use]
pub fn clean(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(chars_max) {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || is_unseen(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// Characters that change how others are read, or cannot be seen (Unicode UAX #9; "Trojan Source", CVE-2021-42574).
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_others_wrote_is_one_line_that_reads_as_it_stands() {
        let table = [
            ("plain", "plain"),
            ("a\r\nBcc: all@x", "a  Bcc: all@x"),
            ("a\u{1b}[31mred", "a\u{fffd}[31mred"),
            ("pay \u{202e}eilA", "pay \u{fffd}eilA"),
            ("zero\u{200b}width", "zero\u{fffd}width"),
            ("ünïcödé 好", "ünïcödé 好"),
        ];
        for (text, wanted) in table {
            assert_eq!(clean(text, 100), wanted);
        }
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
    }
}
