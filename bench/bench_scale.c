/*
 * bench-scale: the same way as bench-intake's, from a school district to a province: CPU time an event and
 * memory a card. Each size runs in a process of its own, so that its memory is its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/figures.h"
#include "bench/geo_race.h"
#include "bench/intake_load.h"
#include "cli/cli.h"

static const char usage[] =
    "bench-scale [--quick] [--cards N] [--json FILE] [--directory DIR]\n"
    "  --cards N    those sizes alone that have so many\n"
    "  --directory  where the journals lie (default: the working directory)\n"
    "  --quick      without a million cards";

enum {
    WARM_FIXES_A_CARD = 40, /* until every pupil's surroundings are known */
    ROUNDS_FULL = 16,
    ROUNDS_QUICK = 4,
};

struct size {
    uint32_t cards, schools, zones;
};
static const struct size sizes[] = {
    {1000, 206, 2000},      {10000, 206, 2000},      {134000, 206, 2000},
    {1000000, 2000, 16000}, {1000000, 20000, 16000},
};
enum { SIZES = sizeof sizes / sizeof sizes[0], SIZES_QUICK = 3 };

struct result {
    struct size size;
    uint32_t fences;
    double ns, best_ns, bytes_a_card, own_bytes_a_card, build_s;
    struct status_detail detail; /* "": it went well */
};

static double cpu_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Bytes in memory, without what is free within the heap. */
static double resident_bytes(void)
{
    unsigned long all = 0, resident = 0;
    (void)malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &all, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(file);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static bool take_round(struct intake *intake, struct intake_load *load,
                       struct status_detail *detail)
{
    const uint32_t messages = intake_load_cards(load, INTAKE_ROUND);
    return messages > 0 && intake_take(intake, load->messages, messages, detail) == STATUS_OK;
}

static bool measure(struct intake *intake, struct intake_load *load, uint32_t rounds,
                    struct result *ret)
{
    static double ns[ROUNDS_FULL];
    const uint64_t warm = (uint64_t)load->city->cards * WARM_FIXES_A_CARD;
    bool ok = true;
    while (ok && load->events < warm) {
        ok = take_round(intake, load, &ret->detail);
    }
    for (uint32_t i = 0; ok && i < rounds; i++) {
        const uint32_t messages = intake_load_cards(load, INTAKE_ROUND);
        const double start_ns = cpu_now_ns();
        ok = messages > 0 &&
             intake_take(intake, load->messages, messages, &ret->detail) == STATUS_OK;
        ns[i] = (cpu_now_ns() - start_ns) / INTAKE_ROUND;
    }
    if (ok) {
        ret->ns = bench_median(ns, rounds); /* sorts */
        ret->best_ns = ns[0];
    }
    return ok && intake_check(intake, load->events, &ret->detail) == STATUS_OK;
}

/* The process ends after it: what it used goes with it. */
static void run_size(const char *directory, uint32_t rounds, struct result *ret)
{
    struct intake_city city;
    struct intake_load load;
    struct intake *intake = NULL;
    ret->detail = (struct status_detail){"no memory"};
    if (!intake_city_make(&city, ret->size.cards, ret->size.schools, ret->size.zones) ||
        !intake_load_make(&load, &city) || intake_load_cards(&load, INTAKE_ROUND) == 0) {
        return;
    }
    load.events = 0; /* that round made the memory of the load known; it is not sent */
    memset(load.sent, 0, ((size_t)city.cards + 1) * sizeof *load.sent);
    const double before = resident_bytes(), start_ns = bench_now_ns();
    if (intake_new(&city, directory, &intake, &ret->detail) != STATUS_OK) {
        return;
    }
    ret->build_s = (bench_now_ns() - start_ns) / 1e9;
    if (measure(intake, &load, rounds, ret)) {
        struct intake_stats stats;
        intake_stats(intake, &stats);
        const double cards = ret->size.cards;
        ret->fences = ret->size.schools * CITY_SCHOOL_FENCES + ret->size.zones;
        ret->bytes_a_card = (resident_bytes() - before) / cards;
        ret->own_bytes_a_card = (double)(stats.state_bytes + stats.registry_bytes +
                                         stats.fence_bytes + stats.window_bytes) /
                                cards;
        ret->detail.text[0] = '\0';
        (void)fprintf(stderr,
                      "%u cards: engine %zu, registry %zu, fences %zu, windows %zu bytes; %" PRIu64
                      " alerts, %" PRIu64 " presences, checksum %016" PRIx64 "\n",
                      ret->size.cards, stats.state_bytes, stats.registry_bytes, stats.fence_bytes,
                      stats.window_bytes, stats.alerts, stats.engine.presences, stats.checksum);
    }
    intake_free(intake);
}

/* False: no process. What went wrong within it is told by the result. */
static bool run_apart(const char *directory, uint32_t rounds, struct result *result)
{
    int ends[2], state = 0;
    if (pipe(ends) != 0) {
        return false;
    }
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        run_size(directory, rounds, result);
        _exit(write(ends[1], result, sizeof *result) == (ssize_t)sizeof *result ? 0 : 1);
    }
    (void)close(ends[1]);
    bool whole = child > 0 && read(ends[0], result, sizeof *result) == (ssize_t)sizeof *result;
    (void)close(ends[0]);
    return child > 0 && waitpid(child, &state, 0) == child && whole;
}

