//! A program without std that uses the core. Linking it fails as soon as roadbed-core or anything it
//! depends on brings std along: std has a panic handler too, and there can be only one.
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int, c_void};
use core::panic::PanicInfo;

use bytes::BytesMut;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::id::SessionId;
use roadbed_core::link::{Link, LinkConfig, LinkEvent};
use roadbed_core::message::{Message, Welcome, WelcomeDetails};
use roadbed_core::role::{Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::{Timestamp, UnixMicros};
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

/// The same.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: it has no conditions.
    unsafe { abort() }
}

/// Uses enough of the core for the linker to look at all of it. 0 is success.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    c_int::from(!Serializer::ALL.into_iter().all(joins))
}

/// Joins a router whose answers are canned, and passes a payload through untouched.
fn joins(serializer: Serializer) -> bool {
    let now = Timestamp::ZERO;
    let Ok(config) = ClientConfig::new(Uri::from_static("realm1")).build() else { return false };
    let endpoint = Endpoint::rawsocket(serializer);
    let mut client = Connection::client(config, &endpoint, [0; 32], now, UnixMicros::default());
    let mut link = Link::server(&LinkConfig::default(), now);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    for _ in 0..4 {
        while let Some(bytes) = client.poll_transmit() {
            up.extend_from_slice(&bytes);
        }
        link.handle_input(now, &mut up);
        while let Some(event) = link.poll_event() {
            if let LinkEvent::Message(Message::Hello(_)) = event {
                let mut details = WelcomeDetails::new();
                details.roles = Some(Roles::NONE.with(Role::Dealer, &[]));
                let welcome = Message::from(Welcome { session: SessionId::MIN, details: details.into() });
                let Ok(encoded) = serializer.encode_chunks(&welcome, &mut BytesMut::new()) else { return false };
                if link.send(now, &encoded).is_err() {
                    return false;
                }
            }
        }
        while let Some(bytes) = link.poll_transmit() {
            down.extend_from_slice(&bytes);
        }
        client.handle_input(now, &mut down);
        if let Some(SessionEvent::Joined { .. }) = client.poll_event() {
            return true;
        }
    }
    false
}
