#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) unsigned char data[];
};

/* A large block is looked at all over: in pages of 2 MiB, where the system has them for those who ask, the
 * tables of what lies where stay in the cache. */
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static struct arena_block *block_memory(size_t bytes)
{
    if (bytes < 2 * HUGE_PAGE_BYTES || bytes > SIZE_MAX / 2) {
        return malloc(bytes);
    }
    bytes = (bytes + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    void *memory = aligned_alloc(HUGE_PAGE_BYTES, bytes);
    if (memory != NULL) {
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* refused: ordinary pages do */
    }
    return memory;
}

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    if (size > arena->bytes_max - arena->bytes) {
        return NULL;
    }
    struct arena_block *block = block_memory(sizeof *block + size);
    if (block != NULL) {
        *block = (struct arena_block){.size = size};
        arena->bytes += size;
    }
    return block;
}

enum status arena_init_fixed(struct arena *arena, size_t bytes)
{
    struct arena fresh = {.bytes_max = bytes};
    fresh.first = fresh.current = block_new(&fresh, bytes);
    if (fresh.first == NULL) {
        return STATUS_NO_MEMORY;
    }
    *arena = fresh;
    return STATUS_OK;
}

void arena_init_growing(struct arena *arena, size_t block_bytes, size_t bytes_max)
{
    *arena = (struct arena){.block_bytes = block_bytes, .bytes_max = bytes_max};
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->first;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct arena){0};
}

/* align: a power of two up to that of the data. */
static void *block_take(struct arena_block *block, size_t bytes, size_t align)
{
    const size_t start = block != NULL ? (block->used + align - 1) & ~(align - 1) : 0;
    if (block == NULL || start > block->size || block->size - start < bytes) {
        return NULL;
    }
    void *out = block->data + start;
    block->used = start + bytes;
    return memset(out, 0, bytes);
}

static void *grow_and_take(struct arena *arena, size_t bytes, size_t align)
{
    struct arena_block *current = arena->current;
    while (current != NULL && current->next != NULL) { /* blocks kept by a reset */
        current = arena->current = current->next;
        void *out = block_take(current, bytes, align);
        if (out != NULL) {
            return out;
        }
    }
    struct arena_block *block =
        block_new(arena, bytes > arena->block_bytes ? bytes : arena->block_bytes);
    if (block == NULL) {
        return NULL;
    }
    if (current != NULL) {
        current->next = block;
    } else {
        arena->first = block;
    }
    arena->current = block;
    return block_take(block, bytes, align);
}

static void *take(struct arena *arena, size_t bytes, size_t align)
{
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    void *out = block_take(arena->current, bytes, align);
    if (out != NULL || arena->block_bytes == 0) {
        return out;
    }
    return grow_and_take(arena, bytes, align);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    return take(arena, bytes > 0 ? bytes : 1, _Alignof(max_align_t));
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return arena_alloc(arena, bytes);
}

void *arena_lines(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ARENA_LINE) {
        return NULL;
    }
    char *array = arena_alloc(arena, bytes + ARENA_LINE);
    return array != NULL ? array + (ARENA_LINE - (uintptr_t)array % ARENA_LINE) % ARENA_LINE : NULL;
}

char *arena_copy_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = take(arena, length + 1, 1); /* a million ids lie closely */
    if (copy != NULL && length > 0) {
        memcpy(copy, text, length);
    }
    return copy;
}

void arena_reset(struct arena *arena)
{
    for (struct arena_block *block = arena->first; block != NULL; block = block->next) {
        block->used = 0;
    }
    arena->current = arena->first;
}
