//! The schemas: User and Group (RFC 7643 sections 4.1, 4.2), the enterprise extension (section 4.3), and what every resource has
//! (section 3.1). What is not here is ignored: passwords, certificates and photographs are of no use to the plane.

use crate::schema::{Attribute, Kind, Mutability, ResourceType, Schema};

const PLAIN: Attribute = Attribute {
    name: "",
    kind: Kind::Text,
    many: false,
    required: false,
    case_exact: false,
    mutability: Mutability::ReadWrite,
    returned: "default",
    uniqueness: "none",
    sub: &[],
    canonical: &[],
    references: &[],
    description: "",
};

const fn text(name: &'static str, description: &'static str) -> Attribute {
    Attribute { name, description, ..PLAIN }
}

const fn exact(name: &'static str, description: &'static str) -> Attribute {
    Attribute { name, description, case_exact: true, ..PLAIN }
}

const fn boolean(name: &'static str, description: &'static str) -> Attribute {
    Attribute { name, description, kind: Kind::Boolean, ..PLAIN }
}

const fn complex(name: &'static str, description: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute { name, description, kind: Kind::Complex, sub, ..PLAIN }
}

const fn list(name: &'static str, description: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute { name, description, kind: Kind::Complex, many: true, sub, ..PLAIN }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::ReadOnly, ..attribute }
}

const fn immutable(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::Immutable, ..attribute }
}

const fn of_type(canonical: &'static [&'static str]) -> Attribute {
    Attribute { name: "type", description: "What it is for", canonical, ..PLAIN }
}

const fn reference(
    name: &'static str,
    description: &'static str,
    references: &'static [&'static str],
) -> Attribute {
    Attribute { name, description, kind: Kind::Reference, case_exact: true, references, ..PLAIN }
}

const PRIMARY: Attribute = boolean("primary", "Whether it is the one to use; one at most is");
const DISPLAY: Attribute = text("display", "How it is shown");

const EMAIL: &[Attribute] =
    &[text("value", "The address"), DISPLAY, of_type(&["work", "home", "other"]), PRIMARY];
const PHONE: &[Attribute] = &[
    text("value", "The number"),
    DISPLAY,
    of_type(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];
const ADDRESS: &[Attribute] = &[
    text("formatted", "The address as it is written"),
    text("streetAddress", "Street and number"),
    text("locality", "City"),
    text("region", "State or region"),
    text("postalCode", "Postal code"),
    text("country", "Country, ISO 3166-1"),
    of_type(&["work", "home", "other"]),
    PRIMARY,
];
const WORD: &[Attribute] = &[text("value", "The word"), DISPLAY, of_type(&[]), PRIMARY];

/// A person.
pub const USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "A person of the organisation",
    attributes: USER_ATTRIBUTES,
};

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute {
        required: true,
        uniqueness: "server",
        ..text("userName", "The person's own name among those of the connector")
    },
    complex("name", "The parts of the name", NAME),
    text("displayName", "How the person is written to people"),
    text("nickName", "How the person is called"),
    reference("profileUrl", "A page about the person", &["external"]),
    text("title", "What the person is, such as Vice President"),
    text("userType", "Such as Employee or Contractor"),
    text("preferredLanguage", "Languages, as in Accept-Language"),
    text("locale", "Where the person is, such as en-GB"),
    text("timezone", "Time zone, such as Europe/Berlin"),
    Attribute {
        required: true,
        ..boolean("active", "False once the person has left: everything they have here ends")
    },
    list("emails", "Mail addresses; the primary one, or the first, is where the person is reached", EMAIL),
    list("phoneNumbers", "Telephone numbers", PHONE),
    list("addresses", "Postal addresses", ADDRESS),
    read_only(list("groups", "The groups the person is in; said by the groups", USER_GROUPS)),
    list("entitlements", "Kept and returned; they give nothing here", WORD),
    list(
        "roles",
        "Kept and returned; they give nothing here: groups do, where an administrator says so",
        WORD,
    ),
];

const NAME: &[Attribute] = &[
    text("formatted", "The whole name"),
    text("familyName", "Family name"),
    text("givenName", "Given name"),
    text("middleName", "Middle names"),
    text("honorificPrefix", "Such as Dr"),
    text("honorificSuffix", "Such as III"),
];

const USER_GROUPS: &[Attribute] = &[
    read_only(exact("value", "The group's id")),
    read_only(reference("$ref", "The group's address", &["Group"])),
    read_only(DISPLAY),
    read_only(of_type(&["direct", "indirect"])),
];

/// What an enterprise says of a person.
pub const ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "What an enterprise says of a person",
    attributes: &[
        text("employeeNumber", "A number the organisation gives"),
        text("costCenter", "Cost centre"),
        text("organization", "Organisation"),
        text("division", "Division"),
        text("department", "Department"),
        complex("manager", "Who stands in when the person leaves", MANAGER),
    ],
};

const MANAGER: &[Attribute] = &[
    exact("value", "The manager's id"),
    reference("$ref", "The manager's address", &["User"]),
    read_only(text("displayName", "The manager's name")),
];

/// A group.
pub const GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "People who are in something together; it gives nothing until an administrator says what",
    attributes: &[
        Attribute {
            required: true,
            uniqueness: "server",
            ..text("displayName", "The group's own name among those of the connector")
        },
        list("members", "Who is in it", MEMBER),
    ],
};

const MEMBER: &[Attribute] = &[
    immutable(exact("value", "The person's id")),
    immutable(reference("$ref", "The person's address", &["User"])),
    immutable(Attribute { name: "type", description: "People only", canonical: &["User"], ..PLAIN }),
];

/// What every resource has (RFC 7643 section 3.1).
pub const COMMON: &[Attribute] = &[
    Attribute { returned: "always", ..read_only(exact("id", "Given by the plane, and never given twice")) },
    exact("externalId", "The connector's own name for it"),
    Attribute { many: true, returned: "always", ..exact("schemas", "The schemas it has attributes of") },
    read_only(complex("meta", "When it was made and changed", META)),
];

const META: &[Attribute] = &[
    read_only(exact("resourceType", "User or Group")),
    read_only(Attribute { kind: Kind::Moment, ..text("created", "When the plane first heard of it") }),
    read_only(Attribute { kind: Kind::Moment, ..text("lastModified", "When it last changed") }),
    read_only(reference("location", "Its address", &["uri"])),
    read_only(exact("version", "Changes with it; an ETag")),
];

/// People.
pub const USERS: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "People of the organisation",
    core: &USER,
    extensions: &[&ENTERPRISE],
};

/// Groups.
pub const GROUPS: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    description: "Groups of people",
    core: &GROUP,
    extensions: &[],
};
