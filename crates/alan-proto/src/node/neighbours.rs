//! What members tell each other about themselves and about others: profiles and lists of peers.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use rand_core::CryptoRng;

use super::Node;
use crate::discovery::Full;
use crate::envelope::Envelope;
use crate::error::MetadataTooLong;
use crate::outbox::Note;
use crate::profile::MAX_METADATA;
use crate::stats::{Refusal, Rejection};
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{PeerEntry, PeerPage, PeerPageBuffer, SessionBlock};

/// Entries that fit into a page at least, however long the addresses are.
const SHORTEST_PAGE: usize = 40;

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// Replaces what this node tells its peers about itself beside its name: at most 512 bytes.
    /// Every extended member is told at once, and whoever misses it asks with the next heartbeat.
    pub fn set_metadata(&mut self, now: Instant, metadata: &[u8]) -> Result<(), MetadataTooLong> {
        self.advance(now);
        if !self.profile.set_metadata(metadata) {
            return Err(MetadataTooLong { len: metadata.len(), max: MAX_METADATA });
        }
        // Whoever is not told asks: nothing is queued for good where nobody fetches it.
        if self.outbox.is_full() {
            return Ok(());
        }
        for place in 0..self.membership.places() {
            if let Some(member) = self.membership.in_place(place) {
                self.tell_profile(member);
            }
        }
        Ok(())
    }

    pub(super) fn tell_profile(&mut self, member: Handle) {
        if self.profile.version > 0 && self.membership.life(member).is_some() {
            self.outbox.note(member, Note::Profile);
        }
    }

    pub(super) fn on_profile_ask(&mut self, member: Handle) -> Result<(), Rejection> {
        let pause = self.exchange_pause();
        let life = self.membership.life_mut(member).ok_or(Rejection::Unproven)?;
        if !life.exchange.may_tell_profile(self.now, pause) {
            return Err(Rejection::OverBudget);
        }
        self.tell_profile(member);
        Ok(())
    }

    /// Asks for what the member's heartbeat shows that we do not know.
    pub(super) fn compare_views(&mut self, member: Handle, block: &SessionBlock) {
        let (now, digest, pause) = (self.now, self.membership.digest(), self.exchange_pause());
        let Some(life) = self.membership.life_mut(member) else { return };
        let known = life.profile.as_ref().map_or(0, |profile| profile.version);
        if block.view.profile > known && life.exchange.may_ask_profile(now, pause) {
            self.outbox.note(member, Note::ProfileAsk);
        }
        if block.view.members != digest && now >= self.next_exchange && life.exchange.begin(now) {
            self.next_exchange = now + pause;
            self.outbox.note(member, Note::PeersAsk { cursor: 0 });
        }
    }

    /// How far apart two questions for lists are, and two answers to questions for the profile.
    fn exchange_pause(&self) -> Duration {
        self.config.heartbeat_interval / 5
    }

    pub(super) fn on_peers_ask(&mut self, member: Handle, cursor: u32) -> Result<(), Rejection> {
        let pause = self.exchange_pause();
        let pages = self.membership.places() / SHORTEST_PAGE + 2;
        let life = self.membership.life_mut(member).ok_or(Rejection::Unproven)?;
        if !life.exchange.may_answer(self.now, pause, pages) {
            return Err(Rejection::OverBudget);
        }
        self.outbox.note(member, Note::Peers { cursor });
        Ok(())
    }

    /// The page of our list that begins in place `cursor` of the peer table, without the member
    /// that asks, and where the next one begins.
    pub(super) fn peer_page(&self, asker: Handle, cursor: u32, page: &mut PeerPageBuffer) -> u32 {
        for place in cursor as usize..self.membership.places() {
            let Some(member) = self.membership.in_place(place) else { continue };
            let Some(addr) = self.membership.addr(member) else { continue };
            let Some(life) = self.membership.life(member) else { continue };
            let entry = PeerEntry { incarnation: life.incarnation, addr };
            if member != asker && page.push(&entry).is_err() {
                return u32::try_from(place).unwrap_or(0);
            }
        }
        0
    }

    /// A member's list: whom we do not know becomes a candidate, to be verified like any other.
    pub(super) fn on_peers(
        &mut self,
        member: Handle,
        page: &PeerPage<'_>,
    ) -> Result<(), Rejection> {
        let waiting = self.membership.life(member).is_some_and(|life| life.exchange.is_waiting());
        if !waiting {
            return Err(Rejection::UnmatchedResponse);
        }
        let mut learnt = false;
        for entry in page.iter() {
            learnt |= self.learn(&entry);
        }
        let pause = self.exchange_pause();
        let life = self.membership.life_mut(member).ok_or(Rejection::Unproven)?;
        if let Some(cursor) = life.exchange.page(self.now, page.next, learnt, pause) {
            self.outbox.note(member, Note::PeersAsk { cursor });
        }
        Ok(())
    }

    /// Gives whether the entry is worth a JOIN.
    fn learn(&mut self, entry: &PeerEntry) -> bool {
        let addr = super::canonical(entry.addr);
        let known = entry.incarnation == self.incarnation
            || self.membership.find_life(entry.incarnation).is_some()
            || self.membership.is_gone(self.now, entry.incarnation)
            || self.membership.contains(&addr)
            || self.discovery.is_own(&addr)
            || self.discovery.find(&addr).is_some();
        if known || !is_one_host(addr) {
            return false;
        }
        match self.discovery.learn(addr, self.now + super::LEARNT_PATIENCE) {
            Ok(candidate) => self.send_join(candidate),
            Err(Full) => self.stats.refuse(Refusal::CandidatesFull),
        }
        true
    }
}

/// Whether the address may be that of one host.
fn is_one_host(addr: SocketAddr) -> bool {
    let reserved = match addr.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    addr.port() != 0 && !reserved
}
