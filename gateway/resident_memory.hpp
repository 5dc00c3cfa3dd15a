// What the process holds resident without need. Nothing is lost by it: what is used again comes back from the page
// cache.
#pragma once

namespace phoenix::gateway {

/// Gives back code that was used once: start-up, configuration, TLS of a gateway that has none; most of the libraries.
/// What is used again costs a page fault each. Any thread.
void release_code();

/// Gives back free memory of the heap. Up to milliseconds, in which others may wait for the heap: for a gateway at
/// rest. Any thread.
void release_free_memory();

}  // namespace phoenix::gateway
