//! The MCP face of the bank: list the tools, call one, report progress, announce changed definitions.

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, ServiceExt, SubscriptionContext};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value, json};

use crate::bank::{Bank, BankError};
use crate::definitions::{
    self, ADDRESS_CHARS_MAX, BODY_CHARS_MAX, LINES_MAX, NAME_CHARS_MAX, REFERENCE_CHARS_MAX, STEP, STEPS_MAX,
};
use crate::money::Cents;

/// The bank as an `rmcp` server handler, for any transport.
#[derive(Clone, Debug)]
pub struct BankServer {
    bank: Bank,
}

impl BankServer {
    /// Puts the MCP face on a bank.
    #[must_use]
    pub fn new(bank: Bank) -> Self {
        Self { bank }
    }
}

/// Speaks MCP over stdin and stdout until the client closes stdin.
///
/// # Errors
/// When the first exchange is not MCP, or the task that serves breaks.
pub async fn serve_stdio(bank: Bank) -> Result<(), std::io::Error> {
    let running =
        BankServer::new(bank).serve(rmcp::transport::stdio()).await.map_err(std::io::Error::other)?;
    running.waiting().await.map_err(std::io::Error::other)?;
    Ok(())
}

impl ServerHandler for BankServer {
    fn get_info(&self) -> ServerConfig {
        let offers = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build();
        ServerConfig::new(offers)
            .with_server_info(
                Implementation::new("provost-bank", env!("CARGO_PKG_VERSION")).with_title("Example bank"),
            )
            .with_instructions(
                "A bank for demonstrations: accounts, statements, payees and transfers in EUR.",
            )
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(definitions::all(|name| self.bank.is_poisoned(name))))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        definitions::all(|name| self.bank.is_poisoned(name)).into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !definitions::NAMES.contains(&request.name.as_ref()) {
            return Err(ErrorData::invalid_params(format!("unknown tool: {}", request.name), None));
        }
        self.bank.count_call(&request.name);
        let arguments = request.arguments.unwrap_or_default();
        let outcome = match request.name.as_ref() {
            "reconcile" => self.reconcile(arguments, &context).await,
            name => self.books(name.to_owned(), arguments).await,
        };
        match outcome {
            Ok(value) => Ok(CallToolResult::structured(value).into()),
            Err(Refusal::Bank(BankError::Books(_))) => {
                Err(ErrorData::internal_error("the bank's books cannot be used", None))
            }
            Err(refusal) => Ok(CallToolResult::error(vec![ContentBlock::text(refusal.to_string())]).into()),
        }
    }

    /// Legacy clients hear of changed definitions on their GET stream, or on stdout.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut changed = self.bank.definitions_changed();
        let peer = context.peer;
        tokio::spawn(async move {
            while changed.changed().await.is_ok() && !peer.is_transport_closed() {
                if peer.notify_tool_list_changed().await.is_err() {
                    break;
                }
            }
        });
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    /// Modern clients hear of them on their `subscriptions/listen` stream.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changed = self.bank.definitions_changed();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                still = changed.changed() => {
                    if still.is_err() || context.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

impl BankServer {
    /// Every tool that only touches the books; they block on the disk, so not on the runtime's own threads.
    async fn books(&self, name: String, arguments: JsonObject) -> Result<Value, Refusal> {
        let bank = self.bank.clone();
        let work = tokio::task::spawn_blocking(move || call(&bank, &name, arguments));
        work.await.map_err(|_| Refusal::Interrupted)?
    }

    /// Walks through the steps so that a caller sees progress; a cancelled call stops at the next step.
    async fn reconcile(
        &self,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, Refusal> {
        let Reconcile { account, steps } = read(arguments)?;
        let steps = within("steps", steps.unwrap_or(5), STEPS_MAX)?;
        let found = self.bank.reconcile(&account)?;
        for step in 1..=steps {
            tokio::select! {
                () = context.ct.cancelled() => return Err(Refusal::Interrupted),
                () = tokio::time::sleep(STEP) => {}
            }
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, f64::from(step))
                    .with_total(f64::from(steps))
                    .with_message(format!("step {step} of {steps}: {account}"));
                context.peer.notify_progress(progress).await.map_err(|_| Refusal::Interrupted)?;
            }
        }
        Ok(json!(found))
    }
}

