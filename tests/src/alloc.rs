//! A global allocator that counts what the current thread does, and what the process holds.
//!
//! A test binary installs it with `#[global_allocator] static COUNTING: Counting = Counting;` and asks
//! [`measure`] what a piece of code cost; other threads do not disturb that count. [`held`] and [`highest`]
//! are about all threads together.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Of all threads, and the most it was.
static HELD: AtomicIsize = AtomicIsize::new(0);
static HIGHEST: AtomicIsize = AtomicIsize::new(0);

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
    if size > 0 {
        let held = HELD.fetch_add(size as isize, Relaxed).wrapping_add(size as isize);
        // Writing is what costs where threads meet, and seldom needed.
        if held > HIGHEST.load(Relaxed) {
            HIGHEST.fetch_max(held, Relaxed);
        }
    }
    if freed > 0 {
        HELD.fetch_sub(freed as isize, Relaxed);
    }
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

/// Bytes that all threads hold. 0 when [`Counting`] is not installed.
pub fn held() -> usize {
    usize::try_from(HELD.load(Relaxed)).unwrap_or(0)
}

/// The most bytes that all threads held at one time, since [`forget_highest`].
pub fn highest() -> usize {
    usize::try_from(HIGHEST.load(Relaxed)).unwrap_or(0)
}

/// Begins to look for the most anew.
pub fn forget_highest() {
    HIGHEST.store(HELD.load(Relaxed), Relaxed);
}
