//! Whoever waits gets the lock in the end, also when datagrams are lost.

use alan_proto::lock::Repairs;
use proptest::prelude::*;

use crate::net::{Net, Weather};

/// Every node asks at once; each that gets the lock keeps it for a moment. Gives how many got it
/// within a virtual ten minutes.
fn contend(net: &mut Net, nodes: usize) -> usize {
    let before = net.acquired;
    for index in 0..nodes {
        net.lock(index);
    }
    for _ in 0..60_000 {
        net.pass(10);
        if let Some(holder) = net.holder() {
            net.unlock(holder);
        }
        if net.acquired == before + nodes {
            break;
        }
    }
    net.acquired - before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_waiter_gets_the_lock_though_a_fifth_of_all_datagrams_is_lost(seed: u64) {
        let weather = Weather { delay: 5, in_order: false, lost: 20, doubled: 5 };
        let mut net = Net::new(5, 0, Repairs::ALL, weather, seed);
        prop_assert_eq!(contend(&mut net, 5), 5);
        prop_assert_eq!(net.clashes, 0);
    }

    #[test]
    fn rust_nodes_and_one_of_the_go_library_all_get_their_turn(seed: u64) {
        let mut net = Net::new(3, 1, Repairs::ALL, Weather::FINE, seed);
        prop_assert_eq!(contend(&mut net, 4), 4);
        prop_assert_eq!(net.clashes, 0);
    }

    #[test]
    fn grants_that_leaked_while_datagrams_were_lost_heal_when_somebody_asks(seed: u64) {
        let weather = Weather { delay: 5, in_order: false, lost: 40, doubled: 5 };
        let mut net = Net::new(4, 0, Repairs::ALL, weather, seed);
        prop_assert_eq!(contend(&mut net, 4), 4);
        net.set_weather(Weather::FINE);
        prop_assert_eq!(contend(&mut net, 4), 4);
        net.pass(20_000);
        prop_assert_eq!(net.usage(), (0, 0));
    }
}

#[test]
fn waiters_hand_the_lock_on_within_milliseconds_when_nothing_is_lost() {
    let mut net = Net::new(5, 0, Repairs::ALL, Weather::FINE, 3);
    let start = net.now;
    assert_eq!(contend(&mut net, 5), 5);
    let took = net.now.saturating_since(start).as_millis();
    assert!(took < 2_000, "five nodes took {took} ms");
}

#[test]
fn the_traffic_of_a_crowd_stays_bounded_while_one_holds_the_lock() {
    // Newcomers that never granted the holder have to ask again and again, but not in a storm.
    let mut net = Net::new(6, 0, Repairs::ALL, Weather::FINE, 4);
    for index in 0..6 {
        net.lock(index);
    }
    net.pass(5_000);
    assert!(net.holder().is_some());
    let before = net.delivered;
    net.pass(60_000);
    let a_second = (net.delivered - before) / 60;
    assert!(a_second < 60, "{a_second} datagrams a second for five waiters");
}

#[test]
fn a_leaked_grant_blocks_the_unrepaired_algorithm_and_heals_in_the_repaired_one() {
    // Conversation three-nodes-leaked-grant, in short.
    for (repairs, acquired) in [(Repairs::NONE, 0), (Repairs::ALL, 1)] {
        let mut net = Net::new(2, 0, repairs, Weather::FINE, 5);
        net.lock_for(0, 50);
        // Neither the grant of the request on its way nor the release of its sender arrives.
        net.set_weather(Weather { lost: 100, ..Weather::FINE });
        net.pass(100);
        net.set_weather(Weather::FINE);
        net.lock_for(1, 10_000);
        net.pass(20_000);
        assert_eq!((net.acquired, net.failures(1).len()), (acquired, 1 - acquired));
    }
}
