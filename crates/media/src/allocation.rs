//! What each subscription gets of a leg's bandwidth: audio first, then every picture small, then
//! the larger ones step by step; rather a pause than a freeze.

/// A step up needs this much more than it costs, in per cent, lest it be taken back at once.
const HEADROOM: u64 = 115;

/// What one subscription could get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Bits per second of each layer, the smallest first, up to the largest that the subscriber
    /// wants. Empty: nothing comes in.
    pub layers: Vec<u64>,
    /// Higher ones are served first.
    pub priority: u8,
    /// The layer it gets now.
    pub current: Option<usize>,
}

/// Which layer each demand gets, `None` for a pause. `available` is what is left for pictures, in
/// bits per second, once audio has its share; the demands share it by priority, and in their
/// order where that is the same.
pub fn allocate(available: u64, demands: &[Demand]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(demands[index].priority));
    let mut granted: Vec<Option<usize>> = vec![None; demands.len()];
    let mut left = available;
    let steps = demands.iter().map(|demand| demand.layers.len()).max().unwrap_or(0);
    for layer in 0..steps {
        for &index in &order {
            let demand = &demands[index];
            // Who did not get the step before does not skip it.
            if layer > 0 && granted[index] != Some(layer - 1) {
                continue;
            }
            let Some(&cost) = demand.layers.get(layer) else { continue };
            let more = cost.saturating_sub(demand.below(layer));
            if demand.needed(layer, more) <= left {
                left -= more;
                granted[index] = Some(layer);
            }
        }
    }
    granted
}

/// What must be available for the cheapest step beyond what was granted. `None`: there is none.
pub fn next_step(demands: &[Demand], granted: &[Option<usize>]) -> Option<u64> {
    let used: u64 = granted
        .iter()
        .zip(demands)
        .filter_map(|(granted, demand)| demand.layers.get((*granted)?))
        .sum();
    let steps = granted.iter().zip(demands).filter_map(|(granted, demand)| {
        let layer = granted.map_or(0, |layer| layer + 1);
        let more = demand.layers.get(layer)?.saturating_sub(demand.below(layer));
        Some(demand.needed(layer, more))
    });
    Some(used + steps.min()?)
}

/// What each demand's publisher may send at most to be of use here, in bits per second: as much as all others
/// where there is not enough for all, and an even part of what is left besides where there is.
pub fn shares(available: u64, demands: &[Demand]) -> Vec<u64> {
    let costs: Vec<u64> = demands.iter().map(Demand::full).collect();
    let mut sorted = costs.clone();
    sorted.sort_unstable();
    // Those that want less than the others leave them more.
    let (mut left, mut level) = (available, None);
    for (count, cost) in (1..=sorted.len() as u64).rev().zip(sorted) {
        let even = left / count;
        if cost > even {
            level = Some(even);
            break;
        }
        left -= cost;
    }
    let more = left / (demands.len() as u64).max(1);
    let share = |(demand, cost): (&Demand, u64)| {
        let share = level.unwrap_or(cost + more);
        // It will have to fit with the headroom of what is new, and then some.
        if demand.current.is_some() { share } else { share / (HEADROOM + 5) * 100 }
    };
    demands.iter().zip(costs).map(share).collect()
}

impl Demand {
    /// What its largest layer costs.
    fn full(&self) -> u64 {
        self.layers.last().copied().unwrap_or(0)
    }

    fn below(&self, layer: usize) -> u64 {
        layer.checked_sub(1).and_then(|below| self.layers.get(below)).copied().unwrap_or(0)
    }

