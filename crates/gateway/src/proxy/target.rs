//! Path and query, read one way only. Whatever two readers could read differently (dot segments, encoded slashes,
//! parameters after `;`, doubly encoded text) is refused with the reason; nothing is tidied up.

use super::bad;
use crate::refusal::Refusal;
use provost_domain::request::SEGMENTS_MAX;

/// What a request is addressed to, decoded once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The segments of the path; none is empty.
    pub segments: Vec<String>,
    /// Whether a slash follows the last one.
    pub ends_in_slash: bool,
    /// Names and values of the query, in order.
    pub query: Vec<(String, String)>,
}

/// Reads what follows `/proxy/{system}`, and the query, as they stand in the request.
///
/// # Errors
/// What could be read in two ways, with status 400.
pub(super) fn read(tail: &str, query: Option<&str>) -> Result<Target, Refusal> {
    let length = tail.len().saturating_add(query.map_or(0, str::len));
    if length > TARGET_BYTES_MAX {
        return Err(bad(
            414,
            format!("path and query have {length} bytes; proxy_target_bytes_max is {TARGET_BYTES_MAX}"),
        ));
    }
    let rest = tail.strip_prefix('/').unwrap_or(tail);
    let (inner, ends_in_slash) = match rest.strip_suffix('/') {
        Some(inner) => (inner, true),
        None => (rest, false),
    };
    let segments = match rest.is_empty() {
        true => Vec::new(),
        false => inner.split('/').map(segment).collect::<Result<Vec<_>, _>>()?,
    };
    if segments.len() > SEGMENTS_MAX {
        return Err(bad(400, format!("the path has more than {SEGMENTS_MAX} parts")));
    }
    let pairs = query.filter(|query| !query.is_empty());
    let query =
        pairs.into_iter().flat_map(|query| query.split('&')).map(pair).collect::<Result<Vec<_>, _>>()?;
    if query.len() > PAIRS_MAX {
        return Err(bad(400, format!("the query has more than {PAIRS_MAX} parts")));
    }
    Ok(Target { segments, ends_in_slash, query })
}

fn segment(raw: &str) -> Result<String, Refusal> {
    let what = "a part of the path";
    if raw.is_empty() {
        return Err(bad(400, "the path has an empty part (`//`), which readers drop or keep; leave it out"));
    }
    let text = decoded(raw, what)?;
    let why = if text.contains(['/', '\\']) {
        "holds an encoded slash or a backslash, which some readers take for the end of the part"
    } else if text.contains(';') {
        "holds `;`, behind which some readers look for parameters"
    } else if text.chars().all(|c| c == '.') {
        "consists of dots, which readers resolve differently"
    } else {
        return Ok(text);
    };
    Err(bad(400, format!("{what} {why}; address the thing itself")))
}

fn pair(raw: &str) -> Result<(String, String), Refusal> {
    if raw.contains(';') {
        return Err(bad(400, "the query holds `;`, which some readers take for `&`; encode it as %3B"));
    }
    let Some((name, value)) = raw.split_once('=') else {
        return Err(bad(
            400,
            "each part of the query has to read name=value; write `name=` for an empty value",
        ));
    };
    // application/x-www-form-urlencoded, as every client writes queries: a plus is a space.
    let form = |text: &str, what| decoded(&text.replace('+', "%20"), what);
    let name = form(name, "a name in the query")?;
    match name.is_empty() {
        true => Err(bad(400, "a part of the query has no name")),
        false => Ok((name, form(value, "a value in the query")?)),
    }
}

/// Percent-decoded once (RFC 3986 section 2.1), as UTF-8 without control characters.
fn decoded(raw: &str, what: &str) -> Result<String, Refusal> {
    let broken = || bad(400, format!("{what} has a `%` without two hexadecimal digits"));
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or_else(broken)?;
        let mut decoded = [0_u8];
        hex(digits).ok_or_else(broken).map(|byte| decoded = [byte])?;
        bytes.extend_from_slice(&decoded);
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|_| bad(400, format!("{what} is not UTF-8")))?;
    if text.chars().any(char::is_control) {
        return Err(bad(400, format!("{what} holds a control character")));
    }
    if is_encoded_again(&text) {
        return Err(bad(
            400,
            format!("{what} is percent-encoded twice, and some readers decode twice; encode it once"),
        ));
    }
    Ok(text)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match digits {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    }
}

