//! Credentials of AWS for a role: the plane signs a web identity token, STS answers with a session (AWS STS API,
//! `AssumeRoleWithWebIdentity`). The request itself is not signed; the token is the proof.

use crate::{
    Broker, BrokerError, Whom,
    oauth::ANSWER_BYTES_MAX,
    subject::{ASSERTION_LIFETIME, Towards},
};
use provost_connect::{Ask, Secret, Shown};
use provost_domain::{DurationMs, Name, Timestamp, credential::CredentialSubject};
use roxmltree::{Document, Node, ParsingOptions};

/// Which role, and how.
pub(crate) struct Wanted<'a> {
    pub(crate) role: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) lifetime: DurationMs,
}

/// Credentials for a while.
pub(crate) struct Session {
    pub(crate) shown: Shown,
    pub(crate) expires: Timestamp,
}

/// Asks for a session.
///
/// # Errors
/// STS's refusal by its code; an answer that is none.
pub(crate) async fn assume(
    broker: &Broker,
    system: &Name,
    whom: &Whom,
    wanted: &Wanted<'_>,
) -> Result<Session, BrokerError> {
    let pen = broker.pen();
    let towards = Towards::new(wanted.audience, ASSERTION_LIFETIME);
    let token = pen.sign(system, &pen.grant(system, whom, CredentialSubject::Agent, &towards)?)?;
    let seconds = (wanted.lifetime.0 / 1_000).to_string();
    let name = session_name(whom);
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", wanted.role),
        ("RoleSessionName", &name),
        ("WebIdentityToken", &token),
        ("DurationSeconds", &seconds),
    ];
    let mut ask = Ask { form: Some(&form), ..Ask::default() };
    ask.headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("text/xml"));
    let asked_at = broker.now();
    let answer = broker.parts.upstreams.fetch(wanted.endpoint, ask, ANSWER_BYTES_MAX).await;
    let answer = answer.map_err(|error| BrokerError::unreachable(system, error))?;
    let refused = |why: String| BrokerError::refused(system, WHO, why);
    let text = std::str::from_utf8(&answer.body).map_err(|_no_text| refused(NO_ANSWER.to_owned()))?;
    let session = read(answer.status.as_u16(), text).map_err(refused)?;
    // The worst-case revocation time is what the row says; a session that outlives it would make that a lie.
    if session.expires > asked_at.plus(wanted.lifetime).plus(SKEW) {
        return Err(refused("gave credentials that are good for longer than was asked for".to_owned()));
    }
    Ok(session)
}

fn read(status: u16, text: &str) -> Result<Session, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_no_xml| NO_ANSWER.to_owned())?;
    if status != 200 {
        let code = child(document.root_element(), "Error")
            .and_then(|error| child(error, "Code"))
            .and_then(|code| code.text());
        let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
        return Err(match code {
            Some(code) => format!(
                "refused with `{code}`; check the role's trust policy, its audience, and that the plane is registered as identity provider"
            ),
            None => format!("answered with http status {status}"),
        });
    }
    let result = child(document.root_element(), "AssumeRoleWithWebIdentityResult");
    let credentials = result.and_then(|result| child(result, "Credentials")).ok_or(NO_ANSWER)?;
    let part = |name: &str| {
        let text = child(credentials, name).and_then(|part| part.text()).unwrap_or_default();
        let fits =
            (1..=PART_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| (0x21..0x7f).contains(&b));
        if fits { Ok(text) } else { Err(NO_ANSWER.to_owned()) }
    };
    let expires: jiff::Timestamp = part("Expiration")?.parse().map_err(|_no_time| NO_ANSWER.to_owned())?;
    let variables = [
        ("AWS_ACCESS_KEY_ID", part("AccessKeyId")?),
        ("AWS_SECRET_ACCESS_KEY", part("SecretAccessKey")?),
        ("AWS_SESSION_TOKEN", part("SessionToken")?),
    ];
    let shown = variables.map(|(name, value)| (name.to_owned(), Secret::new(value.as_bytes().to_vec())));
    Ok(Session {
        shown: Shown::variables(shown.into()),
        expires: Timestamp::from_millis(expires.as_millisecond()),
    })
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// How the session is called in AWS's own records: 2 to 64 of `A-Z a-z 0-9 = , . @ - _`.
fn session_name(whom: &Whom) -> String {
    let task = whom.task.id.to_string();
    let tail: String = task.chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
    let agent: String = whom.agent.as_str().chars().take(50).collect();
    format!("{agent}-{tail}")
}

const WHO: &str = "AWS STS";
const NO_ANSWER: &str =
    "answered with something that is no answer to AssumeRoleWithWebIdentity; check its endpoint";
const NODES_MAX: u32 = 500;
const PART_BYTES_MAX: usize = 16_384;
const SKEW: DurationMs = DurationMs::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_refused_and_not_quoted() {
        let good = "<R xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials>\
                    <SessionToken>hunter2-t</SessionToken><SecretAccessKey>hunter2-s</SecretAccessKey>\
                    <Expiration>2026-11-22T12:00:00Z</Expiration><AccessKeyId>hunter2-a</AccessKeyId>\
                    </Credentials></AssumeRoleWithWebIdentityResult></R>";
        assert_eq!(read(200, good).unwrap().expires, Timestamp::from_millis(1_795_348_800_000));
        let bomb = "<!DOCTYPE l [<!ENTITY a \"hunter2\"><!ENTITY b \"&a;&a;\">]><R>&b;</R>";
        let many = format!("<R>{}</R>", "<hunter2/>".repeat(600));
        let refused = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>hunter2</Message></Error></ErrorResponse>";
        for (status, text, wanted) in [
            (200, "hunter2", "no answer"),
            (200, "<R>hunter2</R>", "no answer"),
            (200, bomb, "no answer"),
            (200, many.as_str(), "no answer"),
            (200, good.replace("hunter2-s", "hunter2 s").as_str(), "no answer"),
            (200, good.replace("2026-11-22T12:00:00Z", "hunter2").as_str(), "no answer"),
            (400, refused, "InvalidIdentityToken"),
            (500, "<html>hunter2</html>", "500"),
        ] {
            let error = read(status, text).err().unwrap();
            assert!(error.contains(wanted) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
