//! Several approvals that are alike: listed in tables where every difference stands, and answered with one confirmation.

use crate::{
    Client, Exit, Failure, Out, Style,
    approval::{arguments, check_words},
    client::part,
    out::{clean, table},
    when,
};
use provost_api::{
    Page,
    approval::{
        AlikeRow, AlikeView, Answered, AnsweredView, ApprovalAnswers, ApprovalQuery, ApprovalView,
        ApprovalsAnswered,
    },
};
use provost_domain::Name;
use std::{
    fmt::Write as _,
    io::{BufRead as _, IsTerminal as _, Write as _},
};

/// `provost approvals alike`.
pub(crate) async fn list(
    agent: Option<Name>,
    person: Option<Name>,
    client: &Client,
    out: Out,
) -> Result<(), Failure> {
    let query = ApprovalQuery { agent, person, ..ApprovalQuery::default() };
    let page: Page<AlikeView> = client.get_with("approvals/alike", &query).await?;
    out.show(&page, |page, style| {
        let groups: Vec<String> = page.items.iter().map(|group| render(group, style)).collect();
        if groups.is_empty() { "nothing waits for anybody".to_owned() } else { groups.join("\n") }
    });
    Ok(())
}

/// One answer to several, after all of them were shown and the answer was meant.
pub(crate) async fn answer(
    ids: Vec<String>,
    like: Option<String>,
    wanted: ApprovalAnswers,
    meant: bool,
    client: &Client,
    out: Out,
) -> Result<Exit, Failure> {
    let groups = shown(ids, like, wanted.person.as_ref(), client).await?;
    for group in &groups {
        out.say(&render(group, out.style));
    }
    let rows = groups.iter().flat_map(|group| &group.rows);
    let these: Vec<Answered> =
        rows.map(|row| Answered { id: row.id.clone(), action: row.action.clone() }).collect();
    if !meant {
        confirm(these.len(), wanted.yes)?;
    }
    let told: ApprovalsAnswered =
        client.post("approvals/answers", &ApprovalAnswers { these, ..wanted }).await?;
    out.show(&told, |told, style| {
        told.items.iter().map(|item| outcome(item, style)).collect::<Vec<_>>().join("\n")
    });
    let all = told.items.iter().all(|item| item.fault.is_none());
    Ok(if all { Exit::Ok } else { Exit::Refused })
}

/// Those that are meant, like with like: by their ids, or those that are like one of them.
async fn shown(
    ids: Vec<String>,
    like: Option<String>,
    person: Option<&Name>,
    client: &Client,
) -> Result<Vec<AlikeView>, Failure> {
    if let Some(like) = like {
        let query = ApprovalQuery { person: person.cloned(), ..ApprovalQuery::default() };
        let page: Page<AlikeView> = client.get_with("approvals/alike", &query).await?;
        let found = page.items.into_iter().find(|group| group.rows.iter().any(|row| row.id == like));
        let found = found.ok_or_else(|| {
            Failure::new(format!("{like} does not wait for an answer of this person"))
                .cure("`provost approvals alike` lists what waits")
        });
        return Ok(vec![found?]);
    }
    let mut groups = Vec::new();
    for id in ids {
        let view: ApprovalView = client.get(&format!("approvals/{}", part(&id))).await?;
        groups.push(alone(view));
    }
    Ok(groups)
}

/// One approval as a table of its own.
fn alone(view: ApprovalView) -> AlikeView {
    let row = view.summary;
    AlikeView {
        agent: row.agent,
        tool: row.tool,
        gates: row.gates,
        reasons: view.reasons,
        common: row.args,
        differing: Vec::new(),
        rows: vec![AlikeRow {
            id: row.id,
            action: view.action,
            task: row.task,
            purpose: row.purpose,
            asked: row.asked,
            until: row.until,
            args: Default::default(),
        }],
    }
}

fn confirm(count: usize, yes: bool) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    let word = if yes { "yes" } else { "no" };
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!("say that you mean {word} to each of these {count}: --yes")));
    }
    eprint!("Say {word} to each of these {count}? Type {word}: ");
    let _shown = std::io::stderr().flush();
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    match read {
        Ok(_bytes) if line.trim() == word => Ok(()),
        _other => Err(Failure::new("nothing was answered")),
    }
}

fn render(group: &AlikeView, style: Style) -> String {
    let mut text = format!("{} by {}", style.bold(&clean(&group.tool)), group.agent);
    for reason in &group.reasons {
        let _written = write!(text, "\n  stopped by {} ({})", clean(&reason.reason), clean(&reason.policy));
    }
    for line in arguments(&group.common).lines().filter(|_line| !group.common.is_empty()) {
        let _written = write!(text, "\n  {line}");
    }
    let differing: Vec<String> = group.differing.iter().map(|name| clean(name)).collect();
    let heads: Vec<&str> = std::iter::once("approval")
        .chain(differing.iter().map(String::as_str))
        .chain(["in task", "until"])
        .collect();
    let row = |row: &AlikeRow| {
        let own = group.differing.iter().map(|name| {
            row.args.get(name).map_or_else(|| style.dim("not given"), |value| clean(&value.to_string()))
        });
        let task = format!("{}: {}", row.task, clean(&row.purpose));
        std::iter::once(row.id.clone()).chain(own).chain([task, when::short(row.until)]).collect()
    };
    let _written = write!(text, "\n{}\n", table(&heads, group.rows.iter().map(row), style));
    text
}

fn outcome(item: &AnsweredView, style: Style) -> String {
    match (&item.approval, &item.fault) {
        (Some(approval), _) => {
            let stands = format!("{} is {}", item.id, style.state(&approval.summary.status));
            match &approval.check {
                Some(check) => format!("{stands}\n  {}", check_words(check, style)),
                None => stands,
            }
        }
        (None, fault) => {
            let why = fault.as_deref().unwrap_or_default();
            format!("{} was {}: {}", item.id, style.red("not answered"), clean(why))
        }
    }
}
