//! The address of a request, written from its pieces. Nothing of what the agent wrote is copied: whatever is not
//! plainly a letter, a digit or one of a few marks is percent-encoded, so every reader sees the same pieces.

use reqwest::Url;
use std::fmt::Write as _;

use super::ApiRequest;

pub(super) fn url(base: &Url, request: &ApiRequest) -> Url {
    let mut path = base.path().trim_end_matches('/').to_owned();
    for segment in &request.segments {
        path.push('/');
        encode(&mut path, segment, b"-._~:@");
    }
    if request.segments.is_empty() || request.ends_in_slash {
        path.push('/');
    }
    let mut query = String::new();
    for (name, value) in &request.query {
        if !query.is_empty() {
            query.push('&');
        }
        encode(&mut query, name, b"-._~");
        query.push('=');
        encode(&mut query, value, b"-._~");
    }
    let mut url = base.clone();
    url.set_path(&path);
    url.set_query((!query.is_empty()).then_some(query.as_str()));
    url.set_fragment(None);
    url
}

/// RFC 3986 section 2.1.
fn encode(out: &mut String, text: &str, plain: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::request::Method;

    fn built(base: &str, segments: &[&str], ends_in_slash: bool, query: &[(&str, &str)]) -> String {
        let owned = |text: &&str| (*text).to_owned();
        let request = ApiRequest {
            method: Method::Get,
            segments: segments.iter().map(owned).collect(),
            ends_in_slash,
            query: query.iter().map(|(name, value)| (owned(name), owned(value))).collect(),
            headers: Default::default(),
            body: None,
        };
        url(&base.parse().unwrap(), &request).to_string()
    }

    #[test]
    fn each_piece_stays_one_piece() {
        let table = [
            (built("https://h/v1", &["orders", "7"], false, &[]), "https://h/v1/orders/7"),
            (built("https://h/v1/", &["orders"], true, &[]), "https://h/v1/orders/"),
            (built("https://h", &[], false, &[]), "https://h/"),
            (built("https://h/v1", &[], true, &[]), "https://h/v1/"),
            (built("https://h", &["a?b#c d+e;f,g"], false, &[]), "https://h/a%3Fb%23c%20d%2Be%3Bf%2Cg"),
            (built("https://h", &["100%"], false, &[]), "https://h/100%25"),
            (built("https://h", &["ä", "me:do"], false, &[]), "https://h/%C3%A4/me:do"),
            (
                built("https://h", &["a"], false, &[("x", "1&y=2"), ("x", "a b+c#"), ("a[]", "")]),
                "https://h/a?x=1%26y%3D2&x=a%20b%2Bc%23&a%5B%5D=",
            ),
        ];
        for (got, wanted) in table {
            assert_eq!(got, wanted);
        }
    }
}
