//! The list of promises, each with the fault that only it must notice.

mod starting;
mod discovery;
mod crowds;
mod leaving;
mod members;
mod lateness;
mod events;
mod messages;
mod handlers;
mod queues;
mod requests;
mod losses;
mod quorum;
mod locks;
mod cancellation;
mod security;

use crate::adapter::{
    Adapter, AsyncStd, GlobalSmol, MixedCluster, PlainThreads, TokioThread, TokioThreads,
};
use crate::stage::Stage;

/// A promise of the API, under one adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) about: &'static str,
    /// The fault of `alan_driver` that breaks it.
    pub(crate) fault: &'static str,
    /// Ends if it is kept, panics if not. Told whether to use a key.
    pub(crate) keep: fn(bool),
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Column {
    pub(crate) adapter: &'static str,
    pub(crate) sealed: bool,
}

/// Makes the list, from lines that say which fault each promise notices.
macro_rules! promises {
    ($($about:ident { $($name:ident notices $fault:ident,)* })*) => {
        /// How many promises there are.
        pub(crate) const COUNT: usize = [$($(stringify!($name)),*),*].len();

        /// All promises, under one adapter.
        fn under<A: Adapter>() -> Vec<Promise> {
            vec![$($(Promise {
                name: stringify!($name),
                about: stringify!($about),
                fault: stringify!($fault),
                keep: |sealed| A::block_on($about::$name::<A>(Stage::new(sealed))),
            }),*),*]
        }
    };
}

promises! {
    starting {
        settings_that_can_not_work_are_named_with_what_is_permitted notices OverlookMissingDiscovery,
        a_port_in_use_is_a_bind_error_that_names_the_address notices SharePort,
        a_node_knows_itself_and_its_settings notices HidePeer,
        nodes_meet_over_ipv6 notices IgnoreIpv6,
        an_address_of_both_families_meets_ipv4_nodes notices OnlyIpv6,
    }
    discovery {
        one_seed_that_knows_nobody_is_enough notices IgnoreLoneSeed,
        the_addresses_of_a_dns_name_are_found_and_found_again notices TakeOneDnsAddress,
        a_failed_first_round_is_told_and_the_node_is_ready_and_usable notices HideFailedDiscovery,
        refresh_asks_discovery_again notices IgnoreRefresh,
    }
    crowds {
        fifty_nodes_in_one_process_reach_a_full_mesh notices FewPeers,
        twelve_nodes_ask_each_other_all_at_once notices LoseNinthReply,
    }
    leaving {
        shutdown_says_goodbye_and_frees_the_port_although_a_handle_is_left notices KeepPort,
        dropping_the_last_handle_leaves_the_cluster notices OutliveHandles,
        every_operation_on_a_node_that_has_left_says_so notices EndlessEvents,
        operations_that_wait_when_the_node_leaves_end_with_closed notices ForgetQuorumWaiters,
        a_restart_at_the_same_address_is_a_left_and_a_joined notices SilentSwap,
    }
    members {
        names_and_round_trip_times_of_members_are_known notices HideNames,
        changed_metadata_is_told_and_known notices HideUpdates,
        a_member_that_is_configured_otherwise_is_told notices HideMismatches,
        an_observer_does_everything_and_counts_for_no_quorum notices CountObservers,
        nodes_with_and_without_sessions_share_a_cluster notices DenyClassic,
        where_nodes_without_sessions_are_refused_they_are_no_members notices ServeClassic,
    }
    lateness {
        who_was_heard_while_the_loop_stood_still_is_not_taken_for_dead notices JudgeUnheard,
    }
    events {
        joins_leaves_and_silence_are_told_in_order_and_once notices TellSilenceTwice,
        callbacks_tell_of_joins_and_leaves_also_of_those_that_were_here_before notices CallTwice,
        every_subscriber_gets_every_event notices ForgetThirdSubscriber,
        what_a_peer_sent_before_it_left_is_delivered_before_its_left notices LeftOvertakes,
        a_subscriber_that_lags_is_told_so_and_then_what_is_true notices HideLag,
    }
    messages {
        a_broadcast_reaches_every_member_and_says_so_for_each notices BroadcastToOne,
        strangers_can_send_and_ask_and_be_sent_to_and_asked_without_a_quorum notices IgnoreStrangers,
        what_can_not_be_sent_is_an_error_at_once_and_counted notices CountNoSendFailure,
        the_longest_message_fits_and_one_byte_more_is_refused notices BoastOfRoom,
        messages_of_one_peer_come_in_order notices ShuffleLongQueues,
        messages_can_be_taken_once notices PermitManyReaders,
        messages_wait_for_their_reader_within_bounds notices DropUnread,
    }
    handlers {
        a_stuck_handler_delays_no_other_peer_and_no_heartbeat notices OneHandlerAtATime,
        a_handler_gets_each_peers_messages_one_after_the_other_in_order notices LetHandlersOvertake,
        a_panic_in_a_handler_costs_one_message notices LoseQueueOfPanic,
    }
    queues {
        a_full_queue_costs_its_own_peer_messages_and_nobody_else_anything notices NamelessQueueFull,
        where_full_queues_block_nothing_is_refused_and_reading_goes_on notices NeverBlock,
    }
    requests {
        concurrent_requests_get_each_their_own_reply notices MixUpRepliesInACrowd,
        a_request_that_nobody_answers_ends_at_its_deadline notices ClosedForTimeout,
        a_request_ends_at_once_when_the_peer_leaves_or_dies notices TimeoutForDisconnected,
        more_than_the_limits_permit_is_refused_with_the_limit notices WrongLimit,
        a_request_to_all_gathers_every_reply notices MislabelReplies,
        at_the_deadline_the_replies_so_far_are_returned_and_the_missing_named notices HideLate,
        a_departing_peer_is_taken_off_the_list notices HideDeparted,
    }
    losses {
        a_request_that_is_lost_is_sent_again_and_handled_once notices NeverAskAgain,
        an_answer_that_is_lost_is_given_again_and_nothing_is_done_twice notices ForgetAnswers,
        an_answer_that_is_lost_and_not_kept_is_an_error notices TimeoutForGone,
        a_request_that_finds_no_reader_is_refused_at_once notices IgnoreRefused,
    }
    quorum {
        without_a_cluster_size_there_is_always_enough notices QuorumOfOne,
        operations_that_need_the_quorum_wait_for_it_and_then_go_on notices SleepThroughQuorum,
        a_deadline_without_the_quorum_is_no_quorum_and_with_it_a_timeout notices TimeoutForNoQuorum,
        the_quorum_is_reached_and_lost_and_everybody_is_told notices TellQuorumTwice,
    }
    locks {
        a_lock_is_held_by_one_and_then_by_the_next notices GrantWhatPeersHold,
        callers_of_one_node_exclude_each_other notices GrantWhatCallersHold,
        a_contended_lock_is_never_held_twice_and_everybody_gets_it notices GrantToThirdCaller,
        a_dropped_guard_releases_in_the_background notices LeakGuards,
        a_lock_can_be_released_by_name_and_its_guard_turns_invalid notices TrustUnlockedGuards,
        the_loss_of_a_lock_is_told_however_late_one_asks notices BlameForLoss,
        the_lock_of_a_dead_holder_frees_itself notices TrustSilence,
    }
    cancellation {
        a_dropped_request_is_forgotten notices LeakRequests,
        whoever_stops_waiting_for_the_quorum_gives_up_its_place notices LeakPlaces,
        a_lock_that_is_no_longer_wanted_is_withdrawn_everywhere notices LeakLockCalls,
        an_operation_that_was_never_awaited_does_nothing notices LockTooEarly,
    }
    security {
        nodes_with_the_same_key_talk_and_lock notices DenySeal,
        datagrams_that_do_not_open_are_counted_and_warned_of_with_their_source notices HideWarnings,
        a_key_that_is_switched_off_leaves_the_cluster_in_plain_text notices SealAnyway,
        the_key_of_a_cluster_at_work_can_be_changed notices IgnoreNewKeys,
    }
}

