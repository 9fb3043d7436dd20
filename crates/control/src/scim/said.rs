//! What a connector says of a person, as the plane works with it.

use provost_domain::{
    Connector, Directory, Name, Person, Provisioned, Timestamp, connector::SubjectIs, person::Login,
};
use provost_scim::{Attributes, Fault};
use serde_json::Value;

/// A person as a connector says they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) user_name: String,
    pub(super) external_id: Option<String>,
    /// Nothing is not `true`: what is not said stays as it is.
    pub(super) active: Option<bool>,
    /// All the rest.
    pub(super) attributes: Attributes,
}

impl Said {
    /// # Errors
    /// `invalidValue` when a name is too long, or no plain text.
    pub(super) fn of(mut attributes: Attributes) -> Result<Self, Fault> {
        let user_name =
            text(&mut attributes, "userName").ok_or_else(|| Fault::value("`userName` is required"))?;
        let external_id = text(&mut attributes, "externalId");
        plain("userName", &user_name)?;
        external_id.as_deref().map_or(Ok(()), |id| plain("externalId", id))?;
        let active = attributes.remove("active").and_then(|active| active.as_bool());
        Ok(Self { user_name: user_name.trim().to_owned(), external_id, active, attributes })
    }

    /// How the person is written to people.
    fn display(&self) -> String {
        let part = |value: Option<&Value>| {
            let text = provost_notify::text::clean(value.and_then(Value::as_str)?.trim(), DISPLAY_CHARS_MAX);
            (!text.is_empty()).then_some(text)
        };
        let name = |member: &str| part(self.attributes.get("name").and_then(|name| name.get(member)));
        let both = || match (name("givenName"), name("familyName")) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            (one, other) => one.or(other),
        };
        part(self.attributes.get("displayName"))
            .or_else(|| name("formatted"))
            .or_else(both)
            .unwrap_or_else(|| provost_notify::text::clean(&self.user_name, DISPLAY_CHARS_MAX))
    }

    /// Where the person is reached: the primary address, or the first of work, or the first.
    pub(super) fn email(&self) -> Option<String> {
        let all = self.attributes.get("emails")?.as_array()?;
        let is = |name: &'static str, value: Value| move |email: &&Value| email.get(name) == Some(&value);
        let found = all.iter().find(is("primary", true.into()));
        let found = found.or_else(|| all.iter().find(is("type", "work".into()))).or_else(|| all.first());
        let address = found?.get("value")?.as_str()?.trim();
        is_address(address).then(|| address.to_owned())
    }

    /// The manager, if that is one of the connector's people.
    fn manager(&self, directory: &Directory, connector: &Name, own: &Name) -> Option<Name> {
        let said = self.attributes.get(ENTERPRISE)?.get("manager")?.get("value")?.as_str()?;
        let row = directory.people.get(said).filter(|row| row.name != *own)?;
        row.provisioned().is_some_and(|of| of.is_of(connector)).then(|| row.name.clone())
    }

    fn subject(&self, connector: &Connector) -> Option<(Name, String)> {
        let from = connector.logins.as_ref()?;
        let subject = match from.subject {
            SubjectIs::ExternalId => self.external_id.clone()?,
            SubjectIs::UserName => self.user_name.clone(),
        };
        Some((from.issuer.clone(), subject))
    }

    /// Refuses names and addresses that somebody else has.
    ///
    /// # Errors
    /// `uniqueness`.
    pub(super) fn check_unique(
        &self,
        directory: &Directory,
        connector: &Connector,
        own: Option<&Name>,
    ) -> Result<(), Fault> {
        let other = |row: Option<&std::sync::Arc<Person>>| row.is_some_and(|row| Some(&row.name) != own);
        if other(directory.provisioned_by(&connector.name, &self.user_name)) {
            return Err(Fault::uniqueness("somebody of this connector has this userName"));
        }
        if let Some(id) = &self.external_id
            && other(directory.provisioned_as(&connector.name, id))
        {
            return Err(Fault::uniqueness("somebody of this connector has this externalId"));
        }
        if let Some((issuer, subject)) = self.subject(connector)
            && other(directory.person_of(&issuer, &subject))
        {
            return Err(Fault::uniqueness(format!("somebody else is this subject of {issuer} already")));
        }
        let Some(email) = self.email() else { return Ok(()) };
        let has = |row: &&std::sync::Arc<Person>| {
            Some(&row.name) != own
                && row.email.as_deref().is_some_and(|their| their.eq_ignore_ascii_case(&email))
                && match &row.provisioned {
                    Some(said) => said.gone.is_none() && said.connector != connector.name,
                    None => true,
                }
        };
        match directory.people.values().find(has) {
            Some(row) => Err(not_yours(&row.name, "this address")),
            None => Ok(()),
        }
    }

    /// A person who is new here.
    pub(super) fn joins(
        &self,
        name: &Name,
        connector: &Connector,
        directory: &Directory,
        now: Timestamp,
    ) -> Person {
        let said = Provisioned {
            connector: connector.name.clone(),
            user_name: String::new(),
            external_id: None,
            active: true,
            stopped: false,
            made: true,
            rosters: Default::default(),
            attributes: Attributes::new(),
            created: now,
            changed: now,
            gone: None,
        };
        let person = Person {
            name: name.clone(),
            display: String::new(),
            email: None,
            manager: None,
            active: true,
            roles: Default::default(),
            logins: Vec::new(),
            away: None,
            provisioned: Some(Box::new(said)),
        };
        self.becomes(&person, connector, directory, now)
    }

    /// The person as said; the same row, if nothing new is.
    pub(super) fn becomes(
        &self,
        before: &Person,
        connector: &Connector,
        directory: &Directory,
        now: Timestamp,
    ) -> Person {
        let mut row = before.clone();
        let Some(said) = row.provisioned.as_deref_mut() else { return row };
        said.user_name.clone_from(&self.user_name);
        said.external_id.clone_from(&self.external_id);
        said.attributes.clone_from(&self.attributes);
        let active = self.active.unwrap_or(said.active);
        match (said.active, active) {
            (true, false) => {
                said.stopped = row.active;
                row.active = false;
                row.away = None;
            }
            // Who was stopped here too, or by somebody else, stays so.
            (false, true) => {
                row.active = row.active || said.stopped;
                said.stopped = false;
            }
            (true, true) | (false, false) => {}
        }
        said.active = active;
        if said.made {
            row.display = self.display();
            row.email = self.email();
            row.manager = self.manager(directory, &connector.name, &before.name);
            // Of others it says nothing by which somebody could sign in as them.
            if let Some((issuer, subject)) = self.subject(connector)
                && !row.logins.iter().any(|login| login.issuer == issuer && login.subject == subject)
            {
                row.logins.retain(|login| login.issuer != issuer);
                row.logins.push(Login { issuer, subject, added: now });
            }
        }
        if row != *before
            && let Some(said) = row.provisioned.as_deref_mut()
        {
            said.changed = now;
        }
        row
    }
}

/// What a connector learns of somebody it does not govern.
pub(super) fn not_yours(name: &Name, what: &str) -> Fault {
    Fault::uniqueness(format!(
        "{name}, who is not of this connector, has {what}: an administrator can link them (`provost connector link`)"
    ))
}

fn text(attributes: &mut Attributes, name: &str) -> Option<String> {
    match attributes.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// A name that others are told: short, and one line.
pub(super) fn plain(what: &str, text: &str) -> Result<(), Fault> {
    if text.len() > NAME_BYTES_MAX {
        return Err(Fault::value(format!("`{what}` has at most {NAME_BYTES_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::value(format!("`{what}` is no plain text")));
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    let good = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    good && text.len() <= NAME_BYTES_MAX && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

const ENTERPRISE: &str = provost_scim::schema::ENTERPRISE.id;
const NAME_BYTES_MAX: usize = 255;
const DISPLAY_CHARS_MAX: usize = 200;
