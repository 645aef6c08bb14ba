/*
 * arena.h - memory that is given out in a row and taken back all at once.
 * Know: a fixed arena never grows (hot path); a growing one chains blocks (boot, imports).
 * Memory: what it hands out lives until arena_reset or arena_release.
 * Threads: one at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t block_bytes; /* size of the next block; 0: fixed, never grows */
    size_t bytes_max;   /* over all blocks */
    size_t bytes;       /* over all blocks, now */
};

/* One block of `bytes`, never more. STATUS_NO_MEMORY. */
enum status arena_init_fixed(struct arena *arena, size_t bytes) MUST_CHECK;
/* Blocks of at least block_bytes as needed, bytes_max in all. */
void arena_init_growing(struct arena *arena, size_t block_bytes, size_t bytes_max);
void arena_release(struct arena *arena);

/* `bytes` zeroed bytes aligned for anything, or NULL where the limit or memory is exhausted. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* count * size with overflow checked. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* The same from the next line of the cache on; it takes ARENA_LINE bytes more. */
#define ARENA_LINE 64u
void *arena_lines(struct arena *arena, size_t count, size_t size);
/* A copy with a terminating NUL, or NULL. */
char *arena_copy_text(struct arena *arena, const char *text, size_t length);
/* Everything handed out is free again; the blocks stay for the next use. */
void arena_reset(struct arena *arena);

#endif
