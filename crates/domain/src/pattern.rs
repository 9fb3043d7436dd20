//! Patterns as charters have them (Cedar `like`): `*` for any text, `\*` for a star.

/// A pattern, or a text seen as a pattern without wildcards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Any,
    Char(char),
}

/// Whether the text fits the pattern: `*` stands for any text, also none, `\*` for a star, everything else for itself.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    covers(&signs(pattern), &text.chars().map(Sign::Char).collect::<Vec<_>>())
}

/// Whether every text that fits `narrow` fits `wide` too. Never true when it is not so.
#[must_use]
pub fn includes(wide: &str, narrow: &str) -> bool {
    covers(&signs(wide), &signs(narrow))
}

/// What every text that fits the pattern begins with, as far as that is plain to see: what stands before the first wildcard, or
/// before the first sign that may be none.
#[must_use]
pub fn literal_start(pattern: &str) -> &str {
    pattern.split(['*', '\\']).next().unwrap_or_default()
}

fn signs(pattern: &str) -> Vec<Sign> {
    let mut signs = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        signs.push(match char {
            '*' => Sign::Any,
            '\\' if chars.next_if_eq(&'*').is_some() => Sign::Char('*'),
            char => Sign::Char(char),
        });
    }
    signs
}

/// Glob matching sign by sign, where a wildcard of `narrow` can only be met by a wildcard of `wide`.
fn covers(wide: &[Sign], narrow: &[Sign]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to come back to: after the last wildcard, and how far that wildcard has eaten.
    let mut back: Option<(usize, usize)> = None;
    while let Some(sign) = narrow.get(seen) {
        match wide.get(at) {
            Some(Sign::Any) => {
                at += 1;
                back = Some((at, seen));
            }
            Some(wanted) if wanted == sign => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((after, eaten)) = back else { return false };
                at = after;
                seen = eaten + 1;
                back = Some((after, seen));
            }
        }
    }
    wide.get(at..).is_some_and(|rest| rest.iter().all(|sign| *sign == Sign::Any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("\u{e4}*", "\u{e4}\u{f6}", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main2", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_includes_another_fits_all_its_texts(
            wide in r"[ab*\\]{0,6}", narrow in r"[ab*\\]{0,6}", text in r"[ab*\\]{0,8}",
        ) {
            prop_assert!(!(includes(&wide, &narrow) && matches(&narrow, &text)) || matches(&wide, &text));
        }
    }
}
