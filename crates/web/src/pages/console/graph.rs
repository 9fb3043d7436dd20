//! What an agent reaches, as a picture in layers: person → agent → task → tool → system → data. Laid out here, made of links.

use askama::Template;
use provost_api::{agent::AgentView, system::ToolView};
use std::collections::{BTreeMap, BTreeSet};

/// The picture.
#[derive(Template)]
#[template(path = "console/graph.html")]
pub(super) struct Graph {
    width: i32,
    height: i32,
    /// Title of each layer, and where it stands.
    heads: Vec<(i32, &'static str)>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

struct Node {
    /// Where it is told from others.
    key: String,
    layer: usize,
    x: i32,
    y: i32,
    class: &'static str,
    text: String,
    title: String,
    href: Option<String>,
}

struct Edge {
    path: String,
}

/// What is drawn before it has a place.
#[derive(Default)]
struct Drawing {
    nodes: Vec<Node>,
    edges: BTreeSet<(String, String)>,
}

impl askama::filters::HtmlSafe for Graph {}

/// The picture of one agent.
pub(super) fn of(agent: &AgentView, tools: &[ToolView]) -> Graph {
    let mut drawing = Drawing::default();
    let summary = &agent.summary;
    let owner = format!("person/{}", summary.owner);
    let this = format!("agent/{}", summary.name);
    let href = format!("/console/people/{}", summary.owner);
    drawing.node(0, &owner, "plain", summary.owner.as_str(), "answers for it", Some(href));
    drawing.node(1, &this, "here", summary.name.as_str(), &summary.purpose, None);
    drawing.edge(&owner, &this);
    let shown_tasks = agent.tasks.get(..TASKS_MAX.min(agent.tasks.len())).unwrap_or_default();
    for task in shown_tasks {
        let (key, href) = (format!("task/{}", task.id), format!("/console/tasks/{}", task.id));
        drawing.node(2, &key, "plain", &task.purpose, &format!("{}: {}", task.id, task.purpose), Some(href));
        drawing.edge(&this, &key);
    }
    drawing.more(2, &this, agent.tasks.len().saturating_sub(shown_tasks.len()), "tasks");
    let shown_tools = tools.get(..TOOLS_MAX.min(tools.len())).unwrap_or_default();
    for tool in shown_tools {
        let key = format!("tool/{}/{}", tool.system, tool.name);
        let effects: Vec<&str> = tool.effects.iter().map(|effect| effect.as_str()).collect();
        let class = if effects == ["read"] { "good" } else { "risk" };
        let href = format!("/console/systems/{}#tool-{}", tool.system, tool.name);
        let title = format!("{}/{}: {}", tool.system, tool.name, effects.join(", "));
        drawing.node(3, &key, class, tool.name.as_str(), &title, Some(href));
        let mut reached = false;
        for task in shown_tasks {
            let within = task.scope.as_ref().is_none_or(|scope| {
                scope.iter().any(|part| {
                    part.system == tool.system && (part.tools.is_empty() || part.tools.contains(&tool.name))
                })
            });
            if within {
                drawing.edge(&format!("task/{}", task.id), &key);
                reached = true;
            }
        }
        if !reached {
            drawing.edge(&this, &key);
        }
        let system = format!("system/{}", tool.system);
        let href = format!("/console/systems/{}", tool.system);
        drawing.node(4, &system, "plain", tool.system.as_str(), "a system", Some(href));
        drawing.edge(&key, &system);
        for label in &tool.returns {
            let data = format!("data/{label}");
            drawing.node(5, &data, "data", label, "a label its results carry", None);
            drawing.edge(&system, &data);
        }
    }
    drawing.more(3, &this, tools.len().saturating_sub(shown_tools.len()), "tools");
    drawing.placed()
}

impl Drawing {
    fn node(
        &mut self,
        layer: usize,
        key: &str,
        class: &'static str,
        text: &str,
        title: &str,
        href: Option<String>,
    ) {
        if self.nodes.iter().any(|node| node.key == key) {
            return;
        }
        let mut short: String = text.chars().take(TEXT_MAX).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        self.nodes.push(Node {
            key: key.to_owned(),
            layer,
            x: 0,
            y: 0,
            class,
            text: short,
            title: title.chars().take(TITLE_MAX).collect(),
            href,
        });
    }

    fn edge(&mut self, from: &str, to: &str) {
        self.edges.insert((from.to_owned(), to.to_owned()));
    }

    /// What was left out, so that nobody takes the picture for the whole.
    fn more(&mut self, layer: usize, from: &str, count: usize, what: &str) {
        if count > 0 {
            let key = format!("more/{what}");
            self.node(layer, &key, "data", &format!("and {count} more {what}"), "not drawn", None);
            self.edge(from, &key);
        }
    }

    fn placed(mut self) -> Graph {
        let mut counts = [0_i32; LAYERS.len()];
        for node in &mut self.nodes {
            let Some(count) = counts.get_mut(node.layer) else { continue };
            node.y = TOP.saturating_add(count.saturating_mul(STEP));
            node.x = i32::try_from(node.layer).unwrap_or_default().saturating_mul(WIDTH + GAP);
            *count = count.saturating_add(1);
        }
        let most = counts.into_iter().max().unwrap_or_default();
        // Layers with less than the fullest stand in its middle.
        for node in &mut self.nodes {
            let count = counts.get(node.layer).copied().unwrap_or_default();
            node.y = node.y.saturating_add(most.saturating_sub(count).saturating_mul(STEP) / 2);
        }
        let places: BTreeMap<&str, (i32, i32)> =
            self.nodes.iter().map(|node| (node.key.as_str(), (node.x, node.y))).collect();
        let curve = |(from, to): &(String, String)| {
            let ((x1, y1), (x2, y2)) = (places.get(from.as_str())?, places.get(to.as_str())?);
            let (x1, y1, y2) = (x1 + WIDTH, y1 + HIGH / 2, y2 + HIGH / 2);
            let bend = (x2 - x1) / 2;
            Some(Edge { path: format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend) })
        };
        let edges = self.edges.iter().filter_map(curve).collect();
        let used = |layer: usize| counts.get(layer).is_some_and(|count| *count > 0);
        let heads = (0_i32..).zip(LAYERS).enumerate().filter(|(layer, _)| used(*layer));
        Graph {
            width: i32::try_from(LAYERS.len()).unwrap_or_default().saturating_mul(WIDTH + GAP) - GAP,
            height: TOP.saturating_add(most.saturating_mul(STEP)),
            heads: heads.map(|(_, (place, title))| (place * (WIDTH + GAP), title)).collect(),
            edges,
            nodes: self.nodes,
        }
    }
}

const LAYERS: [&str; 6] = ["person", "agent", "task", "tool", "system", "data"];
const WIDTH: i32 = 148;
const GAP: i32 = 34;
const HIGH: i32 = 26;
const STEP: i32 = 36;
const TOP: i32 = 26;
const TEXT_MAX: usize = 18;
const TITLE_MAX: usize = 300;
const TASKS_MAX: usize = 6;
const TOOLS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_layer_stand_apart_and_what_others_wrote_is_text() {
        let mut drawing = Drawing::default();
        let hostile = "</text><script>alert(1)</script>";
        drawing.node(0, "a", "plain", "maria", hostile, Some("/console/people/maria".to_owned()));
        for key in ["b", "c", "c"] {
            drawing.node(1, key, "plain", hostile, hostile, None);
            drawing.edge("a", key);
        }
        drawing.more(1, "a", 7, "tools");
        let graph = drawing.placed();
        assert_eq!((graph.nodes.len(), graph.edges.len()), (4, 3), "each once");
        let layer: Vec<i32> = graph.nodes.iter().filter(|node| node.layer == 1).map(|node| node.y).collect();
        assert!(layer.is_sorted_by(|a, b| b - a >= HIGH), "{layer:?}");
        assert!(
            graph.nodes.iter().all(|node| node.y + HIGH <= graph.height && node.x + WIDTH <= graph.width)
        );
        let svg = graph.to_string();
        assert!(
            !svg.contains("<script") && svg.contains("and 7 more tools") && svg.contains("<title>"),
            "{svg}"
        );
    }
}
