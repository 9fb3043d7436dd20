use super::*;

const JWT: &str = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c";

fn parse(body: &str) -> Result<TokenRequest, OauthError> {
    TokenRequest::parse(body.as_bytes())
}

fn refused(body: &str) -> OauthCode {
    parse(body).unwrap_err().code()
}

#[test]
fn every_grant_is_read_into_what_it_means() {
    let secret = |text: &str| Secret::new(text.to_owned());
    let verifier = "v".repeat(43);
    for (body, grant) in [
        (format!("grant_type=client_credentials&{JWT}"), Grant::ClientCredentials),
        (
            format!("grant_type=authorization_code&code=c&code_verifier={verifier}&redirect_uri=https://a/b"),
            Grant::AuthorizationCode {
                code: secret("c"),
                redirect_uri: Some("https://a/b".into()),
                code_verifier: secret(&verifier),
            },
        ),
        (
            "grant_type=refresh_token&refresh_token=r".into(),
            Grant::RefreshToken { refresh_token: secret("r") },
        ),
        (
            "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a.b.c".into(),
            Grant::JwtBearer { assertion: secret("a.b.c") },
        ),
        (
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=s\
             &subject_token_type=urn:ietf:params:oauth:token-type:access_token&actor_token=a\
             &actor_token_type=urn:ietf:params:oauth:token-type:jwt&audience=x&audience=y\
             &requested_token_type=urn:ietf:params:oauth:token-type:access_token"
                .into(),
            Grant::TokenExchange(Box::new(TokenExchange {
                subject_token: secret("s"),
                subject_token_type: TokenType::AccessToken,
                actor: Some((secret("a"), TokenType::Jwt)),
                requested_token_type: Some(TokenType::AccessToken),
                audience: vec!["x".into(), "y".into()],
            })),
        ),
    ] {
        assert_eq!(parse(&body).unwrap().grant, grant);
    }
    let request = parse(&format!(
        "grant_type=client_credentials&client_id=clerk&{JWT}&resource=https://p/mcp&resource=https://p/mcp/bank&scope=b+a\
         &task=task_1&authorization_details=%5B%7B%22type%22%3A%22provost_task%22%2C%22system%22%3A%22bank%22%7D%5D"
    ))
    .unwrap();
    assert_eq!(request.client_id.as_deref(), Some("clerk"));
    assert_eq!(request.resource, ["https://p/mcp", "https://p/mcp/bank"]);
    assert_eq!(request.scope.unwrap().to_string(), "a b");
    assert_eq!(request.details.unwrap().entries()[0].system.as_str(), "bank");
    assert_eq!(request.others.into_iter().collect::<Vec<_>>(), [("task".to_owned(), "task_1".to_owned())]);
    let ClientCredential::Assertion { kind, assertion } = request.credential else { panic!("an assertion") };
    assert_eq!((kind, assertion.dangerous_expose_secret()), (AssertionKind::JwtBearer, "a.b.c"));
}

#[test]
fn what_is_missing_wrong_or_twice_has_its_error() {
    use OauthCode::*;
    let exchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
    let access = "urn:ietf:params:oauth:token-type:access_token";
    for (body, code) in [
        (String::new(), InvalidRequest),
        ("grant_type=".into(), InvalidRequest),
        ("grant_type=password&username=a&password=b".into(), UnsupportedGrantType),
        ("grant_type=implicit".into(), UnsupportedGrantType),
        ("grant_type=client_credentials&grant_type=client_credentials".into(), InvalidRequest),
        ("grant_type=client_credentials&scope=a&scope=b".into(), InvalidRequest),
        ("grant_type=client_credentials&client_id=a&client_id=b".into(), InvalidRequest),
        ("grant_type=client_credentials&scope=a++b".into(), InvalidScope),
        ("grant_type=client_credentials&resource=/mcp".into(), InvalidTarget),
        ("grant_type=client_credentials&resource=https://a/%23x".into(), InvalidTarget),
        ("grant_type=client_credentials&resource=https://a&resource=b".into(), InvalidTarget),
        ("grant_type=client_credentials&authorization_details=%5B%5D".into(), InvalidAuthorizationDetails),
        ("grant_type=authorization_code&code=c".into(), InvalidRequest),
        ("grant_type=authorization_code&code_verifier=c".into(), InvalidRequest),
        ("grant_type=refresh_token".into(), InvalidRequest),
        ("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer".into(), InvalidRequest),
        (exchange.into(), InvalidRequest),
        (format!("{exchange}&subject_token=s"), InvalidRequest),
        (format!("{exchange}&subject_token_type={access}"), InvalidRequest),
        (format!("{exchange}&subject_token=s&subject_token_type=saml2"), InvalidRequest),
        (format!("{exchange}&subject_token=s&subject_token_type={access}&actor_token=a"), InvalidRequest),
        (
            format!("{exchange}&subject_token=s&subject_token_type={access}&actor_token_type={access}"),
            InvalidRequest,
        ),
        (format!("{exchange}&subject_token=s&subject_token=t&subject_token_type={access}"), InvalidRequest),
        (format!("grant_type=client_credentials&{JWT}&client_secret=s"), InvalidClient),
        ("grant_type=client_credentials&client_id=a&client_secret=s".into(), InvalidClient),
        ("grant_type=client_credentials&client_assertion=a.b.c".into(), InvalidRequest),
        ("grant_type=client_credentials&client_assertion_type=saml&client_assertion=a".into(), InvalidClient),
        (format!("grant_type=client_credentials&{JWT}&client_assertion=d.e.f"), InvalidRequest),
        (format!("grant_type=client_credentials&x={}", "a".repeat(2_049)), InvalidRequest),
        ("grant_type=client_credentials&x=%00".into(), InvalidRequest),
        (format!("grant_type=client_credentials&client_id={}", "a".repeat(2_049)), InvalidRequest),
    ] {
        assert_eq!(refused(&body), code, "{body:.120}");
    }
}

#[test]
fn a_client_secret_is_refused_with_the_way_out_and_without_the_secret() {
    let error = parse("grant_type=client_credentials&client_id=a&client_secret=hunter2").unwrap_err();
    assert_eq!(error.status(), 401);
    assert!(error.description().contains("private_key_jwt") && !error.description().contains("hunter2"));
}

#[test]
fn nothing_secret_shows_in_debug() {
    let body = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=hunter2\
         &subject_token_type=urn:ietf:params:oauth:token-type:jwt&actor_token=hunter2\
         &actor_token_type=urn:ietf:params:oauth:token-type:jwt&{}",
        JWT.replace("a.b.c", "hunter2")
    );
    assert!(!format!("{:?}", parse(&body).unwrap()).contains("hunter2"));
    let query = TokenQuery::parse(b"token=hunter2&token_type_hint=access_token").unwrap();
    assert!(!format!("{query:?}").contains("hunter2"));
    assert_eq!(query.token.dangerous_expose_secret(), "hunter2");
    assert!(TokenQuery::parse(b"token_type_hint=access_token").is_err());
    assert!(TokenQuery::parse(b"token=a&token=b").is_err());
}
