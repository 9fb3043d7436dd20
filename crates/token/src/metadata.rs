//! What an authorization server says about itself (RFC 8414 section 2), also read as OpenID Connect discovery.

use crate::{Algorithm, CLIENT_ALGORITHMS, DETAIL_TYPE, DPOP_ALGORITHMS, ID_JAG_PROFILE};
use crate::{JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT};
use serde::Serialize;

/// The metadata document. What is absent is left out, and nothing that is not there is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerMetadata {
    /// The issuer identifier: the very text by which the document was found.
    pub issuer: String,
    /// Where people consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens come from.
    pub token_endpoint: String,
    /// The keys.
    pub jwks_uri: String,
    /// Where tokens end (RFC 7009).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// Where tokens are asked about (RFC 7662).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
    /// `code`, if there is an authorization endpoint.
    pub response_types_supported: Vec<&'static str>,
    /// `query`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<&'static str>,
    /// Never left out: absent would mean the implicit grant.
    pub grant_types_supported: Vec<&'static str>,
    /// Never left out: absent would mean client secrets.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// For client assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<Algorithm>,
    /// As at the token endpoint, but for `none`: whoever takes a token back proves that it is theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Required beside `private_key_jwt` (RFC 8414 section 2).
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<Algorithm>,
    /// As at the token endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Required beside `private_key_jwt` (RFC 8414 section 2).
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<Algorithm>,
    /// Scope words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// `S256`; MCP clients refuse a server without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<&'static str>,
    /// RFC 9207.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub authorization_response_iss_parameter_supported: bool,
    /// RFC 9396.
    pub authorization_details_types_supported: Vec<&'static str>,
    /// RFC 9449.
    pub dpop_signing_alg_values_supported: Vec<Algorithm>,
    /// A client id may be the address of the client's own metadata.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_id_metadata_document_supported: bool,
    /// Profiles of the jwt-bearer grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_grant_profiles_supported: Vec<&'static str>,
}

/// Which parts there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerParts {
    /// The authorization endpoint, with codes and refresh tokens.
    pub authorize: bool,
    /// ID-JAGs of an identity provider are redeemed.
    pub id_jag: bool,
    /// Client id metadata documents.
    pub client_id_documents: bool,
    /// JWT-SVIDs as client assertions.
    pub spiffe: bool,
}

impl ServerMetadata {
    /// The document of a plane with these parts, whose endpoints lie below `<issuer>/oauth/`.
    #[must_use]
    pub fn new(issuer: &str, parts: ServerParts) -> Self {
        let base = issuer.trim_end_matches('/');
        let below = |path: &str| format!("{base}/oauth/{path}");
        let only = |there: bool, words: &[&'static str]| if there { words.to_vec() } else { Vec::new() };
        let mut grants = vec!["client_credentials", JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT];
        grants.extend(only(parts.authorize, &["authorization_code", "refresh_token"]));
        let mut methods = vec!["private_key_jwt"];
        methods.extend(only(parts.spiffe, &["spiffe_jwt"]));
        // Of clients that are public, and of platforms' tokens, which come without client authentication.
        methods.push("none");
        let proven: Vec<&'static str> = methods.iter().copied().filter(|method| *method != "none").collect();
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: parts.authorize.then(|| below("authorize")),
            token_endpoint: below("token"),
            jwks_uri: below("jwks"),
            revocation_endpoint: Some(below("revoke")),
            introspection_endpoint: Some(below("introspect")),
            service_documentation: Some(format!("{base}/")),
            response_types_supported: only(parts.authorize, &["code"]),
            response_modes_supported: only(parts.authorize, &["query"]),
            grant_types_supported: grants,
            revocation_endpoint_auth_methods_supported: proven.clone(),
            revocation_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS.to_vec(),
            introspection_endpoint_auth_methods_supported: proven,
            introspection_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS.to_vec(),
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS.to_vec(),
            scopes_supported: Vec::new(),
            code_challenge_methods_supported: only(parts.authorize, &["S256"]),
            authorization_response_iss_parameter_supported: parts.authorize,
            authorization_details_types_supported: vec![DETAIL_TYPE],
            dpop_signing_alg_values_supported: DPOP_ALGORITHMS.to_vec(),
            client_id_metadata_document_supported: parts.client_id_documents,
            authorization_grant_profiles_supported: only(parts.id_jag, &[ID_JAG_PROFILE]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_announces_what_is_there_and_nothing_else() {
        let bare =
            serde_json::to_value(ServerMetadata::new("https://plane", ServerParts::default())).unwrap();
        assert_eq!(bare["token_endpoint"], "https://plane/oauth/token");
        for absent in ["authorization_endpoint", "code_challenge_methods_supported", "registration_endpoint"]
        {
            assert!(bare.get(absent).is_none(), "{absent}");
        }
        let grants = bare["grant_types_supported"].to_string();
        assert!(!grants.contains("authorization_code") && !grants.contains("implicit"));
        let all = ServerParts { authorize: true, id_jag: true, client_id_documents: true, spiffe: true };
        let full = serde_json::to_value(ServerMetadata::new("https://plane", all)).unwrap();
        assert_eq!(full["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(full["authorization_response_iss_parameter_supported"], true);
        assert!(!full.to_string().contains("client_secret") && !full.to_string().contains("HS256"));
        for endpoint in ["token", "revocation", "introspection"] {
            let methods = full[format!("{endpoint}_endpoint_auth_methods_supported")].to_string();
            let algorithms = &full[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            assert!(methods.contains("private_key_jwt") && algorithms.is_array(), "{endpoint}");
            assert_eq!(methods.contains("none"), endpoint == "token", "{endpoint}");
        }
    }
}
