//! The same as an Adaptive Card. What others wrote stands in `TextRun`s, which know no markdown.

use crate::{
    Notice,
    notice::{LINK_NOTE, LINK_WORDS},
};
use serde_json::{Value, json};

/// What is posted: a message with one card (schema 1.4).
pub(crate) fn body(notice: &Notice) -> Value {
    let mut card = vec![
        json!({"type": "RichTextBlock", "inlines": [run(&notice.title, true)]}),
        json!({"type": "RichTextBlock", "inlines": [run(&notice.text, false)]}),
    ];
    for fact in notice.facts.iter().take(FACTS_MAX) {
        let inlines = json!([run(&format!("{}: ", fact.label), true), run(&fact.text, false)]);
        card.push(json!({"type": "RichTextBlock", "inlines": inlines, "spacing": "None"}));
    }
    let mut actions = Vec::new();
    if let Some(link) = &notice.link {
        card.push(json!({"type": "TextBlock", "text": LINK_NOTE, "isSubtle": true, "wrap": true}));
        actions.push(json!({"type": "Action.OpenUrl", "title": LINK_WORDS, "url": link}));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": notice.event.as_str(),
                "body": card,
                "actions": actions,
            },
        }],
    })
}

fn run(text: &str, strong: bool) -> Value {
    // `{{DATE(…)}}` and its like are functions of cards, also in a run.
    let text = crate::text::clean(text, TEXT_CHARS_MAX).replace("{{", "{ {");
    let mut run = json!({"type": "TextRun", "text": text});
    if strong && let Some(members) = run.as_object_mut() {
        members.insert("weight".to_owned(), json!("Bolder"));
    }
    run
}

const FACTS_MAX: usize = 40;
/// A card has 28 KB at most.
const TEXT_CHARS_MAX: usize = 500;
