/*
 * figures.h - the results of a benchmark as the file that --json names: {"figures":
 * {"geo.x": 27.1}}.
 * Know: a key once published keeps its meaning. `./campus bench` puts machine and
 * commit before it.
 * Memory: the caller's; keys are copied.
 * Threads: one.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdint.h>

#include "base/status.h"

#define FIGURES_MAX          512u
#define FIGURE_KEY_BYTES_MAX 64u

struct figures {
    uint32_t count;
    struct {
        char key[FIGURE_KEY_BYTES_MAX];
        double value;
    } items[FIGURES_MAX];
};

void figures_add(struct figures *figures, const char *key, double value);
/* STATUS_IO with the file's name in detail. */
enum status figures_write(const struct figures *figures, const char *path,
                          struct status_detail *detail) MUST_CHECK;

#endif
