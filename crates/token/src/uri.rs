//! Addresses that are compared: the target of a DPoP proof, and resource indicators.

use crate::{OauthCode, OauthError};
use url::Url;

/// An address without query and fragment in the one form in which two that mean the same are equal (RFC 3986 sections
/// 6.2.2 and 6.2.3): scheme and host in lower case, no default port, dot segments resolved, `%` escapes in upper case and
/// only where needed, `/` for an empty path. Nothing, if the text is no http or https address, or has a user in it.
#[must_use]
pub fn comparable(text: &str) -> Option<String> {
    let mut url = strict(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = unescaped(url.path());
    let origin = url.origin().ascii_serialization();
    Some(format!("{origin}{path}"))
}

/// That this is a resource indicator: an absolute URI without fragment (RFC 8707 section 2).
///
/// # Errors
/// `invalid_target`.
pub fn check_resource(text: &str) -> Result<(), OauthError> {
    match strict(text) {
        Some(url) if url.fragment().is_none() => Ok(()),
        _ => {
            let text =
                "resource must be an absolute URI without fragment, user or spaces, at most 2048 bytes";
            Err(OauthError::new(OauthCode::InvalidTarget, text))
        }
    }
}

/// The reader of addresses repairs what it can (backslashes, tabs, missing slashes); whatever it would have to repair is
/// refused here, so that we never compare something else than others read.
fn strict(text: &str) -> Option<Url> {
    let clean = |b: u8| {
        matches!(b, 0x21..=0x7e)
            && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if text.len() > URI_BYTES_MAX || !text.bytes().all(clean) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https");
    let head = text.split_once(':').map(|(_scheme, rest)| rest)?;
    let slashes_ok = !web || head.starts_with("//") && !head.starts_with("///");
    (slashes_ok && url.username().is_empty() && url.password().is_none() && !authority(head).contains('@'))
        .then_some(url)
}

fn authority(rest: &str) -> &str {
    let rest = rest.strip_prefix("//").unwrap_or_default();
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Escapes of characters that need none are undone; the others get upper-case digits.
fn unescaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let escape = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                out.push(char::from(byte));
            }
            Some(byte) => out.push_str(&format!("%{byte:02X}")),
            None => out.push('%'),
        }
        rest = if escape.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out.push_str(rest);
    out
}

const URI_BYTES_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_compares_equal() {
        let wanted = comparable("https://as.example/oauth/token").unwrap();
        for text in [
            "HTTPS://AS.Example/oauth/token",
            "https://as.example:443/oauth/token",
            "https://as.example/oauth/token?x=1",
            "https://as.example/oauth/token#f",
            "https://as.example/oauth/./token",
            "https://as.example/x/../oauth/token",
            "https://as.example/%6fauth/t%6Fken",
        ] {
            assert_eq!(comparable(text).as_ref(), Some(&wanted), "{text}");
        }
        assert_eq!(comparable("https://as.example"), comparable("https://as.example/"));
        assert_eq!(comparable("https://a/%c3%a4"), comparable("https://a/%C3%A4"));
        assert_eq!(comparable("http://[::1]:80/x"), comparable("http://[::1]/x"));
    }

    #[test]
    fn what_means_something_else_does_not() {
        let wanted = comparable("https://as.example/oauth/token");
        for text in [
            "http://as.example/oauth/token",
            "https://as.example:8443/oauth/token",
            "https://as.example/oauth/token/",
            "https://as.example/OAuth/token",
            "https://as.example/oauth%2Ftoken",
            "https://as.example.evil/oauth/token",
            "https://as.example@evil/oauth/token",
            "https://evil@as.example/oauth/token",
            "https://@as.example/oauth/token",
            "https:\\\\as.example\\oauth\\token",
            "https:/as.example/oauth/token",
            "https:as.example/oauth/token",
            "https:///as.example/oauth/token",
            "https://as.example/oauth/\ttoken",
            " https://as.example/oauth/token",
            "//as.example/oauth/token",
            "/oauth/token",
            "ftp://as.example/oauth/token",
            "",
        ] {
            assert_ne!(comparable(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        for good in [
            "https://plane/mcp",
            "https://plane/mcp?x=1",
            "urn:example:bank",
            "http://127.0.0.1:7070/mcp/bank",
        ] {
            assert_eq!(check_resource(good), Ok(()), "{good}");
        }
        for bad in
            ["", "/mcp", "mcp", "https://plane/mcp#x", "https://plane/mcp#", "https://u:p@plane/", "a b:c"]
        {
            assert_eq!(check_resource(bad).unwrap_err().code(), OauthCode::InvalidTarget, "{bad}");
        }
    }
}
