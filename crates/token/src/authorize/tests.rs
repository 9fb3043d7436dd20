use super::*;

const BASE: &str = "client_id=https%3A%2F%2Fapp.example%2Fclient.json&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcb&response_type=code\
     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=xyz";

fn asked(query: &str) -> Result<AuthorizeRequest, OauthError> {
    AuthorizeTarget::parse(query.as_bytes())?.request()
}

#[test]
fn a_request_is_read_in_two_steps() {
    let query = format!(
        "{BASE}&resource=https://p/mcp&scope=a&prompt=none&max_age=60&dpop_jkt=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let target = AuthorizeTarget::parse(query.as_bytes()).unwrap();
    assert_eq!(target.client_id, "https://app.example/client.json");
    assert_eq!(target.redirect_uri, "http://127.0.0.1:4711/cb");
    assert_eq!(target.state.as_deref(), Some("xyz"));
    let request = target.request().unwrap();
    assert_eq!(
        (request.resource, request.prompt_none, request.max_age_seconds),
        (vec!["https://p/mcp".into()], true, Some(60))
    );
    assert!(request.dpop_jkt.is_some() && request.scope.is_some());
    assert!(!format!("{target:?}").contains("xyz"));
}

#[test]
fn what_does_not_fit_has_its_error() {
    use OauthCode::*;
    for (from, to, code) in [
        ("response_type=code", "response_type=token", UnsupportedResponseType),
        ("response_type=code", "response_type=code+token", UnsupportedResponseType),
        ("response_type=code", "", InvalidRequest),
        ("response_type=code", "response_type=code&response_type=token", InvalidRequest),
        ("code_challenge_method=S256", "code_challenge_method=plain", InvalidRequest),
        ("code_challenge_method=S256", "", InvalidRequest),
        ("code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "", InvalidRequest),
        ("state=xyz", "response_mode=fragment", InvalidRequest),
        ("state=xyz", "request=a.b.c", RequestNotSupported),
        ("state=xyz", "request_uri=https://a", RequestUriNotSupported),
        ("state=xyz", "resource=mcp", InvalidTarget),
        ("state=xyz", "scope=a++b", InvalidScope),
        ("state=xyz", "authorization_details=x", InvalidAuthorizationDetails),
        ("state=xyz", "dpop_jkt=x", InvalidRequest),
        ("state=xyz", "max_age=-1", InvalidRequest),
        ("state=xyz", "redirect_uri=https://evil", InvalidRequest),
        ("state=xyz", "client_id=other", InvalidRequest),
    ] {
        assert!(BASE.contains(from));
        assert_eq!(asked(&BASE.replace(from, to)).unwrap_err().code(), code, "{from} -> {to}");
    }
    assert!(asked(BASE).is_ok());
    assert!(AuthorizeTarget::parse(b"client_id=a").is_err(), "never a default redirect address");
}

#[test]
fn a_redirect_address_matches_itself_and_on_this_machine_another_port() {
    let (web, local) = ("https://app.example/cb", "http://127.0.0.1:4711/cb");
    for (registered, requested, fits) in [
        (web, web, true),
        (web, "https://app.example/cb/", false),
        (web, "https://app.example/cb?x=1", false),
        (web, "https://app.example/cb#x", false),
        (web, "https://app.example:443/cb", false),
        (web, "https://APP.example/cb", false),
        (web, "https://app.example.evil/cb", false),
        (web, "https://app.example@evil/cb", false),
        (web, "https://app.example/x/../cb", false),
        (web, "http://app.example/cb", false),
        (local, "http://127.0.0.1:1/cb", true),
        (local, "http://127.0.0.1/cb", true),
        ("http://[::1]/cb", "http://[::1]:9/cb", true),
        ("http://localhost/cb", "http://localhost:9/cb", true),
        ("http://localhost?x", "http://localhost:9?x", true),
        (local, "http://127.0.0.1:4711/other", false),
        (local, "http://127.0.0.1:4711/cb#x", false),
        (local, "http://localhost:4711/cb", false),
        (local, "https://127.0.0.1:4711/cb", false),
        (local, "http://127.0.0.1:0/cb", false),
        (local, "http://127.0.0.1:99999/cb", false),
        (local, "http://127.0.0.1:/cb", false),
        (local, "http://127.0.0.1:1@evil/cb", false),
        (local, "http://127.0.0.1:1:2/cb", false),
        (local, "http://127.0.0.1:+1/cb", false),
        (local, "http://127.0.0.1.evil/cb", false),
        ("http://localhost/cb", "http://localhost.evil/cb", false),
        ("http://localhost/cb", "http://localhost@evil/cb", false),
        ("http://localhost", "http://localhost:1#x", false),
    ] {
        assert_eq!(redirect_matches(registered, requested), fits, "{registered} {requested}");
    }
}

#[test]
fn only_addresses_that_lead_back_to_the_app_can_be_registered() {
    for good in
        ["https://app.example/cb", "http://127.0.0.1/cb", "http://localhost:8080/", "com.example.app:/cb"]
    {
        assert!(check_redirect(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/cb",
        "http://app.example/cb",
        "https://app.example/cb#x",
        "https://u:p@app.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://app.example\\@evil/",
        "https://app.example/ x",
    ] {
        assert!(check_redirect(bad).is_err(), "{bad}");
    }
}
