/*
 * bench-intake: from a message of an MQTT broker to the outbox, durable on the way, in one process: CPU
 * time of all its threads for each event. The city of bench-geo, 134,000 cards at random.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/geo_race.h"
#include "bench/intake_load.h"
#include "cli/cli.h"

static const char usage[] =
    "bench-intake [--quick] [--json FILE] [--directory DIR] [--count cards|gateways]\n"
    "  --directory  where the journal lies (default: the working directory)";

enum {
    CARDS = CITY_HOMES,
    WARM_ROUNDS = 20, /* until every pupil's surroundings are known */
    /* what tools count runs fifty times as slowly: as many fixes a card, of fewer cards */
    COUNTED_CARDS = 8192,
    COUNTED_ROUND = 1 << 15,
    COUNTED_WARM_ROUNDS = 10,
    ROUNDS_FULL = 20,
    ROUNDS_QUICK = 4,
};

typedef uint32_t write_round(struct intake_load *load, uint32_t events);

struct bench {
    struct intake_city city;
    struct intake_load load;
    struct intake *intake;
    struct status_detail detail;
};

struct measured {
    double cpu_ns[ROUNDS_FULL], wall_ns[ROUNDS_FULL]; /* an event */
    double kernel_ns[ROUNDS_FULL];                    /* of the CPU time */
    double bursts_per_s[ROUNDS_FULL];
};

static double cpu_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double kernel_now_ns(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_stime.tv_sec * 1e9 + (double)used.ru_stime.tv_usec * 1e3;
}

/* Inside of it tools count instructions. */
__attribute__((noinline)) enum status intake_counted(struct bench *bench, uint32_t messages);
enum status intake_counted(struct bench *bench, uint32_t messages)
{
    return intake_take(bench->intake, bench->load.messages, messages, &bench->detail);
}

static bool run_round(struct bench *bench, write_round *write, uint32_t events)
{
    const uint32_t messages = write(&bench->load, events);
    return messages > 0 && intake_counted(bench, messages) == STATUS_OK;
}

static bool measure(struct bench *bench, write_round *write, uint32_t rounds, struct measured *ret)
{
    struct intake_stats before, after;
    for (uint32_t i = 0; i < rounds; i++) {
        const uint32_t messages = write(&bench->load, INTAKE_ROUND);
        intake_stats(bench->intake, &before);
        double wall_ns = bench_now_ns(), cpu_ns = cpu_now_ns(), kernel_ns = kernel_now_ns();
        if (messages == 0 || intake_counted(bench, messages) != STATUS_OK) {
            return false;
        }
        cpu_ns = cpu_now_ns() - cpu_ns;
        kernel_ns = kernel_now_ns() - kernel_ns;
        wall_ns = bench_now_ns() - wall_ns;
        intake_stats(bench->intake, &after);
        ret->cpu_ns[i] = cpu_ns / INTAKE_ROUND;
        ret->kernel_ns[i] = kernel_ns / INTAKE_ROUND;
        ret->wall_ns[i] = wall_ns / INTAKE_ROUND;
        ret->bursts_per_s[i] = (double)(after.bursts - before.bursts) * 1e9 / wall_ns;
    }
    return intake_check(bench->intake, bench->load.events, &bench->detail) == STATUS_OK;
}

static void print_row(const char *what, struct measured *measured, uint32_t rounds)
{
    const double cpu_ns = bench_median(measured->cpu_ns, rounds);
    const double wall_ns = bench_median(measured->wall_ns, rounds);
    (void)printf("%-26s %8.1f %8.1f %8.1f %14.0f %14.0f %10.0f\n", what, cpu_ns,
                 measured->cpu_ns[0], bench_median(measured->kernel_ns, rounds), 1e9 / cpu_ns,
                 1e9 / wall_ns, bench_median(measured->bursts_per_s, rounds));
}

static void tell(const struct bench *bench)
{
    struct intake_stats stats;
    intake_stats(bench->intake, &stats);
    (void)printf("%" PRIu64 " events in %" PRIu64 " records of the journal, %" PRIu64
                 " bytes, %" PRIu64 " syncs; %" PRIu64 " decided, %" PRIu64 " fixes, %" PRIu64
                 " presences; %" PRIu64 " alerts, checksum %016" PRIx64 "\n",
                 stats.ingest.events, stats.journal.records, stats.durable, stats.journal.syncs,
                 stats.decided, stats.engine.fixes, stats.engine.presences, stats.alerts,
                 stats.checksum);
}

