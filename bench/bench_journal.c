/* bench-journal: how many records a second become durable, and how long a sync takes. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/text.h"
#include "bench/figures.h"
#include "bench/folder.h"
#include "cli/cli.h"
#include "storage/journal.h"

static const char usage[] =
    "bench-journal [--quick] [--json FILE] [--directory DIR] [--seconds N]\n"
    "  --directory  on the disk that is to be measured (default: the working directory)\n"
    "  --seconds    of each run (default 5)\n"
    "  Each line keeps so many records on the way and appends one for each that became durable.";

enum { WINDOW_LARGE = 8192, SIZE_MAX_BYTES = 256 };

struct run {
    struct journal *journal;
    size_t size;
    uint32_t window;
    int64_t start_us, stop_us; /* by clock_mono_us */
    uint64_t appended, durable, bytes_sum;
    int64_t last_us;
    bool closing, failed;
    struct histogram syncs_us;
};

static void append_up_to_window(struct run *run)
{
    unsigned char data[SIZE_MAX_BYTES] = {0};
    while (run->appended - run->durable < run->window) {
        uint64_t end;
        memcpy(data, &run->appended, sizeof run->appended);
        if (journal_append(run->journal, 1, data, run->size, &end) != STATUS_OK) {
            return; /* full: the next on_durable goes on */
        }
        run->appended++;
    }
}

static void on_record(void *context, const struct journal_record *record)
{
    struct run *run = context;
    run->durable++;
    run->bytes_sum += record->size;
}

static void on_durable(void *context, uint64_t pos)
{
    struct run *run = context;
    (void)pos;
    struct journal_stats stats;
    journal_stats(run->journal, &stats);
    histogram_add(&run->syncs_us, stats.sync_us_last);
    run->last_us = clock_mono_us();
    if (run->last_us < run->stop_us) {
        append_up_to_window(run);
    } else if (!run->closing) {
        run->closing = true;
        journal_close(run->journal, NULL, NULL);
    }
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct run *run = context;
    (void)status;
    (void)cli_fail("%s", detail->text);
    run->failed = true;
    if (!run->closing) {
        run->closing = true;
        journal_close(run->journal, NULL, NULL);
    }
}

/* One journal in a folder of its own, gone afterwards. */
static bool measure(struct run *run, const char *directory, double seconds)
{
    char path[BENCH_FOLDER_BYTES];
    struct status_detail detail;
    if (bench_folder_make(directory, "bench-journal", path, &detail) != STATUS_OK) {
        (void)cli_fail("%s", detail.text);
        return false;
    }
    uv_loop_t loop;
    bool good = false;
    struct journal_options options = {.directory = path};
    struct journal_callbacks callbacks = {run, on_record, on_durable, on_trouble};
    if (uv_loop_init(&loop) != 0) {
        (void)cli_fail("no event loop");
        goto remove;
    }
    if (journal_open(&loop, &options, &callbacks, &run->journal, &detail) != STATUS_OK) {
        (void)cli_fail("%s", detail.text);
        goto close_loop;
    }
    run->start_us = clock_mono_us();
    run->stop_us = run->start_us + (int64_t)(seconds * 1e6);
    append_up_to_window(run);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    good = !run->failed;
close_loop:
    (void)uv_loop_close(&loop);
remove:
    bench_folder_remove(path);
    return good;
}

static double per_second(const struct run *run)
{
    return (double)run->durable * 1e6 / (double)(run->last_us - run->start_us);
}

static void print_run(const struct run *run)
{
    (void)printf("%6zu %9u %12.0f %9.1f %8llu %10.3f %10.3f %10.3f\n", run->size, run->window,
                 per_second(run), (double)run->bytes_sum / (double)(run->last_us - run->start_us),
                 (unsigned long long)run->syncs_us.count,
                 (double)histogram_percentile(&run->syncs_us, 50) / 1000,
                 (double)histogram_percentile(&run->syncs_us, 99) / 1000,
                 (double)run->syncs_us.max / 1000);
    (void)fflush(stdout);
}

static void add_figures(struct figures *figures, const struct run *run)
{
    char key[FIGURE_KEY_BYTES_MAX];
    if (run->window == WINDOW_LARGE) {
        (void)snprintf(key, sizeof key, "journal.records_per_s_%zu", run->size);
        figures_add(figures, key, per_second(run));
    } else if (run->window == 1 && run->size == 64) {
        figures_add(figures, "journal.lone_records_per_s", per_second(run));
        figures_add(figures, "journal.fdatasync_median_ms",
                    (double)histogram_percentile(&run->syncs_us, 50) / 1000);
        figures_add(figures, "journal.fdatasync_p99_ms",
                    (double)histogram_percentile(&run->syncs_us, 99) / 1000);
    }
}

int main(int argc, char **argv)
{
    const char *json = NULL, *directory = ".", *seconds_text = NULL;
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--directory", &directory, NULL},
                                         {"--seconds", &seconds_text, NULL},
                                         {"--quick", NULL, &quick},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    double seconds = quick ? 1 : 5;
    if (words > 1 ||
        (seconds_text != NULL && (text_to_double(text_of(seconds_text), &seconds) != STATUS_OK ||
                                  seconds <= 0 || seconds > 3600))) {
        return cli_usage(usage, "seconds are a number above 0, 3600 at most");
    }
    static const struct {
        size_t size;
        uint32_t window;
    } runs[] = {{64, 1}, {64, 64}, {64, WINDOW_LARGE}, {256, 1}, {256, 64}, {256, WINDOW_LARGE}};
    static struct run run;
    struct figures figures = {0};
    (void)printf(
        "bytes on the way    records/s      MB/s    syncs  median ms     p99 ms     max ms\n");
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        run = (struct run){.size = runs[i].size, .window = runs[i].window};
        if (!measure(&run, directory, seconds)) {
            return CLI_FAILED;
        }
        print_run(&run);
        add_figures(&figures, &run);
    }
    struct status_detail detail;
    if (json != NULL && figures_write(&figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return CLI_OK;
}