/// Why a call did not do its work, in words for the caller.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Bank(#[from] BankError),
    #[error("the arguments do not fit the schema: {0}")]
    Arguments(String),
    #[error("the call was interrupted before it was done")]
    Interrupted,
}

fn call(bank: &Bank, name: &str, arguments: JsonObject) -> Result<Value, Refusal> {
    match name {
        "list_accounts" => {
            let Nothing {} = read(arguments)?;
            Ok(json!({ "accounts": bank.accounts()? }))
        }
        "get_statement" => get_statement(bank, read(arguments)?),
        "list_payees" => {
            let Nothing {} = read(arguments)?;
            Ok(json!({ "payees": bank.payees()? }))
        }
        "add_payee" => {
            let AddPayee { name, iban } = read(arguments)?;
            let name = bounded("name", name, NAME_CHARS_MAX)?;
            Ok(json!({ "payee": bank.add_payee(&name, &iban)? }))
        }
        "transfer" => transfer(bank, read(arguments)?),
        "send_message" => {
            let SendMessage { to, subject, body } = read(arguments)?;
            let to = bounded("to", to, ADDRESS_CHARS_MAX)?;
            let subject = bounded("subject", subject, ADDRESS_CHARS_MAX)?;
            let body = bounded("body", body, BODY_CHARS_MAX)?;
            Ok(json!({ "message": bank.send_message(&to, &subject, &body)?, "to": to }))
        }
        "export_statements" => {
            let ExportStatements { account, destination } = read(arguments)?;
            let destination = bounded("destination", destination, ADDRESS_CHARS_MAX)?;
            Ok(json!({ "export": bank.export_statements(&account, &destination)? }))
        }
        "close_account" => {
            let CloseAccount { account } = read(arguments)?;
            let moved = bank.close_account(&account)?;
            Ok(json!({ "account": account, "status": "closed", "moved_to_reserve": moved }))
        }
        _ => Err(Refusal::Interrupted),
    }
}

fn get_statement(bank: &Bank, arguments: GetStatement) -> Result<Value, Refusal> {
    let limit = within("limit", arguments.limit.unwrap_or(50), LINES_MAX)?;
    let month = arguments.month.as_deref();
    if month.is_some_and(|month| !is_month(month)) {
        return Err(Refusal::Arguments("`month` must be YYYY-MM".to_owned()));
    }
    let (account, lines) = bank.statement(&arguments.account, month, limit)?;
    Ok(json!({ "account": account, "lines": lines }))
}

fn transfer(bank: &Bank, arguments: TransferMoney) -> Result<Value, Refusal> {
    let amount = Cents::from_euros(&arguments.amount).map_err(BankError::from)?;
    let reference = bounded("reference", arguments.reference, REFERENCE_CHARS_MAX)?;
    let (made, balance) = bank.transfer(&arguments.from_account, &arguments.payee, amount, &reference)?;
    Ok(json!({ "transfer": made, "balance": balance }))
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| Refusal::Arguments(error.to_string()))
}

fn bounded(name: &str, text: String, chars_max: usize) -> Result<String, Refusal> {
    match text.chars().count() {
        1.. if text.chars().count() <= chars_max => Ok(text),
        count => {
            Err(Refusal::Arguments(format!("`{name}` must have 1 to {chars_max} characters, not {count}")))
        }
    }
}

fn within(name: &str, number: u32, max: u32) -> Result<u32, Refusal> {
    if (1..=max).contains(&number) {
        return Ok(number);
    }
    Err(Refusal::Arguments(format!("`{name}` must be 1 to {max}, not {number}")))
}

fn is_month(text: &str) -> bool {
    let numbers = text.split_once('-').map(|(year, month)| (year.len(), month.len(), month.parse::<u8>()));
    text.bytes().filter(u8::is_ascii_digit).count() == 6 && matches!(numbers, Some((4, 2, Ok(1..=12))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GetStatement {
    account: String,
    month: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddPayee {
    name: String,
    iban: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferMoney {
    from_account: String,
    payee: String,
    amount: Number,
    reference: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendMessage {
    to: String,
    subject: String,
    body: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportStatements {
    account: String,
    destination: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseAccount {
    account: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconcile {
    account: String,
    steps: Option<u32>,
}
