//! Any bytes as a body or query of the authorization server's endpoints: no panic, and what is read keeps its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_token::{AuthorizeTarget, Details, TokenQuery, TokenRequest, check_redirect, redirect_matches};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = TokenRequest::parse(bytes) {
        assert!(request.others.values().all(|value| value.len() <= 2_048));
    }
    let _ = TokenQuery::parse(bytes);
    if let Ok(target) = AuthorizeTarget::parse(bytes) {
        let _ = target.request();
        // What may be registered is matched by itself, and by no address of another host.
        if check_redirect(&target.redirect_uri).is_ok() {
            assert!(redirect_matches(&target.redirect_uri, &target.redirect_uri));
            assert!(!redirect_matches("https://app.example/callback", &format!("{}.evil.example", target.redirect_uri)));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(details) = Details::parse_text(text)
    {
        // Nothing is more than itself, and it is written as it is read.
        assert!(details.attenuate(&details).is_ok());
        let written = serde_json::to_value(&details).unwrap();
        assert_eq!(Details::parse(&written).unwrap(), details);
    }
});
