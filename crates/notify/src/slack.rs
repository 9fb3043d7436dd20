//! The same as Block Kit. What others wrote stands in `plain_text` objects, where nothing is markup; what is shown outside of
//! the blocks (`text`) has the three characters escaped that Slack reads.

use crate::{
    Notice,
    notice::{LINK_NOTE, LINK_WORDS},
};
use serde_json::{Value, json};

/// What is posted.
pub(crate) fn body(notice: &Notice) -> Value {
    let mut blocks = vec![
        json!({"type": "header", "text": plain(&notice.title, HEADER_CHARS_MAX)}),
        json!({"type": "section", "text": plain(&notice.text, SECTION_CHARS_MAX)}),
    ];
    for fact in notice.facts.iter().take(FACTS_MAX) {
        let line = format!("{}: {}", fact.label, fact.text);
        blocks.push(json!({"type": "context", "elements": [plain(&line, CONTEXT_CHARS_MAX)]}));
    }
    if let Some(link) = &notice.link {
        // A link in our own words; the address has nothing of anybody else in it but an escaped name.
        let text = format!("<{}|{LINK_WORDS}>. {LINK_NOTE}", escaped(link));
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}));
    }
    json!({ "text": escaped(&notice.title), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn plain(text: &str, chars_max: usize) -> Value {
    let text = crate::text::clean(text, chars_max.saturating_sub(1));
    let text = if text.is_empty() { " ".to_owned() } else { text };
    json!({"type": "plain_text", "text": escaped(&text), "emoji": false})
}

/// <https://docs.slack.dev/messaging/formatting-message-text>: `&`, `<` and `>` are all there is to escape.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Slack's own bounds, in characters, with room for what escaping adds.
const HEADER_CHARS_MAX: usize = 120;
const SECTION_CHARS_MAX: usize = 600;
const CONTEXT_CHARS_MAX: usize = 400;
/// A message has 50 blocks at most.
const FACTS_MAX: usize = 40;
