/*
 * real_data.h - files of the folder of real inputs: $CAMPUS_DATA, else ../shared/data beside the
 * tree.
 */
#ifndef TESTS_GEO_REAL_DATA_H
#define TESTS_GEO_REAL_DATA_H

#include <jansson.h>

#include "base/arena.h"
#include "base/text.h"

/* The file, unpacked, in the arena. Where it is absent the test says so and is skipped. */
struct text real_text(const char *name, struct arena *arena);
json_t *real_json(const char *name);
/* One value from a file of a value a line; NULL after the last. Begin with *at = whole text. */
json_t *real_next_line(struct text *at);

#endif
