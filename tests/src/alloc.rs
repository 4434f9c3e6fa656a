//! A global allocator that counts what the current thread does.
//!
//! A test binary installs it with `#[global_allocator] static COUNTING: Counting = Counting;` and asks
//! [`measure`] what a piece of code cost. Other threads do not disturb the counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The counting allocator; it passes everything on to the system's.
#[derive(Debug)]
pub struct Counting;

/// What a piece of code allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The most bytes that were held at one time beyond those held before.
    pub peak: usize,
    /// Bytes still held behind the code, less those held before.
    pub kept: isize,
    /// How often memory was asked for; growing in place counts.
    pub allocations: usize,
}

fn record(size: usize, freed: usize) {
    // Layout sizes never exceed isize::MAX. Thread-locals may be gone while a thread ends.
    let _ = LIVE.try_with(|live| {
        // A buffer that moves exists twice for a moment.
        live.set(live.get().wrapping_add(size as isize));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
        live.set(live.get().wrapping_sub(freed as isize));
    });
}

fn count() {
    let _ = COUNT.try_with(|count| count.set(count.get().wrapping_add(1)));
}

// SAFETY: every method hands its arguments to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        record(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        record(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        record(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        record(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// Runs `code` and says what it allocated. Zeroes everywhere when [`Counting`] is not installed.
pub fn measure<T>(code: impl FnOnce() -> T) -> (T, Usage) {
    let before = LIVE.get();
    let count = COUNT.get();
    PEAK.set(before);
    let value = code();
    let usage = Usage {
        peak: usize::try_from(PEAK.get() - before).unwrap_or(0),
        kept: LIVE.get() - before,
        allocations: COUNT.get() - count,
    };
    (value, usage)
}
