//! Progress: when the faults have ended, whoever waits is served within the plan's bound.

use super::{Breach, Pending};
use crate::host::Host;

/// The bound is over: nothing may wait.
pub(super) fn judge(hosts: &[Host]) -> Result<(), Breach> {
    let pending: Vec<Pending> = hosts.iter().flat_map(Host::pending).collect();
    if pending.is_empty() { Ok(()) } else { Err(Breach::Stuck { pending }) }
}
