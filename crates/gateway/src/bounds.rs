//! The bounds of the plane, as the readers of MCP messages want them.

use provost_domain::limits::Limits as OfPlane;
use provost_mcp::Limits;

/// For what clients send.
pub(crate) fn of_clients(plane: &OfPlane) -> Limits {
    Limits {
        message_bytes_max: plane.body_bytes_max,
        depth_max: plane.json_depth_max,
        values_max: plane.json_nodes_max,
        tools_max: plane.tools_per_system_max,
        pages_max: plane.list_pages_max,
        ..Limits::default()
    }
}

/// For what systems send.
pub(crate) fn of_systems(plane: &OfPlane) -> Limits {
    Limits { message_bytes_max: plane.upstream_message_bytes_max, ..of_clients(plane) }
}
