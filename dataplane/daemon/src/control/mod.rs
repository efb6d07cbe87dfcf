//! The control side: the socket, who may speak on it, the verbs, and what they change.

mod convert;
mod flows;
mod marks;
mod peer;
mod plane;
mod purge;
mod session;

mod saved;
mod server;
mod socket;
mod status;
mod sysctl;
mod verbs;
mod view;
mod visit;
mod warnings;

pub use flows::list as list_connections;
pub use peer::Admission;
pub use plane::{ControlPlane, Kept, PlaneConfig, Shared, Time};
pub use server::{ServeLimits, serve};
pub use socket::{Claim, ClaimError};
pub use status::{PortView, TwinView, WorkerView};
pub(crate) use status::{port_view, twin_view};
pub(crate) use sysctl::set_up;
pub use view::View;
pub use visit::{FlowLink, FlowServer, Visit, flow_link};