fn is_encoded_again(text: &str) -> bool {
    text.as_bytes().windows(3).any(|three| matches!(three, [b'%', digits @ ..] if hex(digits).is_some()))
}

/// Bytes of path and query together.
const TARGET_BYTES_MAX: usize = 16_384;
/// Parts of a query.
const PAIRS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_target_is_read_as_it_stands() {
        let target = |segments: &[&str], ends_in_slash, query: &[(&str, &str)]| Target {
            segments: segments.iter().map(|text| (*text).to_owned()).collect(),
            ends_in_slash,
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        for (path, query, wanted) in [
            ("", None, target(&[], false, &[])),
            ("/", Some(""), target(&[], false, &[])),
            ("/orders/7", None, target(&["orders", "7"], false, &[])),
            ("/orders/", None, target(&["orders"], true, &[])),
            ("/%6Frders/a%20b", None, target(&["orders", "a b"], false, &[])),
            ("/caf%C3%A9/100%25", None, target(&["café", "100%"], false, &[])),
            ("/a.b/..c/me:do@x", None, target(&["a.b", "..c", "me:do@x"], false, &[])),
            (
                "/a",
                Some("x=1&y=a+b%2Bc&x=2&z="),
                target(&["a"], false, &[("x", "1"), ("y", "a b+c"), ("x", "2"), ("z", "")]),
            ),
            ("/a", Some("x=a%3Bb%26c=d"), target(&["a"], false, &[("x", "a;b&c=d")])),
        ] {
            assert_eq!(read(path, query).unwrap(), wanted, "{path}?{query:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let paths = [
            "//orders",
            "/orders//7",
            "/orders///",
            "//",
            "/./orders",
            "/orders/..",
            "/orders/../admin",
            "/orders/%2e%2e/admin",
            "/orders/%2E/7",
            "/orders/.%2e",
            "/orders/...",
            "/orders%2F7",
            "/orders%2f..%2fadmin",
            "/orders\\..\\admin",
            "/orders%5C7",
            "/orders;x=1/7",
            "/orders%3Bx=1",
            "/orders/7%00",
            "/orders/%0d%0aHost:x",
            "/orders/%7F",
            "/orders/%C0%AE%C0%AE",
            "/orders/%FF",
            "/orders/%",
            "/orders/%2",
            "/orders/%zz",
            "/orders/%252e%252e",
            "/orders/%252F",
            "/orders/%25%32%65",
            "/orders/%C2%85",
        ];
        for path in paths {
            let refusal = read(path, None).unwrap_err();
            assert_eq!(refusal.http_status(), 400, "{path}");
        }
        for query in [
            "x", "x=1&", "&x=1", "x=1&&y=2", "=1", "x=1;y=2", "x;y=2", "x=%", "x=%FF", "x=%00", "x%00=1",
            "x=%2541", "%0a=1",
        ] {
            assert_eq!(read("/a", Some(query)).unwrap_err().http_status(), 400, "{query}");
        }
        assert_eq!(read(&"/a".repeat(TARGET_BYTES_MAX), None).unwrap_err().http_status(), 414);
        assert!(read(&"/a".repeat(SEGMENTS_MAX + 1), None).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_holds_nothing_that_moves_it_elsewhere(path in "(/[ -~]{0,8}){0,5}", query in "[ -~]{0,20}") {
            let Ok(target) = read(&path, Some(&query)) else { return Ok(()) };
            for text in &target.segments {
                prop_assert!(!text.is_empty() && !text.contains(['/', '\\', ';']) && text != "." && text != "..");
                prop_assert!(!is_encoded_again(text));
            }
        }
    }
}
