#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) unsigned char data[];
};

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    if (size > arena->bytes_max - arena->bytes) {
        return NULL;
    }
    struct arena_block *block = malloc(sizeof *block + size);
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

static void *block_take(struct arena_block *block, size_t bytes)
{
    if (block == NULL || block->size - block->used < bytes) {
        return NULL;
    }
    void *out = block->data + block->used;
    block->used += bytes;
    return memset(out, 0, bytes);
}

static void *grow_and_take(struct arena *arena, size_t bytes)
{
    struct arena_block *current = arena->current;
    while (current != NULL && current->next != NULL) { /* blocks kept by a reset */
        current = arena->current = current->next;
        void *out = block_take(current, bytes);
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
    return block_take(block, bytes);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = bytes == 0 ? align : (bytes + align - 1) & ~(align - 1);
    void *out = block_take(arena->current, bytes);
    if (out != NULL || arena->block_bytes == 0) {
        return out;
    }
    return grow_and_take(arena, bytes);
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
    char *copy = arena_alloc(arena, length + 1);
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
