//! Progress: when the faults have ended, whoever waits is served within the plan's bound.

use super::{Breach, Pending};
use crate::host::Host;

/// The bound is over: nothing may wait.
pub(super) fn judge(hosts: &[Host]) -> Result<(), Breach> {
    let pending: Vec<Pending> = hosts.iter().flat_map(Host::pending).collect();
    if pending.is_empty() { Ok(()) } else { Err(Breach::Stuck { pending }) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{a_host, lock_id};
    use super::*;
    use crate::check::Waiting;
    use crate::host::Call;
    use crate::plan::Key;
    use crate::time::Moment;

    #[test]
    fn who_still_waits_is_seen_and_named_and_who_holds_is_not() {
        let mut host = a_host(|_, _| {});
        let (key, since, hold) = (Key::new('a'), Moment::from_millis(5), Duration::ZERO);
        let (lock, granted) = (lock_id(1), Some(1));
        host.calls.push(Call { lock, key, tries: false, since, hold, granted });
        assert_eq!(judge(std::slice::from_ref(&host)), Ok(()));
        let (lock, granted) = (lock_id(2), None);
        host.calls.push(Call { lock, key, tries: false, since, hold, granted });
        let pending = vec![Pending { node: host.place(), since, what: Waiting::Lock(key) }];
        let stuck = judge(&[host]).expect_err("it waits");
        assert_eq!(stuck, Breach::Stuck { pending });
        assert!(stuck.to_string().ends_with("n0 waits for lock a since 0.005000s"), "{stuck}");
    }
}
