//! Every method of the revisions served: who sends it, where it exists, what it concerns, what the gateway
//! does with it. What is not in this table is refused with -32601.

use crate::era::Revision;
use crate::error::RpcError;
use crate::message::Message;
use crate::raw::Object;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who sends it.
    pub sender: Sender,
    /// Whether it expects an answer.
    pub form: Form,
    /// Where it exists.
    pub revisions: &'static [Revision],
    /// What it is about.
    pub concerns: Concern,
    /// What the gateway does with it.
    pub treatment: Treatment,
    /// The client capability a server needs before it may send this; empty where none.
    pub client_capability: &'static str,
}

/// Who sends a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client only.
    Client,
    /// The server only.
    Server,
    /// Both.
    Either,
}

/// Whether a method expects an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It does.
    Request,
    /// It does not.
    Notification,
}

/// What a method is about, and where its params name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Nothing in particular.
    Nothing,
    /// A tool: `name`.
    Tool,
    /// A prompt: `name`.
    Prompt,
    /// A resource: `uri`.
    Resource,
    /// A task of the protocol (not one of Provost): `taskId`.
    Task,
    /// A prompt or resource template: `ref.name` or `ref.uri`.
    Reference,
    /// Several resources and tasks: `notifications.resourceSubscriptions`, `notifications.taskIds`.
    Subscription,
}

/// What the gateway does with a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Answers it itself; it never goes upstream as received.
    Answer,
    /// Lets it through: it neither reads nor changes anything that is governed.
    Pass,
    /// Forwards it, and shows of the result only what the caller may see.
    Filter,
    /// Asks for a verdict first.
    Decide,
    /// Refuses it always.
    Deny,
}

use Concern::{Nothing, Prompt, Reference, Resource, Subscription, Task, Tool};
use Form::{Notification, Request};
use Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
use Sender::{Client, Either, Server};
use Treatment::{Answer, Decide, Deny, Filter, Pass};

const ALL: &[Revision] = &[V2025_06_18, V2025_11_25, V2026_07_28];
const LEGACY: &[Revision] = &[V2025_06_18, V2025_11_25];
const LATE_LEGACY: &[Revision] = &[V2025_11_25];
const MODERN: &[Revision] = &[V2026_07_28];
const SINCE_2025_11: &[Revision] = &[V2025_11_25, V2026_07_28];

const fn row(
    name: &'static str,
    sender: Sender,
    form: Form,
    revisions: &'static [Revision],
    concerns: Concern,
    treatment: Treatment,
) -> Method {
    Method { name, sender, form, revisions, concerns, treatment, client_capability: "" }
}

/// A request of a legacy server to its client; modern servers put the same inside `input_required`.
const fn asked(name: &'static str, client_capability: &'static str) -> Method {
    Method { client_capability, ..row(name, Server, Request, LEGACY, Nothing, Pass) }
}

/// The table. `tasks/list` is denied because one upstream credential may serve many callers and a task does
/// not say whose it is; tasks of the client side (2025-11-25) are denied because no capability for them is
/// ever announced through the gateway.
pub const METHODS: &[Method] = &[
    row("initialize", Client, Request, LEGACY, Nothing, Answer),
    row("notifications/initialized", Client, Notification, LEGACY, Nothing, Answer),
    row("server/discover", Client, Request, MODERN, Nothing, Answer),
    row("ping", Either, Request, LEGACY, Nothing, Answer),
    row("tools/list", Client, Request, ALL, Nothing, Filter),
    row("tools/call", Client, Request, ALL, Tool, Decide),
    row("prompts/list", Client, Request, ALL, Nothing, Filter),
    row("prompts/get", Client, Request, ALL, Prompt, Decide),
    row("resources/list", Client, Request, ALL, Nothing, Filter),
    row("resources/templates/list", Client, Request, ALL, Nothing, Filter),
    row("resources/read", Client, Request, ALL, Resource, Decide),
    row("resources/subscribe", Client, Request, LEGACY, Resource, Decide),
    row("resources/unsubscribe", Client, Request, LEGACY, Resource, Pass),
    row("subscriptions/listen", Client, Request, MODERN, Subscription, Decide),
    row("completion/complete", Client, Request, ALL, Reference, Decide),
    row("logging/setLevel", Client, Request, LEGACY, Nothing, Pass),
    row("tasks/get", Client, Request, SINCE_2025_11, Task, Decide),
    row("tasks/result", Client, Request, LATE_LEGACY, Task, Decide),
    row("tasks/update", Client, Request, MODERN, Task, Decide),
    row("tasks/cancel", Client, Request, SINCE_2025_11, Task, Decide),
    row("tasks/list", Client, Request, LATE_LEGACY, Nothing, Deny),
    row("tasks/get", Server, Request, LATE_LEGACY, Task, Deny),
    row("tasks/result", Server, Request, LATE_LEGACY, Task, Deny),
    row("tasks/cancel", Server, Request, LATE_LEGACY, Task, Deny),
    row("tasks/list", Server, Request, LATE_LEGACY, Nothing, Deny),
    asked("elicitation/create", "elicitation"),
    asked("sampling/createMessage", "sampling"),
    asked("roots/list", "roots"),
    row("notifications/cancelled", Either, Notification, ALL, Nothing, Pass),
    row("notifications/progress", Either, Notification, LEGACY, Nothing, Pass),
    row("notifications/progress", Server, Notification, MODERN, Nothing, Pass),
    row("notifications/message", Server, Notification, ALL, Nothing, Pass),
    row("notifications/tools/list_changed", Server, Notification, ALL, Nothing, Filter),
    row("notifications/prompts/list_changed", Server, Notification, ALL, Nothing, Pass),
    row("notifications/resources/list_changed", Server, Notification, ALL, Nothing, Pass),
    row("notifications/resources/updated", Server, Notification, ALL, Resource, Pass),
    row("notifications/subscriptions/acknowledged", Server, Notification, MODERN, Subscription, Pass),
    row("notifications/roots/list_changed", Client, Notification, LEGACY, Nothing, Pass),
    row("notifications/elicitation/complete", Server, Notification, LATE_LEGACY, Nothing, Pass),
    row("notifications/tasks/status", Either, Notification, LATE_LEGACY, Task, Pass),
    row("notifications/tasks", Server, Notification, MODERN, Task, Pass),
];

