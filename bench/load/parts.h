/*
 * parts.h - what each part of the system takes of the machine, from /proc.
 * Know: a part has a name and any number of processes; what a process begot belongs to it. CPU of
 * children that ended is not lost: their parent has it as soon as it waited for them. A process
 * that ended is told apart from another that got its number.
 * Units: seconds of CPU since parts_new; cores are seconds of CPU a second; bytes.
 * Memory: own; what parts_look wrote is the caller's.
 * Threads: one.
 */
#ifndef BENCH_LOAD_PARTS_H
#define BENCH_LOAD_PARTS_H

#include <stdint.h>

#include "base/status.h"

#define PARTS_MAX      16u
#define PART_NAME_MAX  24u
#define PARTS_PIDS_MAX 256u

struct parts;

/* proc: "/proc". STATUS_UNAVAILABLE: it is no such folder. */
enum status parts_new(const char *proc, struct parts **ret,
                      struct status_detail *detail) MUST_CHECK;
void parts_free(struct parts *parts);
/* STATUS_NOT_FOUND: no such process; STATUS_INVALID: the name (letters, digits, - and _);
 * STATUS_FULL. */
enum status parts_add(struct parts *parts, const char *name, int64_t pid,
                      struct status_detail *detail) MUST_CHECK;
/* The same from "NAME=PID". */
enum status parts_add_words(struct parts *parts, const char *words,
                            struct status_detail *detail) MUST_CHECK;

struct part_use {
    char name[PART_NAME_MAX];
    uint32_t processes; /* that run, children included */
    uint32_t ended;     /* of those named with parts_add */
    double cpu_s;
    double busiest_s; /* of the thread that was the busiest between two looks, summed up */
    uint64_t rss_bytes;
};

/* What was used until a look. */
struct parts_use {
    int64_t at_us;
    uint32_t cpus;
    double machine_s; /* by everybody on this machine */
    double stolen_s;  /* by other guests of the host, while somebody here wanted to run */
    uint32_t count;
    struct part_use parts[PARTS_MAX];
};

/* now_us: of clock_mono_us. A /proc that cannot be read leaves the figures as they were. */
void parts_look(struct parts *parts, int64_t now_us, struct parts_use *ret);

/* Cores between two looks. */
struct parts_rates {
    double machine, stolen, others; /* others: what no part took */
    double cores[PARTS_MAX], busiest[PARTS_MAX];
};
void parts_between(const struct parts_use *from, const struct parts_use *to,
                   struct parts_rates *ret);

#endif
