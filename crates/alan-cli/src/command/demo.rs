//! `alan demo`: three nodes in this process, on real sockets, sealed, do everything that the
//! library is for. Each step waits until it is seen to happen; the exit code is 0 only if all were.

mod cast;
mod steps;
mod teller;

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use crate::args::DemoArgs;
use cast::Cast;
use teller::Teller;

/// How long a step may take before it has failed. Far more than any of them needs.
const PATIENCE: Duration = Duration::from_secs(4);

/// The nodes' heartbeats: much shorter than the default of 5 s, so that a death is noticed while
/// somebody watches.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// How long a node may be silent: much shorter than the default of 15 s, for the same reason.
const SILENCE: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &DemoArgs) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = runtime.block_on(async {
        let mut teller = Teller::new(args.json);
        let mut cast = Cast::new(args.port, args.sabotage)?;
        teller.introduce(&cast);
        let outcome = steps::all(&mut cast, &mut teller).await;
        cast.leave().await;
        teller.conclude(outcome)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    told.map(|all_seen| if all_seen { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
