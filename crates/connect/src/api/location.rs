//! Where a `Location` leads. A redirect is for the agent to follow, through the plane; one that leads elsewhere would
//! take the agent, or its token, past it.

use http::HeaderValue;
use reqwest::Url;

/// Where a `Location` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Below the system's address: path and query behind it, beginning with a slash.
    Inside(String),
    /// Anywhere else, or nowhere that can be read.
    Outside,
}

impl Location {
    /// `base` is the system's address, `asked` the address of the request (RFC 9110 section 10.2.2: relative to it).
    pub(super) fn of(base: &Url, asked: &Url, value: &HeaderValue) -> Self {
        let target = value.to_str().ok().and_then(|text| asked.join(text).ok());
        target.and_then(|target| inside(base, &target)).map_or(Self::Outside, Self::Inside)
    }
}

fn inside(base: &Url, target: &Url) -> Option<String> {
    let same = base.scheme() == target.scheme()
        && base.host() == target.host()
        && base.port_or_known_default() == target.port_or_known_default()
        && target.username().is_empty()
        && target.password().is_none();
    let tail = target.path().strip_prefix(base.path().trim_end_matches('/'))?;
    if !same || !tail.starts_with('/') {
        return None;
    }
    Some(target.query().map_or_else(|| tail.to_owned(), |query| format!("{tail}?{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_inside_only_below_the_systems_address() {
        let base = "https://shop.example/v1".parse().unwrap();
        let asked = "https://shop.example/v1/orders/7".parse().unwrap();
        let of = |text: &str| match Location::of(&base, &asked, &HeaderValue::from_str(text).unwrap()) {
            Location::Inside(tail) => tail,
            Location::Outside => "outside".to_owned(),
        };
        for (text, wanted) in [
            ("/v1/orders/8?x=1", "/orders/8?x=1"),
            ("8", "/orders/8"),
            ("https://shop.example/v1/a", "/a"),
            ("https://SHOP.example:443/v1/a", "/a"),
            ("/v1", "outside"),
            ("/v10/a", "outside"),
            ("/admin", "outside"),
            ("/v1/../admin", "outside"),
            ("../../admin", "outside"),
            ("//evil.example/v1/a", "outside"),
            ("https://evil.example/v1/a", "outside"),
            ("https://shop.example@evil.example/v1/a", "outside"),
            ("https://me:x@shop.example/v1/a", "outside"),
            ("http://shop.example/v1/a", "outside"),
            ("https://shop.example:8443/v1/a", "outside"),
            ("javascript:alert(1)", "outside"),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}