/* The province of 20,000 schools gives the figures of a million cards. */
static void add_figures(struct figures *figures, const struct result *results, uint32_t count)
{
    char key[FIGURE_KEY_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        const bool again = i + 1 < count && results[i + 1].size.cards == results[i].size.cards;
        const char *which = again ? "_towns" : "";
        (void)snprintf(key, sizeof key, "scale.ns_%u%s", results[i].size.cards, which);
        figures_add(figures, key, results[i].ns);
        (void)snprintf(key, sizeof key, "scale.bytes_per_card_%u%s", results[i].size.cards, which);
        figures_add(figures, key, results[i].bytes_a_card);
        (void)snprintf(key, sizeof key, "scale.own_bytes_per_card_%u%s", results[i].size.cards,
                       which);
        figures_add(figures, key, results[i].own_bytes_a_card);
    }
    if (count == SIZES) { /* to a million, or it is another figure */
        figures_add(figures, "scale.growth", results[count - 1].ns / results[0].ns);
    }
}

/* What a page draws, before the figures. */
static enum status write_json(const struct figures *figures, const struct result *results,
                              uint32_t count, const char *path, struct status_detail *detail)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    (void)fputs("{\"scale\": [", file);
    for (uint32_t i = 0; i < count; i++) {
        const struct result *result = &results[i];
        (void)fprintf(file,
                      "%s\n  {\"cards\": %u, \"schools\": %u, \"fences\": %u, \"ns\": %.1f, "
                      "\"ns_best\": %.1f, \"bytes_per_card\": %.1f, \"own_bytes_per_card\": %.1f}",
                      i > 0 ? "," : "", result->size.cards, result->size.schools, result->fences,
                      result->ns, result->best_ns, result->bytes_a_card, result->own_bytes_a_card);
    }
    (void)fputs("],\n \"figures\": {", file);
    for (uint32_t i = 0; i < figures->count; i++) {
        (void)fprintf(file, "%s\n  \"%s\": %.9g", i > 0 ? "," : "", figures->items[i].key,
                      figures->items[i].value);
    }
    (void)fputs("\n}}\n", file);
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        return status_detail_set(detail, STATUS_IO, "%s: not written: %s", path, strerror(errno));
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *directory = ".", *cards = NULL;
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--directory", &directory, NULL},
                                         {"--cards", &cards, NULL},
                                         {"--quick", NULL, &quick},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (words > 1) {
        return cli_usage(usage, "no word is expected");
    }
    static struct result results[SIZES];
    static struct figures figures;
    uint32_t count = 0;
    for (uint32_t i = 0; i < (quick ? SIZES_QUICK : SIZES); i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", sizes[i].cards);
        if (cards == NULL || strcmp(cards, name) == 0) {
            results[count++].size = sizes[i];
        }
    }
    if (count == 0) {
        return cli_usage(usage, "--cards: 1000, 10000, 134000 or 1000000");
    }
    (void)printf("%9s %8s %8s %8s %8s %12s %14s %8s\n", "cards", "schools", "fences", "CPU ns",
                 "best", "bytes/card", "by own count", "built, s");
    for (uint32_t i = 0; i < count; i++) {
        struct result *result = &results[i];
        if (!run_apart(directory, quick ? ROUNDS_QUICK : ROUNDS_FULL, result)) {
            return cli_fail("%u cards: the process did not end well (is there memory for it?)",
                            result->size.cards);
        }
        if (result->detail.text[0] != '\0') {
            return cli_fail("%u cards: %s", result->size.cards, result->detail.text);
        }
        (void)printf("%9u %8u %8u %8.1f %8.1f %12.1f %14.1f %8.1f\n", result->size.cards,
                     result->size.schools, result->fences, result->ns, result->best_ns,
                     result->bytes_a_card, result->own_bytes_a_card, result->build_s);
        (void)fflush(stdout);
    }
    add_figures(&figures, results, count);
    (void)printf("an event costs %.2f times as much for %u cards as for %u\n",
                 results[count - 1].ns / results[0].ns, results[count - 1].size.cards,
                 results[0].size.cards);
    struct status_detail detail;
    if (json != NULL && write_json(&figures, results, count, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return CLI_OK;
}
