//! `provost search`: one search across everything.

use crate::{
    Client, Exit, Failure, Out, Style,
    out::{clean, table},
};
use clap::Args;
use provost_api::search::{SearchQuery, SearchView};

/// `provost search`.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Letters of a name, of what something is for, or an id
    #[arg(value_name = "TEXT")]
    pub text: String,
}

/// Searches.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(args: &SearchArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let query = SearchQuery { q: args.text.clone() };
    let found: SearchView = client.get_with("search", &query).await?;
    out.show(&found, render);
    Ok(if found.found.is_empty() { Exit::Refused } else { Exit::Ok })
}

fn render(found: &SearchView, style: Style) -> String {
    if found.found.is_empty() {
        return "nothing is called like this".to_owned();
    }
    let rows = found.found.iter().flat_map(|kind| {
        let more =
            kind.more.then(|| vec![kind.kind.clone(), "… and more".to_owned(), String::new(), String::new()]);
        let hits = kind.hits.iter().map(|hit| {
            vec![kind.kind.clone(), style.bold(&clean(&hit.key)), style.state(&hit.state), clean(&hit.about)]
        });
        hits.chain(more).collect::<Vec<_>>()
    });
    table(&["", "name or id", "", "what it is"], rows, style)
}
