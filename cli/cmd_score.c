/* campusctl score: alerts beside what truly happened. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/score_files.h"

static const char usage[] =
    "campusctl score --truth TRUTH.csv --alerts ALERTS.jsonl [--brief SECONDS]\n"
    "  TRUTH.csv: the true crossings, as campus-sim day --truth writes them, with a header line\n"
    "    card (or pupil), fence, time, event   and, where known, kind (school, place, danger)\n"
    "  times are Unix seconds or RFC 3339; event is entered, left or danger\n"
    "  ALERTS.jsonl: one JSON object a line, as campusctl replay prints them or campusd sends them\n"
    "    (CloudEvents); types other than entered, left and danger are skipped and counted\n"
    "  --brief 60  a crossing undone in less is brief, as is the one that undoes it: neither found\n"
    "              nor missed, and an alert of it is not false\n"
    "  an alert finds a crossing of its card (or pupil), fence and type that lies within earliest_ms\n"
    "  and latest_ms (time_ms without them), give or take 10 min, and is raised after it; a second\n"
    "  one is double, one without a crossing false\n"
    "  a danger zone entered is danger, left it is nothing: the kind tells which fence is one, or the\n"
    "  event danger; entering and leaving a place are rows of their own\n"
    "  prints one table; times in seconds; - reads standard input";

enum { TABLE_BYTES_MAX = 4096 };
#define BRIEF_S_DEFAULT 60
#define BRIEF_S_MAX     86400

static bool has_anything(const struct score_kind *kind)
{
    return kind->crossings + kind->brief + kind->wrong + kind->doubled + kind->of_brief > 0;
}

static int print_table(const struct score *score)
{
    struct buffer table;
    buffer_init(&table, TABLE_BYTES_MAX);
    score_head(&table);
    buffer_text(&table, "\n");
    for (int type = SCORE_ENTERED; type < SCORE_TYPES; type++) {
        if (type <= SCORE_DANGER || has_anything(&score->kinds[type])) {
            score_row(score, (enum score_type)type, &table);
            buffer_text(&table, "\n");
        }
    }
    bool written = fwrite(buffer_cstr(&table), 1, table.size, stdout) == table.size &&
                   table.size > 0 && fflush(stdout) == 0;
    buffer_release(&table);
    return written ? CLI_OK : cli_fail("standard output takes no more");
}

static void tell_left_out(const struct score_files *files)
{
    if (files->skipped > 0) {
        (void)cli_fail("%s: %u alerts of other types are not scored", files->alerts_path,
                       files->skipped);
    }
    if (files->unforeseen > 0) {
        (void)cli_fail("%s: %u danger alerts are of fences that are no danger zones in %s: give it "
                       "the column kind, or danger as their event",
                       files->alerts_path, files->unforeseen, files->truth_path);
    }
}

static int run(const char *truth_path, const char *alerts_path, int64_t brief_ms)
{
    static struct score result;
    struct score_files files;
    struct status_detail detail = {{0}};
    if (score_files_read(&files, truth_path, alerts_path, &detail) != STATUS_OK) {
        score_files_release(&files);
        return cli_fail("%s", detail.text);
    }
    score(files.crossings, files.crossing_count, files.alerts, files.alert_count, brief_ms,
          &result);
    tell_left_out(&files);
    score_files_release(&files);
    return print_table(&result);
}

int cmd_score(int argc, char **argv)
{
    const char *truth_path = NULL, *alerts_path = NULL, *brief = NULL;
    bool help = false;
    const struct cli_option options[] = {{"--truth", &truth_path, NULL},
                                         {"--alerts", &alerts_path, NULL},
                                         {"--brief", &brief, NULL},
                                         {"--help", NULL, &help},
                                         {0}};
    int words = 0;
    if (cli_options(argc, argv, options, usage, &words) != CLI_OK) {
        return CLI_USAGE;
    }
    if (help) {
        (void)printf("usage: %s\n", usage);
        return CLI_OK;
    }
    if (words > 1 || truth_path == NULL || alerts_path == NULL) {
        return cli_usage(usage, "score needs --truth and --alerts");
    }
    if (strcmp(truth_path, "-") == 0 && strcmp(alerts_path, "-") == 0) {
        return cli_usage(usage, "only one of --truth and --alerts can be standard input");
    }
    double brief_s = BRIEF_S_DEFAULT;
    if (brief != NULL && (text_to_double(text_of(brief), &brief_s) != STATUS_OK || brief_s < 0 ||
                          brief_s > BRIEF_S_MAX)) {
        return cli_usage(usage, "--brief: \"%s\" is no number of seconds from 0 to %d", brief,
                         BRIEF_S_MAX);
    }
    return run(truth_path, alerts_path, (int64_t)(brief_s * 1000));
}