    /// What must be left for a step that costs so much more.
    fn needed(&self, layer: usize, more: u64) -> u64 {
        let is_new = self.current.is_none_or(|current| layer > current);
        if is_new { more.saturating_mul(HEADROOM).div_ceil(100) } else { more }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demand(layers: &[u64], current: Option<usize>) -> Demand {
        Demand { layers: layers.to_vec(), priority: 0, current }
    }

    const CAMERA: [u64; 3] = [150, 500, 1500];

    #[test]
    fn all_get_the_small_picture_before_anybody_gets_a_large_one() {
        let demands = [demand(&CAMERA, None), demand(&CAMERA, None), demand(&CAMERA, None)];
        assert_eq!(allocate(10_000, &demands), [Some(2); 3]);
        assert_eq!(allocate(1000, &demands), [Some(1), Some(0), Some(0)]);
        assert_eq!(allocate(400, &demands), [Some(0), Some(0), None]);
        assert_eq!(allocate(0, &demands), [None; 3]);
    }

    #[test]
    fn the_screen_comes_first_when_it_is_asked_for() {
        let mut demands = [demand(&CAMERA, None), demand(&[1000], None)];
        assert_eq!(allocate(1150, &demands), [Some(1), None]);
        demands[1].priority = 1;
        assert_eq!(allocate(1150, &demands), [None, Some(0)]);
    }

    #[test]
    fn a_step_up_wants_headroom_and_staying_does_not() {
        assert_eq!(allocate(500, &[demand(&CAMERA, Some(0))]), [Some(0)]);
        assert_eq!(allocate(500, &[demand(&CAMERA, Some(1))]), [Some(1)]);
        assert_eq!(allocate(560, &[demand(&CAMERA, Some(0))]), [Some(1)]);
    }

    #[test]
    fn shares_are_even_where_there_is_not_enough() {
        let flows = Some(0);
        let mut demands = [demand(&[1000], flows), demand(&[100], flows), demand(&[600], flows)];
        assert_eq!(shares(5000, &demands), [2100, 1200, 1700]);
        assert_eq!(shares(1100, &demands), [500, 500, 500]);
        assert_eq!(shares(0, &demands), [0, 0, 0]);
        demands[1].current = None;
        assert_eq!(shares(1100, &demands), [500, 400, 500]);
        assert_eq!(shares(300, &[]), []);
    }

    #[test]
    fn what_does_not_come_in_is_not_granted() {
        assert_eq!(allocate(1000, &[demand(&[], None), demand(&[100], None)]), [None, Some(0)]);
    }

    fn demands() -> impl Strategy<Value = Vec<Demand>> {
        let demand = (prop::collection::vec(1..1000_u64, 0..4), 0..3_u8).prop_map(
            |(mut layers, priority)| {
                layers.sort_unstable();
                Demand { layers, priority, current: None }
            },
        );
        prop::collection::vec(demand, 0..6)
    }

    proptest! {
        /// What the next step takes is enough for more, and what is there was not.
        #[test]
        fn the_next_step_is_one(
            available in 0..5000_u64,
            demands in demands(),
        ) {
            let granted = allocate(available, &demands);
            let all = demands.iter().zip(&granted).all(|(demand, granted)| {
                granted.map_or(0, |layer| layer + 1) == demand.layers.len()
            });
            let next = next_step(&demands, &granted);
            prop_assert_eq!(next.is_none(), all);
            if let Some(next) = next {
                prop_assert_ne!(allocate(next, &demands), granted);
            }
        }

        /// Never more than there is, and whoever is served first is served with more bandwidth too.
        #[test]
        fn the_sum_fits(
            available in 0..5000_u64,
            demands in demands(),
        ) {
            let granted = allocate(available, &demands);
            let sum: u64 = granted
                .iter()
                .zip(&demands)
                .filter_map(|(layer, demand)| layer.map(|layer| demand.layers[layer]))
                .sum();
            prop_assert!(sum <= available);
            let first = (0..demands.len()).min_by_key(|it| std::cmp::Reverse(demands[*it].priority));
            if let Some(first) = first.filter(|first| granted[*first].is_some()) {
                prop_assert!(allocate(available * 2, &demands)[first].is_some());
            }
        }
    }
}