static int run(struct bench *bench, uint32_t rounds, struct figures *figures)
{
    static struct measured cards, gateways, kept;
    for (uint32_t i = 0; i < WARM_ROUNDS; i++) {
        if (!run_round(bench, intake_load_cards, INTAKE_ROUND)) {
            return cli_fail("%s", bench->detail.text);
        }
    }
    if (!measure(bench, intake_load_cards, rounds, &cards) ||
        !measure(bench, intake_load_gateways, rounds, &gateways) ||
        !measure(bench, intake_load_kept, rounds, &kept)) {
        return cli_fail("%s", bench->detail.text);
    }
    (void)printf("%-26s %8s %8s %8s %14s %14s %10s\n", "", "CPU ns", "best", "kernel",
                 "events/CPU s", "events/s", "bursts/s");
    print_row("a message a fix", &cards, rounds);
    print_row("16 reports a message", &gateways, rounds);
    print_row("16 fixes a report", &kept, rounds);
    tell(bench);
    const double cpu_ns = bench_median(cards.cpu_ns, rounds);
    figures_add(figures, "load.inprocess_events_per_s", 1e9 / cpu_ns);
    figures_add(figures, "intake.cpu_ns_per_event", cpu_ns);
    figures_add(figures, "intake.cpu_ns_per_event_best", cards.cpu_ns[0]);
    figures_add(figures, "intake.kernel_ns_per_event", bench_median(cards.kernel_ns, rounds));
    figures_add(figures, "intake.wall_events_per_s", 1e9 / bench_median(cards.wall_ns, rounds));
    figures_add(figures, "intake.bursts_per_s", bench_median(cards.bursts_per_s, rounds));
    figures_add(figures, "intake.gateway_cpu_ns_per_event", bench_median(gateways.cpu_ns, rounds));
    figures_add(figures, "intake.gateway_wall_events_per_s",
                1e9 / bench_median(gateways.wall_ns, rounds));
    figures_add(figures, "intake.kept_cpu_ns_per_event", bench_median(kept.cpu_ns, rounds));
    figures_add(figures, "intake.kept_wall_events_per_s", 1e9 / bench_median(kept.wall_ns, rounds));
    return CLI_OK;
}

/* Tools look at the last round alone. */
static int run_counted(struct bench *bench, write_round *write)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < COUNTED_WARM_ROUNDS; i++) {
        const uint32_t messages = intake_load_cards(&bench->load, COUNTED_ROUND);
        ok = messages > 0 && intake_take(bench->intake, bench->load.messages, messages,
                                         &bench->detail) == STATUS_OK;
    }
    if (!ok || !run_round(bench, write, COUNTED_ROUND) ||
        intake_check(bench->intake, bench->load.events, &bench->detail) != STATUS_OK) {
        return cli_fail("%s", bench->detail.text);
    }
    (void)printf("%d times\n", COUNTED_ROUND);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *counted = NULL, *directory = ".";
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--count", &counted, NULL},
                                         {"--directory", &directory, NULL},
                                         {"--quick", NULL, &quick},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    const bool gateways = counted != NULL && strcmp(counted, "gateways") == 0;
    if (words > 1 || (counted != NULL && !gateways && strcmp(counted, "cards") != 0)) {
        return cli_usage(usage, words > 1 ? "no word is expected" : "what is to be counted?");
    }
    static struct bench bench = {.detail = {"no memory"}};
    static struct figures figures;
    const uint32_t cards = counted != NULL ? COUNTED_CARDS : CARDS;
    if (!intake_city_make(&bench.city, cards, CITY_SCHOOLS, CITY_ZONES) ||
        !intake_load_make(&bench.load, &bench.city) ||
        intake_new(&bench.city, directory, &bench.intake, &bench.detail) != STATUS_OK) {
        return cli_fail("%s", bench.detail.text);
    }
    outcome = counted != NULL
                  ? run_counted(&bench, gateways ? intake_load_gateways : intake_load_cards)
                  : run(&bench, quick ? ROUNDS_QUICK : ROUNDS_FULL, &figures);
    intake_free(bench.intake);
    intake_load_release(&bench.load);
    intake_city_release(&bench.city);
    struct status_detail detail;
    if (outcome == CLI_OK && json != NULL && figures_write(&figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return outcome;
}