/// The row for a method in a revision, sent by this party (never `Either`) in this form.
pub fn lookup(name: &str, by: Sender, form: Form, revision: Revision) -> Option<&'static Method> {
    METHODS.iter().find(|row| {
        row.name == name
            && (row.sender == by || row.sender == Either)
            && row.form == form
            && row.revisions.contains(&revision)
    })
}

/// The row for a request or notification from a client.
///
/// Errors: -32601 for a method that the revision does not have, or has only in the other form or direction;
/// -32600 for a response.
pub fn of_client(message: &Message<'_>, revision: Revision) -> Result<&'static Method, RpcError> {
    of(message, Client, revision)
}

/// The row for a request or notification from a server.
///
/// Errors: -32601 towards the server, for what `revision` does not let servers send; a notification gets no answer
/// and is dropped. -32600 for a response.
pub fn of_server(message: &Message<'_>, revision: Revision) -> Result<&'static Method, RpcError> {
    of(message, Server, revision)
}

fn of(message: &Message<'_>, by: Sender, revision: Revision) -> Result<&'static Method, RpcError> {
    let (name, form) = match message {
        Message::Request(request) => (&request.method, Request),
        Message::Notification(notification) => (&notification.method, Notification),
        Message::Response(_) => return Err(RpcError::invalid_request("a response has no method")),
    };
    lookup(name, by, form, revision).ok_or_else(|| RpcError::method_not_found(name, revision.era()))
}

/// What a message is about, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing in particular.
    Nothing,
    /// A tool by the name the client used.
    Tool(String),
    /// A prompt.
    Prompt(String),
    /// A resource.
    Resource(String),
    /// A task of the protocol.
    Task(String),
    /// Several resources and tasks at once.
    Several { resources: Vec<String>, tasks: Vec<String> },
}

impl Method {
    /// Reads from the params what the message is about.
    ///
    /// Errors: -32602 when the member that names it is missing or is not a non-empty string.
    pub fn subject(&self, params: Option<&Object<'_>>, revision: Revision) -> Result<Subject, RpcError> {
        let text = |object: Option<&Object<'_>>, key: &str| {
            object.and_then(|o| o.string(key)).filter(|s| !s.is_empty()).map(|s| s.into_owned()).ok_or_else(
                || {
                    RpcError::invalid_params(
                        revision.era(),
                        format!("`{}` needs the string `{key}`", self.name),
                    )
                },
            )
        };
        Ok(match self.concerns {
            Nothing => Subject::Nothing,
            Tool => Subject::Tool(text(params, "name")?),
            Prompt => Subject::Prompt(text(params, "name")?),
            Resource => Subject::Resource(text(params, "uri")?),
            Task => Subject::Task(text(params, "taskId")?),
            Reference => {
                let reference = params.and_then(|params| params.object("ref"));
                match reference.as_ref().and_then(|r| r.string("type")).as_deref() {
                    Some("ref/prompt") => Subject::Prompt(text(reference.as_ref(), "name")?),
                    Some("ref/resource") => Subject::Resource(text(reference.as_ref(), "uri")?),
                    _ => {
                        let why = "`completion/complete` needs `ref.type` to be ref/prompt or ref/resource";
                        return Err(RpcError::invalid_params(revision.era(), why));
                    }
                }
            }
            Subscription => {
                let filter = params.and_then(|params| params.object("notifications")).ok_or_else(|| {
                    let why = format!("`{}` needs the object `notifications`", self.name);
                    RpcError::invalid_params(revision.era(), why)
                })?;
                Subject::Several {
                    resources: strings(&filter, "resourceSubscriptions", revision)?,
                    tasks: strings(&filter, "taskIds", revision)?,
                }
            }
        })
    }
}

fn strings(object: &Object<'_>, key: &str, revision: Revision) -> Result<Vec<String>, RpcError> {
    let Some(list) = object.get(key) else { return Ok(Vec::new()) };
    let texts: Option<Vec<String>> =
        list.as_array().and_then(|all| all.iter().map(|e| e.as_string().map(|s| s.into_owned())).collect());
    texts.ok_or_else(|| {
        RpcError::invalid_params(revision.era(), format!("`{key}` must be an array of strings"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn no_two_rows_answer_the_same_question() {
        for revision in Revision::NEWEST_FIRST {
            for by in [Client, Server] {
                for row in METHODS {
                    let hits = METHODS.iter().filter(|r| {
                        r.name == row.name
                            && r.form == row.form
                            && (r.sender == by || r.sender == Either)
                            && r.revisions.contains(&revision)
                    });
                    assert!(hits.count() <= 1, "{} {revision}", row.name);
                }
            }
        }
    }

    /// 2026-07-28, changelog: what each revision has.
    #[test]
    fn a_method_exists_only_where_its_revision_has_it() {
        let rows = [
            ("tools/call", Client, Request, [true, true, true]),
            ("tools/call", Server, Request, [false, false, false]),
            ("tools/call", Client, Notification, [false, false, false]),
            ("initialize", Client, Request, [true, true, false]),
            ("ping", Client, Request, [true, true, false]),
            ("ping", Server, Request, [true, true, false]),
            ("server/discover", Client, Request, [false, false, true]),
            ("subscriptions/listen", Client, Request, [false, false, true]),
            ("resources/subscribe", Client, Request, [true, true, false]),
            ("logging/setLevel", Client, Request, [true, true, false]),
            ("tasks/get", Client, Request, [false, true, true]),
            ("tasks/result", Client, Request, [false, true, false]),
            ("tasks/update", Client, Request, [false, false, true]),
            ("elicitation/create", Server, Request, [true, true, false]),
            ("elicitation/create", Client, Request, [false, false, false]),
            ("notifications/roots/list_changed", Client, Notification, [true, true, false]),
            ("notifications/progress", Client, Notification, [true, true, false]),
            ("notifications/progress", Server, Notification, [true, true, true]),
            ("no/such", Client, Request, [false, false, false]),
        ];
        for (name, by, form, expected) in rows {
            let found = [V2025_06_18, V2025_11_25, V2026_07_28].map(|r| lookup(name, by, form, r).is_some());
            assert_eq!(found, expected, "{name} {by:?} {form:?}");
        }
    }

    #[test]
    fn everything_that_reads_or_changes_something_is_decided() {
        for row in METHODS {
            let governed = !matches!(row.concerns, Nothing) && row.sender == Client;
            let by_verdict = matches!(row.treatment, Decide | Deny);
            assert!(!governed || by_verdict || row.name == "resources/unsubscribe", "{}", row.name);
        }
    }

    #[test]
    fn the_subject_is_read_from_the_params() {
        let limits = Limits::default();
        let rows = [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#,
                Some(Subject::Tool("t".into())),
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}"#, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, None),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"u"}}}"#,
                Some(Subject::Resource("u".into())),
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"uri":"u"}}}"#, None),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a"],"taskIds":["b"]}}}"#,
                Some(Subject::Several { resources: vec!["a".into()], tasks: vec!["b".into()] }),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"a"}}}"#,
                None,
            ),
        ];
        for (text, expected) in rows {
            let message = Message::parse(text.as_bytes(), &limits).unwrap();
            let row = of_client(&message, V2026_07_28).unwrap();
            assert_eq!(row.subject(message.params(), V2026_07_28).ok(), expected, "{text}");
        }
    }

    /// 2026-07-28, Streamable HTTP: Receiving Messages: no requests from servers.
    #[test]
    fn a_server_may_ask_in_the_legacy_era_only() {
        let limits = Limits::default();
        for (method, expected) in [
            ("roots/list", [true, true, false]),
            ("tools/call", [false; 3]),
            ("tasks/get", [false, true, false]),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
            let message = Message::parse(text.as_bytes(), &limits).unwrap();
            let found = [V2025_06_18, V2025_11_25, V2026_07_28].map(|r| of_server(&message, r).is_ok());
            assert_eq!(found, expected, "{method}");
        }
    }

    #[test]
    fn an_unknown_method_is_refused() {
        let limits = Limits::default();
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/callx"}"#;
        let message = Message::parse(text.as_bytes(), &limits).unwrap();
        for (revision, status) in [(V2026_07_28, 404), (V2025_11_25, 200)] {
            let error = of_client(&message, revision).unwrap_err();
            assert_eq!((error.code, error.http_status), (-32601, status));
        }
    }
}