/// Rows that no fault of the driver can tell apart, and why. Each fails with the others.
pub(crate) const INSEPARABLE: [(&str, &[&str], &str); 3] = [
    (
        "TrustSilence",
        &[
            "joins_leaves_and_silence_are_told_in_order_and_once",
            "a_request_ends_at_once_when_the_peer_leaves_or_dies",
            "the_lock_of_a_dead_holder_frees_itself",
        ],
        "a death is noticed in one place, and all that follows from it needs that",
    ),
    (
        "NeverAskAgain",
        &[
            "a_request_that_is_lost_is_sent_again_and_handled_once",
            "an_answer_that_is_lost_is_given_again_and_nothing_is_done_twice",
            "an_answer_that_is_lost_and_not_kept_is_an_error",
        ],
        "whether a request or its answer got lost, it is found out by asking again",
    ),
    (
        "BroadcastToOne",
        &[
            "a_broadcast_reaches_every_member_and_says_so_for_each",
            "nodes_with_and_without_sessions_share_a_cluster",
        ],
        "a broadcast to members of both kinds is one to several",
    ),
];

/// The columns of the table, each with its promises.
pub(crate) fn columns() -> Vec<(Column, Vec<Promise>)> {
    let adapters = vec![
        ("tokio", under::<TokioThreads>()),
        ("tokio-thread", under::<TokioThread>()),
        ("smol", under::<GlobalSmol>()),
        ("async-std", under::<AsyncStd>()),
        ("sync", under::<PlainThreads>()),
        ("mixed", under::<MixedCluster>()),
    ];
    let mut columns = Vec::new();
    for (adapter, promises) in adapters {
        columns.push((Column { adapter, sealed: false }, promises.clone()));
        columns.push((Column { adapter, sealed: true }, promises));
    }
    columns
}
