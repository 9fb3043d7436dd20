//! The same as a mail in plain text, over SMTP (RFC 5321). Headers hold only what was cleaned: no line break of anybody's gets
//! into one. The `Message-ID` follows from the delivery's id, so that a mail sent twice is seen to be one.

use crate::{Notice, notice::LINK_NOTE};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use provost_connect::{Secret, Upstreams};
use provost_domain::channel::MailTls;
use provost_lifecycle::delivery::Came;
use std::{fmt::Write as _, net::IpAddr, time::Duration};

/// How a mail server is spoken to.
pub(crate) struct Server<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) tls: MailTls,
    pub(crate) from: &'a str,
    pub(crate) user: Option<(&'a str, Option<&'a Secret>)>,
}

/// One mail, once.
pub(crate) async fn send(
    upstreams: &Upstreams,
    server: &Server<'_>,
    to: &str,
    id: &str,
    notice: &Notice,
) -> Came {
    let message = match message(server.from, to, id, notice) {
        Ok(message) => message,
        Err(why) => return Came::Refused { why },
    };
    let addresses = match upstreams.addresses(server.host).await {
        Ok(addresses) => addresses,
        Err(error) => return failed(error.to_string()),
    };
    let Some(address) = addresses.first() else { return failed("it has no address".to_owned()) };
    let transport = match transport(server, *address) {
        Ok(transport) => transport,
        Err(why) => return Came::Refused { why },
    };
    match tokio::time::timeout(WHOLE_MAX, transport.send(message)).await {
        Err(_late) => failed(format!("no answer within {} seconds", WHOLE_MAX.as_secs())),
        Ok(Ok(response)) => {
            let said: Vec<&str> = response.message().collect();
            Came::Arrived { receipt: format!("{} {}", response.code(), said.join(" ")) }
        }
        Ok(Err(error)) if error.is_permanent() => Came::Refused { why: said(&error) },
        Ok(Err(error)) => failed(said(&error)),
    }
}

fn transport(server: &Server<'_>, address: IpAddr) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    // The certificate is that of the name; the connection goes to the address that was judged.
    let parameters = || TlsParameters::new(server.host.to_owned()).map_err(|error| said(&error));
    let tls = match server.tls {
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::None if address.is_loopback() => Tls::None,
        MailTls::None => return Err("a mail in clear text leaves this machine never".to_owned()),
    };
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(server.port)
        .tls(tls)
        .hello_name(ClientId::Domain("localhost".to_owned()))
        .timeout(Some(STEP_MAX));
    if let Some((user, password)) = &server.user {
        let password = password.map(|secret| String::from_utf8_lossy(secret.dangerous_expose()).into_owned());
        let password = password.ok_or_else(|| "the password of its mail server is not set".to_owned())?;
        builder = builder.credentials(Credentials::new((*user).to_owned(), password));
    }
    Ok(builder.build())
}

fn message(from: &str, to: &str, id: &str, notice: &Notice) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}`: {error}"));
    let from = mailbox(from)?;
    let domain = from.email.domain().to_owned();
    let subject = crate::text::clean(&notice.title, SUBJECT_CHARS_MAX);
    Message::builder()
        .message_id(Some(format!("<{id}@{domain}>")))
        .from(from)
        .to(mailbox(to)?)
        .subject(format!("[Provost] {subject}"))
        .header(ContentType::TEXT_PLAIN)
        .body(text(notice))
        .map_err(|error| error.to_string())
}

fn text(notice: &Notice) -> String {
    let clean = |text: &str| crate::text::clean(text, LINE_CHARS_MAX);
    let mut out = format!("{}\n\n{}\n", clean(&notice.title), clean(&notice.text));
    for fact in &notice.facts {
        let _infallible = write!(out, "\n{}: {}", fact.label, clean(&fact.text));
    }
    if let Some(link) = &notice.link {
        let _infallible = write!(out, "\n\n{link}\n{LINK_NOTE}");
    }
    out.push('\n');
    out
}

fn failed(why: String) -> Came {
    Came::Failed { why, wait: None }
}

fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error).map(ToString::to_string)
        && !text.contains(&cause)
    {
        text = format!("{text}: {cause}");
    }
    text
}

/// Of each step of the conversation, and of the whole.
const STEP_MAX: Duration = Duration::from_secs(10);
const WHOLE_MAX: Duration = Duration::from_secs(25);
const SUBJECT_CHARS_MAX: usize = 150;
const LINE_CHARS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use provost_domain::{Timestamp, channel::Event};

    #[test]
    fn nothing_that_others_wrote_becomes_a_header() {
        let hostile = "pay\r\nBcc: all@evil.example\r\n\r\n<script>";
        let notice = Notice {
            event: Event::Asked,
            at: Timestamp::from_millis(0),
            title: hostile.to_owned(),
            text: hostile.to_owned(),
            facts: vec![Fact::new("with", hostile)],
            link: Some("https://plane.example/approvals/a".to_owned()),
            about: None,
            status: None,
        };
        let mail =
            message("Provost <plane@acme.example>", "maria@acme.example", "delivery_1", &notice).unwrap();
        let written = String::from_utf8(mail.formatted()).unwrap();
        let (head, _body) = written.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("Message-ID: <delivery_1@acme.example>"), "{head}");
        assert_eq!(mail.envelope().to().len(), 1);
        for bad in ["maria@acme.example\r\nRCPT TO:<x@evil.example>", "two@a.example, b@a.example", ""] {
            assert!(message("plane@acme.example", bad, "i", &notice).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mail_in_clear_text_goes_to_this_machine_only() {
        let server =
            Server { host: "mail.example", port: 25, tls: MailTls::None, from: "a@b.example", user: None };
        assert!(transport(&server, "192.0.2.1".parse().unwrap()).is_err());
        assert!(transport(&server, "127.0.0.1".parse().unwrap()).is_ok());
    }
}
