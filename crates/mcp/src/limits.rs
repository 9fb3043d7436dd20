//! The named bounds of everything this crate reads from outside.

/// Upper bounds, each quoted by the error that refuses what exceeds it. All are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One JSON-RPC message, in bytes.
    pub message_bytes_max: usize,
    /// Nesting of arrays and objects; values above 120 would exceed what the value reader accepts.
    pub depth_max: usize,
    /// Members of one object, or elements of one array.
    pub members_max: usize,
    /// Values in one message altogether.
    pub values_max: usize,
    /// A string request id, in bytes after unescaping.
    pub id_bytes_max: usize,
    /// A method name, in bytes.
    pub method_bytes_max: usize,
    /// Tools of one upstream over all pages.
    pub tools_max: usize,
    /// One tool definition, in bytes.
    pub tool_bytes_max: usize,
    /// Pages of one list.
    pub pages_max: usize,
    /// A pagination cursor, in bytes.
    pub cursor_bytes_max: usize,
    /// A tool name as a client sees it, prefix included, in characters (MCP 2026-07-28, Tools: 1 to 128).
    pub tool_name_chars_max: usize,
    /// Requests inside one `input_required` result.
    pub input_requests_max: usize,
    /// A `requestState`, in bytes.
    pub request_state_bytes_max: usize,
    /// One line of an event stream, in bytes.
    pub sse_line_bytes_max: usize,
    /// The data of one event, in bytes.
    pub sse_event_bytes_max: usize,
    /// One newline-delimited message on a pipe, in bytes, without its newline.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        const MIB: usize = 1024 * 1024;
        Limits {
            message_bytes_max: 4 * MIB,
            depth_max: 64,
            members_max: 65_536,
            values_max: 1_000_000,
            id_bytes_max: 256,
            method_bytes_max: 128,
            tools_max: 4_096,
            tool_bytes_max: MIB / 4,
            pages_max: 256,
            cursor_bytes_max: 4_096,
            tool_name_chars_max: 128,
            input_requests_max: 16,
            request_state_bytes_max: MIB / 4,
            sse_line_bytes_max: 4 * MIB + 1_024,
            sse_event_bytes_max: 4 * MIB,
            line_bytes_max: 4 * MIB,
        }
    }
}
