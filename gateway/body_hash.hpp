// XXH3-64 of bodies and records. Debian's libxxhash chooses the widest vectors that the processor has at run time, but
// only for who asks so; its plain functions take SSE2. The values are the same.
#pragma once

#ifndef XXH_STATIC_LINKING_ONLY
#define XXH_STATIC_LINKING_ONLY  // the streaming state on the stack instead of the heap
#endif
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // XXH3_64bits and XXH3_64bits_update become those that choose
#endif
