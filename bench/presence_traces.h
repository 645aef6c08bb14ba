/*
 * presence_traces.h - real day traces of phones through the engine and the rules of peers, held
 * against the stays that the traces show (presence_stays.h).
 * Know: a circle of 100 m lies round each place of a stay, in one set for all traces. Each trace is a
 * pupil of its own. Before it and after it the phone lies far away for ten minutes: so every circle is
 * known and "outside" when it begins, as it is to who carried a card the day before, and every stay
 * has an entry and an exit: true events are stays x 2. Fixes go in by the time at which they were
 * written, which is their arrival; device times that proto/check.c refuses are left out.
 * Memory: traces_release frees all.
 * Threads: one.
 */
#ifndef BENCH_PRESENCE_TRACES_H
#define BENCH_PRESENCE_TRACES_H

#include "base/arena.h"
#include "base/status.h"
#include "bench/figures.h"
#include "bench/presence_rules.h"
#include "bench/presence_stays.h"
#include "core/directory.h"
#include "core/engine.h"

enum { TRACES_MAX = 32, TRACE_STAYS_MAX = 64 };

struct trace_fix {
    int64_t arrival_ms;
    struct stay_fix fix;
};

struct trace {
    const char *name;
    struct trace_fix *fixes; /* by arrival */
    struct stay_fix *usable; /* by their own time */
    uint32_t fix_count, usable_count;
    struct stay stays[TRACE_STAYS_MAX];
    uint32_t stay_count;
    uint32_t found[RULES + 1];  /* stays with an entry or exit within 10 min of them */
    uint32_t raised[RULES + 1]; /* the engine's first */
};

struct trace_alert {
    uint32_t trace, place, rule; /* 0: the engine */
    bool entered;
    int64_t time_ms, raised_ms;
};

struct traces {
    struct arena arena;
    struct trace items[TRACES_MAX];
    uint32_t count;
    struct geo_point places[TRACES_MAX * TRACE_STAYS_MAX];
    uint32_t place_count;
    struct directory *directory;
    struct fence_set *fences; /* fence place + 1 */
    struct engine *engine;
    struct rule rules[RULES];
    struct trace_alert *alerts;
    uint32_t alert_count;
};

/* Reads the file, finds stays and places, runs all. STATUS_NOT_FOUND where the file is absent, what
 * reading it and making the engine return. */
enum status traces_run(struct traces *traces, const char *path,
                       struct status_detail *detail) MUST_CHECK;
void traces_release(struct traces *traces);

/* Runs the traces in the folder of real inputs ($CAMPUS_DATA), prints two tables and adds the figures;
 * without the file says that it skips them. CLI_OK or CLI_FAILED. */
int traces_bench(struct figures *figures);

#endif
