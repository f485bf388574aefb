//! What std would have brought, on the C library: a heap, an end for panics, and a way to print.
//!
//! The only unsafe code of the repository, and none of it is shipped.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr;

struct CHeap;

#[global_allocator]
static HEAP: CHeap = CHeap;

// SAFETY: posix_memalign gives memory of the size and alignment asked for, which belongs to the
// caller until it is handed to free.
unsafe impl GlobalAlloc for CHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let alignment = layout.align().max(size_of::<usize>());
        let mut memory = ptr::null_mut();
        // SAFETY: the alignment is a power of two and a multiple of a pointer's size.
        match unsafe { libc::posix_memalign(&raw mut memory, alignment, layout.size()) } {
            0 => memory.cast(),
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: the memory came from posix_memalign.
        unsafe { libc::free(memory.cast()) }
    }
}

/// The process's standard output.
pub(crate) struct Stdout;

impl Stdout {
    /// Prints; what can't be written is dropped, there being nobody to tell.
    pub(crate) fn print(arguments: fmt::Arguments<'_>) {
        let _ = Self.write_fmt(arguments);
    }
}

impl Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are those of `rest`.
            let written =
                unsafe { libc::write(libc::STDOUT_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => rest = &rest[written..],
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// With std there would be two of these, and no program.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    Stdout::print(format_args!("{info}\n"));
    // SAFETY: abort may be called at any time.
    unsafe { libc::abort() }
}

/// The compiled `core` and `alloc` name this symbol because they were built to unwind. It is never
/// called: panics abort.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
