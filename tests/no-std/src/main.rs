//! A program without std that uses the core. Linking it fails as soon as roadbed-core or anything it
//! depends on brings std along: std has a panic handler too, and there can be only one.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::ToString;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int, c_void};
use core::panic::PanicInfo;

use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
    fn free(place: *mut c_void);
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
}

/// The C library's heap.
struct CHeap;

// SAFETY: `aligned_alloc` gives memory of at least the asked size and alignment, or null.
unsafe impl GlobalAlloc for CHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // C wants an alignment that it supports, and a size that is a multiple of it.
        let align = layout.align().max(align_of::<usize>());
        let Some(size) = layout.size().checked_next_multiple_of(align) else { return core::ptr::null_mut() };
        // SAFETY: align is a power of two, and size a multiple of it.
        unsafe { aligned_alloc(align, size) }.cast()
    }

    unsafe fn dealloc(&self, place: *mut u8, _: Layout) {
        // SAFETY: `place` came from `alloc`.
        unsafe { free(place.cast()) }
    }
}

#[global_allocator]
static HEAP: CHeap = CHeap;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it has no conditions.
    unsafe { abort() }
}

/// The precompiled `alloc` was built to unwind and names this; with panic = "abort" nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Uses enough of the core for the linker to look at all of it. 0 is success.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    let named = Serializer::ALL.into_iter().all(|one| Serializer::from_id(one.id()) == Some(one));
    let uri = Uri::from_static("com.example.add");
    c_int::from(!named || uri.to_string() != "com.example.add")
}
