//! Messages to people: one [`Notice`] in the words of each channel, sent once. Whether and when it is sent again is for whoever
//! keeps the deliveries; here is one attempt, and what came of it.
//!
//! | module | what it answers |
//! |---|---|
//! | [`notice`] | what is said, before it is put into anybody's format |
//! | [`text`] | what others wrote, as text and nothing else |
//! | `webhook` | the signed request (Standard Webhooks) |
//! | `slack`, `teams` | the same as Block Kit and as an Adaptive Card |
//! | `mail` | the same as a mail, over SMTP |
//! | [`carry`] | one attempt over one channel |
//!
//! **Invariants.** What others wrote (names, tools, arguments, reasons) is text in every format. A link leads to a page; none
//! decides. No secret and no sealed address is in a result.

pub mod carry;
mod mail;
pub mod notice;
mod slack;
mod teams;
pub mod text;
mod webhook;

pub use carry::{Parcel, carry};
pub use notice::{Fact, Notice};
