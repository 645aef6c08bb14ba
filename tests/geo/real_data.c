#include "tests/geo/real_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buffer.h"
#include "tests/check.h"
#include "tests/geo/data_folder.h"

struct text real_text(const char *name, struct arena *arena)
{
    char path[1024];
    const char *folder = getenv("CAMPUS_DATA");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : REAL_DATA_FOLDER, name);
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        (void)printf("skipped: no %s (set CAMPUS_DATA to the folder of real inputs)\n", path);
        skip();
    }
    struct buffer bytes;
    buffer_init(&bytes, (size_t)256 << 20);
    char piece[65536];
    for (int got; (got = gzread(file, piece, sizeof piece)) > 0;) {
        buffer_append(&bytes, piece, (size_t)got);
    }
    (void)gzclose(file);
    assert_int_equal(buffer_status(&bytes), STATUS_OK);
    char *copy = arena_copy_text(arena, bytes.data, bytes.size);
    assert_non_null(copy);
    struct text text = {copy, bytes.size};
    buffer_release(&bytes);
    return text;
}

json_t *real_json(const char *name)
{
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, (size_t)256 << 20);
    struct text text = real_text(name, &arena);
    json_t *json = json_loadb(text.at, text.length, 0, NULL);
    arena_release(&arena);
    assert_non_null(json);
    return json;
}

json_t *real_next_line(struct text *at)
{
    while (at->length > 0) {
        const char *stop = memchr(at->at, '\n', at->length);
        size_t length = stop != NULL ? (size_t)(stop - at->at) : at->length;
        json_t *json = json_loadb(at->at, length, JSON_ALLOW_NUL, NULL);
        size_t step = length < at->length ? length + 1 : length;
        at->at += step;
        at->length -= step;
        if (length > 0) {
            assert_non_null(json);
            return json;
        }
    }
    return NULL;
}
