//! Counts panics per thread: a test and its server share one, and a server task that panics would
//! otherwise go unnoticed.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Begins to count.
pub(super) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            usual(info);
        }));
    });
}

/// Panics on this thread so far.
pub(super) fn count() -> u32 {
    PANICS.get()
}
