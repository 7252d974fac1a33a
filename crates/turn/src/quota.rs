//! How many allocations there may be: of one user, of one app, from one source, in all.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::household;

/// The limits; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one user name.
    pub per_user: usize,
    /// Of one app.
    pub per_app: usize,
    /// From one source: an IPv4 address, or an IPv6 /64.
    pub per_source: usize,
    /// In all.
    pub total: usize,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    User,
    App,
    Source,
    Total,
}

#[derive(Debug, Default)]
struct Counts {
    users: HashMap<Arc<str>, usize>,
    apps: HashMap<Arc<str>, usize>,
    sources: HashMap<IpAddr, usize>,
    total: usize,
}

/// Counts the allocations of the whole program.
#[derive(Debug)]
pub(crate) struct Quotas {
    limits: Limits,
    counts: Mutex<Counts>,
}

/// The right to one allocation, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    quotas: Arc<Quotas>,
    user: Arc<str>,
    app: Arc<str>,
    source: IpAddr,
}

impl Quotas {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, counts: Mutex::default() }
    }

    /// Takes a seat if no limit stands against it.
    pub(crate) fn enter(
        self: &Arc<Self>,
        user: &Arc<str>,
        app: &Arc<str>,
        source: IpAddr,
    ) -> Result<Seat, Reached> {
        let source = household(source);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |count: usize, limit: usize| limit != 0 && count >= limit;
        let of = |count: Option<&usize>| count.copied().unwrap_or_default();
        if full(of(counts.users.get(user)), self.limits.per_user) {
            return Err(Reached::User);
        }
        if full(of(counts.apps.get(app)), self.limits.per_app) {
            return Err(Reached::App);
        }
        if full(of(counts.sources.get(&source)), self.limits.per_source) {
            return Err(Reached::Source);
        }
        if full(counts.total, self.limits.total) {
            return Err(Reached::Total);
        }
        *counts.users.entry(user.clone()).or_default() += 1;
        *counts.apps.entry(app.clone()).or_default() += 1;
        *counts.sources.entry(source).or_default() += 1;
        counts.total += 1;
        drop(counts);
        Ok(Seat { quotas: self.clone(), user: user.clone(), app: app.clone(), source })
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let counts = self.counts.lock().unwrap();
        counts.users.is_empty()
            && counts.apps.is_empty()
            && counts.sources.is_empty()
            && counts.total == 0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.quotas.counts.lock().unwrap_or_else(PoisonError::into_inner);
        leave(&mut counts.users, &self.user);
        leave(&mut counts.apps, &self.app);
        leave(&mut counts.sources, &self.source);
        counts.total -= 1;
    }
}

/// Entries that count nothing are removed: names come from the network.
fn leave<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(quotas: &Arc<Quotas>, user: &str, app: &str, source: &str) -> Result<Seat, Reached> {
        quotas.enter(&user.into(), &app.into(), source.parse().unwrap())
    }

    #[test]
    fn each_limit_is_told_by_its_name() {
        let quotas =
            Arc::new(Quotas::new(Limits { per_user: 1, per_app: 2, per_source: 3, total: 4 }));
        let _a = enter(&quotas, "a", "x", "192.0.2.1").unwrap();
        assert_eq!(enter(&quotas, "a", "y", "192.0.2.2").unwrap_err(), Reached::User);
        let _b = enter(&quotas, "b", "x", "192.0.2.1").unwrap();
        assert_eq!(enter(&quotas, "c", "x", "192.0.2.2").unwrap_err(), Reached::App);
        let _c = enter(&quotas, "c", "y", "192.0.2.1").unwrap();
        assert_eq!(enter(&quotas, "d", "y", "192.0.2.1").unwrap_err(), Reached::Source);
        let _d = enter(&quotas, "d", "y", "192.0.2.2").unwrap();
        assert_eq!(enter(&quotas, "e", "z", "192.0.2.3").unwrap_err(), Reached::Total);
    }

    #[test]
    fn seats_that_are_left_leave_nothing_behind() {
        let quotas =
            Arc::new(Quotas::new(Limits { per_user: 1, per_app: 0, per_source: 0, total: 0 }));
        let seat = enter(&quotas, "a", "x", "2001:db8::1").unwrap();
        assert!(!quotas.is_empty());
        drop(seat);
        assert!(quotas.is_empty());
        assert!(enter(&quotas, "a", "x", "2001:db8::1").is_ok());
    }
}
