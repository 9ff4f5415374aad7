//! Apps of workspaces: which app a request means, who may use it, shares of ports, and what is
//! kept of their use.

mod access;
mod keys;
mod port_shares;
mod request;
mod resolve;
mod sessions;
mod visits;

pub use keys::AppKey;
pub use request::{AccessMethod, AppRequest};
pub use resolve::{AppCondition, AppRefusal, AppTarget, NotRunning, StoppedWorkspace};
pub use store::app_stats::{AppSession, AppVisit};

pub(crate) use visits::RecentVisits;

use authz::{Subject, System};

/// The server while it proxies apps.
fn proxy() -> Subject {
    Subject::system(System::AppProxy)
}
