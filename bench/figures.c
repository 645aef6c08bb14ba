#include "bench/figures.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

void figures_add(struct figures *figures, const char *key, double value)
{
    ASSERT(figures->count < FIGURES_MAX && isfinite(value));
    ASSERT(strlen(key) < FIGURE_KEY_BYTES_MAX && strpbrk(key, "\"\\") == NULL);
    (void)snprintf(figures->items[figures->count].key, FIGURE_KEY_BYTES_MAX, "%s", key);
    figures->items[figures->count++].value = value;
}

enum status figures_write(const struct figures *figures, const char *path,
                          struct status_detail *detail)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    (void)fputs("{\"figures\": {", file);
    for (uint32_t i = 0; i < figures->count; i++) {
        (void)fprintf(file, "%s\n  \"%s\": %.9g", i > 0 ? "," : "", figures->items[i].key,
                      figures->items[i].value);
    }
    (void)fputs("\n}}\n", file);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        return status_detail_set(detail, STATUS_IO, "%s: not written: %s", path, strerror(errno));
    }
    return STATUS_OK;
}
