//! Every bound on what comes from outside, with its name. A refusal quotes the limit's name and value.

use crate::DurationMs;
use serde::{Deserialize, Serialize};

/// Bounds of a plane. Every member can be set in the configuration under `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one request body.
    pub body_bytes_max: usize,
    /// Nesting of JSON.
    pub json_depth_max: usize,
    /// Members and elements in one JSON text.
    pub json_nodes_max: usize,
    /// Bytes of one message from a system.
    pub upstream_message_bytes_max: usize,
    /// Bytes of one opaque body that is sent on to an HTTP API.
    pub proxy_upload_bytes_max: usize,
    /// Bytes of one answer of an HTTP API.
    pub proxy_response_bytes_max: usize,
    /// Tools of one system.
    pub tools_per_system_max: usize,
    /// Pages of one listing.
    pub list_pages_max: usize,
    /// Open streams and calls of one task at once.
    pub calls_per_task_max: usize,
    /// Open streams and calls of the node at once.
    pub calls_per_node_max: usize,
    /// Sessions of legacy MCP clients on the node.
    pub sessions_max: usize,
    /// How long a system may take to answer a call, unless it reports progress.
    pub upstream_idle_max: DurationMs,
    /// How long a call may last altogether.
    pub call_duration_max: DurationMs,
    /// How long the stream of a request of a 2025-11-25 client may be silent before it is closed and the client asked to
    /// come back for the rest, as that revision provides.
    pub stream_quiet_max: DurationMs,
    /// How old the node's knowledge may be; beyond it every decision is a denial (the lease of DESIGN.md section 4).
    pub staleness_max: DurationMs,
    /// Policies evaluated for one decision.
    pub candidate_policies_max: usize,
    /// Evaluations in one AuthZEN batch.
    pub evaluations_per_batch_max: usize,
    /// Approvals of one task that wait for an answer.
    pub approvals_per_task_max: usize,
    /// Approvals of one agent that wait for an answer.
    pub approvals_per_agent_max: usize,
    /// How long a call may stay open while people think; what the organisation sets is bounded by it.
    pub held_open_max: DurationMs,
    /// Calls of the node that stay open while people think.
    pub held_open_calls_max: usize,
    /// Calls of one agent that stay open while people think, on one node.
    pub held_open_calls_per_agent_max: usize,
    /// Bytes of what a call brought that is kept for a client which asks after it as a task.
    pub task_result_bytes_max: usize,
    /// Results in one page of a search.
    pub page_size_max: usize,
    /// Decisions waiting to be written.
    pub journal_queue_max: usize,
    /// Records that may be lost in a crash where an organisation chose `buffered` for AuthZEN reads.
    pub journal_buffered_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            json_depth_max: 64,
            json_nodes_max: 100_000,
            upstream_message_bytes_max: 16 << 20,
            proxy_upload_bytes_max: 16 << 20,
            proxy_response_bytes_max: 256 << 20,
            tools_per_system_max: 1_000,
            list_pages_max: 100,
            calls_per_task_max: 64,
            calls_per_node_max: 4_096,
            sessions_max: 10_000,
            upstream_idle_max: DurationMs::from_secs(60),
            call_duration_max: DurationMs::from_mins(30),
            stream_quiet_max: DurationMs::from_mins(5),
            staleness_max: DurationMs(2_000),
            candidate_policies_max: 512,
            evaluations_per_batch_max: 256,
            approvals_per_task_max: 16,
            approvals_per_agent_max: 64,
            held_open_max: DurationMs::from_mins(10),
            held_open_calls_max: 512,
            held_open_calls_per_agent_max: 16,
            task_result_bytes_max: 1 << 20,
            page_size_max: 500,
            journal_queue_max: 16_384,
            journal_buffered_max: 4_096,
        }
    }
}
