//! What the server says, on its way to the client.

use super::{QUESTIONS_OPEN_MAX, Relay, lock, say};
use crate::wrap::child::Child;
use provost_mcp::{
    Message, Notification, Request, Revision, RpcError,
    methods::{Treatment, of_server},
};
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::mpsc;

impl Relay {
    /// Reads the server's lines until it says no more.
    pub(super) async fn hear_server(self: Arc<Self>, child: Arc<Child>, mut lines: mpsc::Receiver<Vec<u8>>) {
        let mut dropped: u64 = 0;
        while let Some(line) = lines.recv().await {
            if !self.take_line(&child, &line).await {
                dropped = dropped.saturating_add(1);
                if dropped.is_power_of_two() {
                    say(&format!(
                        "the server's output held {dropped} lines that are no MCP messages; they were dropped"
                    ));
                }
            }
        }
        child.give_up_all();
    }

    /// One line of the server's. `false`: it is no message.
    async fn take_line(&self, child: &Child, line: &[u8]) -> bool {
        match Message::parse(line, &self.limits) {
            Ok(Message::Response(response)) => {
                if let Some(id) = &response.id {
                    child.answered(id, response.raw.as_str().to_owned());
                }
            }
            Ok(Message::Notification(notification)) => self.pass_on(&notification).await,
            Ok(Message::Request(question)) => self.put(child, &question).await,
            Err(error) => {
                // An answer that cannot be read is no answer; whoever waits for it must not wait for ever.
                if let Some(id) = &error.id {
                    child.give_up(id);
                }
                return false;
            }
        }
        true
    }

    async fn pass_on(&self, notification: &Notification<'_>) {
        let Some(revision) = *lock(&self.revision) else { return };
        if of_server(&Message::Notification(notification.clone()), revision).is_err() {
            return;
        }
        if notification.method == "notifications/tools/list_changed" {
            self.tools_changed.store(true, Ordering::Release);
        }
        if self.may_pass() {
            self.tell_client(notification.raw.as_str().to_owned()).await;
        }
    }

    /// A question of the server's for the client. Only legacy servers may ask.
    async fn put(&self, child: &Child, question: &Request<'_>) {
        let revision = lock(&self.revision).unwrap_or(Revision::NEWEST_LEGACY);
        let row = of_server(&Message::Request(question.clone()), revision);
        let may = row.as_ref().is_ok_and(|row| matches!(row.treatment, Treatment::Pass | Treatment::Answer));
        let noted = || {
            let mut asked = lock(&self.asked);
            asked.len() < QUESTIONS_OPEN_MAX && asked.insert(question.id.clone())
        };
        if !may {
            let error = RpcError::method_not_found(&question.method, revision.era());
            child.call_off(&error.write(Some(&question.id)));
        } else if !self.may_pass() || !noted() {
            let error = RpcError::internal(revision.era(), "the client cannot be asked now");
            child.call_off(&error.write(Some(&question.id)));
        } else {
            self.tell_client(question.raw.as_str().to_owned()).await;
        }
    }

    fn may_pass(&self) -> bool {
        self.stopped.get().is_none() && self.plane.lease.holds()
    }
}
