//! Channels, to look at and to try. They are declared in files.

use crate::{
    Action, ControlError, Op,
    outbox::{self, notice, route::Lane},
    page::page,
    reason::reason,
};
use provost_api::{
    Page, PageQuery,
    channel::{ChannelSecret, ChannelTest, ChannelView},
    delivery::DeliveryView,
};
use provost_domain::{
    Channel, Directory, Name,
    channel::{Event, Way},
};

/// Channels, in order of their names.
///
/// # Errors
/// When the operator may not, the cursor is not one of ours, or the store fails.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<ChannelView>, ControlError> {
    op.authorize(Action::ChannelRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.channels.iter().map(|(name, row)| (name.to_string(), row)).collect();
    let most = op.plane.limits.page_size_max;
    let page = page(rows, query.cursor.as_deref(), query.limit, most, |row| row)?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.push(view_of(op, &view.directory, row).await?);
    }
    Ok(Page { items, next: page.next })
}

/// One channel.
///
/// # Errors
/// When the operator may not, no channel has that name, or the store fails.
pub async fn show(op: &Op, name: &Name) -> Result<ChannelView, ControlError> {
    op.authorize(Action::ChannelRead)?;
    let view = op.plane.replica.latest();
    let row =
        view.directory.channels.get(name).ok_or_else(|| ControlError::unknown("channel", name.as_str()))?;
    view_of(op, &view.directory, row).await
}

/// Owes a channel a message that says it works. What becomes of it, the delivery says.
///
/// # Errors
/// When the operator may not, no channel has that name, or it is not said to whom a mail goes.
pub async fn test(op: &Op, name: &Name, wanted: ChannelTest) -> Result<DeliveryView, ControlError> {
    let authorised = op.authorize(Action::ChannelTest)?;
    let why = reason(&wanted.reason)?;
    let view = op.plane.replica.latest();
    let row =
        view.directory.channels.get(name).ok_or_else(|| ControlError::unknown("channel", name.as_str()))?;
    let lane = match (&row.way, wanted.person) {
        (Way::Email { .. }, Some(person)) => {
            let known = view
                .directory
                .people
                .get(&person)
                .ok_or_else(|| ControlError::unknown("person", person.as_str()))?;
            if known.email.is_none() {
                return Err(ControlError::caller(format!("{person} has no mail address"))
                    .cure("write `email` into the person's table, and apply"));
            }
            Lane { channel: name.clone(), person: Some(person) }
        }
        (Way::Email { .. }, None) => {
            return Err(ControlError::caller("a mail goes to somebody")
                .cure("say to whom: --to PERSON, or `person` in the request"));
        }
        (_, Some(_)) => {
            return Err(ControlError::caller(format!("{name} is one place, whoever reads there"))
                .cure("leave the person out"));
        }
        (_, None) => Lane { channel: name.clone(), person: None },
    };
    let now = op.plane.now();
    let notice = notice::test(&op.plane.issuer, &op.subject.to_string(), now);
    let cause = format!("{} {}", Event::Test.as_str(), hex::encode(op.plane.random::<12>()));
    let made = outbox::message(&cause, &lane, view.directory.seq.0, &notice, now);
    let made = made.ok_or_else(|| ControlError::caller("the message could not be written"))?;
    let id = made.id.clone();
    outbox::owe(&authorised, made, why).await?;
    op.plane.replica.catch_up().await?;
    crate::delivery::find(op, &id).await
}

async fn view_of(op: &Op, directory: &Directory, row: &Channel) -> Result<ChannelView, ControlError> {
    let mut secrets = Vec::new();
    for name in row.way.sealed_names() {
        secrets.push(ChannelSecret { name: name.clone(), set: crate::credential::is_set(op, name).await? });
    }
    let events = Event::ALL.into_iter().filter(|event| row.hears(*event));
    let due = directory.deliveries.values().filter(|delivery| {
        delivery.is_due() && Lane::read(&delivery.lane).is_some_and(|lane| lane.channel == row.name)
    });
    Ok(ChannelView {
        name: row.name.clone(),
        description: row.description.clone(),
        kind: row.way.as_str().to_owned(),
        place: row.way.place(),
        people: row.people.iter().cloned().collect(),
        groups: row.groups.iter().cloned().collect(),
        fallback: row.fallback,
        events: events.map(|event| event.as_str().to_owned()).collect(),
        details: row.details,
        secrets,
        due: due.count(),
    })
}
