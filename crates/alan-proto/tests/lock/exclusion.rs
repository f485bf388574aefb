//! At most one node holds a key, in whatever order messages arrive.

use alan_proto::lock::Repairs;
use proptest::prelude::*;

use crate::net::{Net, Weather};

/// Random calls and releases on random nodes, in bursts, for a while.
fn stir(net: &mut Net, nodes: u64, rounds: u64) {
    for _ in 0..rounds {
        let index = usize::try_from(net.below(nodes)).expect("few nodes");
        match net.below(8) {
            0..=4 if !net.may_call(index) => {}
            0..=2 => {
                net.lock(index);
            }
            3 => {
                net.try_lock(index);
            }
            4 => {
                let millis = 1 + net.below(200);
                net.lock_for(index, millis);
            }
            _ => {
                if let Some(holder) = net.holder() {
                    net.unlock(holder);
                }
            }
        }
        let pause = net.below(12);
        net.pass(pause);
    }
}

/// Releases whatever is held until every call has ended.
fn drain(net: &mut Net, limit: usize) {
    for _ in 0..limit {
        if net.usage().1 == 0 {
            return;
        }
        if let Some(holder) = net.holder() {
            net.unlock(holder);
        }
        net.pass(50);
    }
    panic!("calls still wait: {:?}", net.usage());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn three_rust_nodes_exclude_each_other_in_any_order_and_leave_nothing_behind(seed: u64) {
        let weather = Weather { delay: 40, in_order: false, lost: 0, doubled: 0 };
        let mut net = Net::new(3, 0, Repairs::ALL, weather, seed);
        stir(&mut net, 3, 60);
        drain(&mut net, 20_000);
        prop_assert_eq!(net.clashes, 0);
        net.pass(20_000);
        prop_assert_eq!(net.usage(), (0, 0));
    }

    #[test]
    fn loss_and_duplicates_do_not_break_exclusion_among_rust_nodes(seed: u64) {
        let weather = Weather { delay: 700, in_order: false, lost: 15, doubled: 15 };
        let mut net = Net::new(4, 0, Repairs::ALL, weather, seed);
        stir(&mut net, 4, 60);
        drain(&mut net, 50_000);
        prop_assert_eq!(net.clashes, 0);
    }

    #[test]
    fn rust_nodes_and_one_of_the_go_library_exclude_each_other_while_links_keep_order(seed: u64) {
        let weather = Weather { delay: 40, ..Weather::FINE };
        let mut net = Net::new(3, 1, Repairs::ALL, weather, seed);
        stir(&mut net, 4, 40);
        prop_assert_eq!(net.clashes, 0);
    }

    #[test]
    fn slow_and_lossy_links_that_keep_order_do_not_break_a_mixed_cluster(seed: u64) {
        let weather = Weather { delay: 1_500, lost: 15, ..Weather::FINE };
        let mut net = Net::new(2, 1, Repairs::ALL, weather, seed);
        for _ in 0..30 {
            stir(&mut net, 3, 1);
            net.pass(400);
        }
        prop_assert_eq!(net.clashes, 0);
    }
}

#[test]
fn two_nodes_of_the_unrepaired_algorithm_that_ask_at_once_both_hold_the_lock() {
    let mut net = Net::new(2, 0, Repairs::NONE, Weather::FINE, 1);
    net.lock(0);
    net.lock(1);
    net.pass(100);
    assert_eq!((net.acquired, net.clashes), (2, 1));
}

#[test]
fn without_denying_while_asking_two_nodes_that_ask_at_once_both_hold_the_lock() {
    let repairs = Repairs::ALL.without("deny_while_asking").expect("a repair");
    for (repairs, clashes) in [(repairs, 1), (Repairs::ALL, 0)] {
        let mut net = Net::new(2, 0, repairs, Weather::FINE, 1);
        net.lock(0);
        net.lock(1);
        net.pass(100);
        assert_eq!(net.clashes, clashes);
    }
}

/// Two nodes that know a third, but not each other: nothing but its notes keeps them apart.
fn clashes_of_strangers(repairs: Repairs, seed: u64) -> usize {
    let weather = Weather { delay: 40, in_order: false, lost: 5, doubled: 30 };
    let mut net = Net::new(3, 0, repairs, weather, seed);
    net.hide(0, 1);
    stir(&mut net, 3, 100);
    net.clashes
}

#[test]
fn a_common_member_keeps_nodes_apart_that_do_not_know_each_other() {
    let without = Repairs::ALL.without("match_releases").expect("a repair");
    assert_eq!((0..100).map(|seed| clashes_of_strangers(Repairs::ALL, seed)).sum::<usize>(), 0);
    assert!((0..100).any(|seed| clashes_of_strangers(without, seed) > 0));
}
