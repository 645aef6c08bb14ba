/* bench-archive: rows a second into the archive, bytes an event flat and sealed, what people ask. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "bench/archive_city.h"
#include "bench/archive_race.h"
#include "bench/figures.h"
#include "cli/cli.h"
#include "storage/registry.h"

static const char usage[] =
    "bench-archive --pg CONNINFO [--quick] [--json FILE] [--directory DIR] [--events N] [--rows N]\n"
    "  --pg         a database that may be filled and thrown away (./campus bench makes one)\n"
    "  --directory  for the journal, on the disk that is to be measured (default: the working one)\n"
    "  --events     that the questions are asked of (default 20000000; quick 400000)\n"
    "  --rows       of each turn of the race (default 1500000; quick 300000)\n"
    "  --batch-rows of one transaction (default 50000, as archive.batch_rows)";

enum { COPY_EVENTS = 1000000, ASKED = 7, SEAL_ROWS = 200000 };

struct bench {
    PGconn *conn;
    struct figures figures;
    struct status_detail detail;
    uint32_t events, cards;
};

/* $1: a number from 1 that differs from time to time, so that nobody asks the same twice. */
static const struct question {
    const char *name, *words, *sql;
} questions[] = {
    {"track", "a card's track of a day",
     "SELECT count(*), sum(lat) FROM campus.track('c' || $1, '2026-03-02')"},
    {"box", "all cards in a box of 700 m in ten minutes",
     "SELECT count(*), sum(fixes) FROM campus.cards_in_box(36.2 + $1::int * 0.007,"
     " 113.12 + $1::int * 0.008, 36.2065 + $1::int * 0.007, 113.1278 + $1::int * 0.008,"
     " timestamptz '2026-03-02 01:00+00' + $1::int * interval '3 minutes',"
     " timestamptz '2026-03-02 01:10+00' + $1::int * interval '3 minutes')"},
    {"passes", "a school's gate passes of a morning",
     "SELECT count(*), min(\"time\") FROM campus.school_passes('s' || $1,"
     " '2026-03-01 22:00+00', '2026-03-02 04:00+00')"},
    {"alerts", "alerts of a school of a day",
     "SELECT count(*), min(id) FROM campus.school_alerts('s' || $1,"
     " '2026-03-01 16:00+00', '2026-03-02 16:00+00')"},
};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

struct answers {
    double ms[QUESTIONS];
    char words[QUESTIONS][ASKED][64];
};

static enum status run(struct bench *bench, const char *sql)
{
    return archive_race_run(bench->conn, sql, &bench->detail);
}

/* A number of the server; NULL counts as -1. */
static enum status ask(struct bench *bench, const char *sql, double *ret)
{
    PGresult *result = PQexec(bench->conn, sql);
    enum status status = STATUS_OK;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        status = status_detail_set(&bench->detail, STATUS_UNAVAILABLE, "%.100s: %.200s", sql,
                                   PQerrorMessage(bench->conn));
    } else {
        *ret = PQgetisnull(result, 0, 0) ? -1 : strtod(PQgetvalue(result, 0, 0), NULL);
    }
    PQclear(result);
    return status;
}

/* ---- the city ---- */

static enum status make_registry(struct bench *bench)
{
    char sql[1600];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT campus.archive_day('2026-03-02');"
        "INSERT INTO campus.school SELECT n, 's' || n, 'school', 'county' FROM generate_series(1, %u) n;"
        "INSERT INTO campus.gate SELECT n, 'g' || n, 'gate', n FROM generate_series(1, %u) n;"
        "INSERT INTO campus.pupil SELECT n, 'p' || n, 'pupil', 1 + n %% %u, '1' FROM generate_series(1, %u) n;"
        "INSERT INTO campus.card SELECT n, 'c' || n, n FROM generate_series(1, %u) n;"
        "INSERT INTO campus.pass SELECT t, t, 1, 7, n, 1 + n %% %u, 0, 1, 0, 0 FROM generate_series(1, %u) n,"
        " LATERAL (SELECT timestamptz '2026-03-02 00:00+00' + random() * interval '1 hour' AS t) x ORDER BY t;"
        "INSERT INTO campus.alert SELECT t, t, 'a' || n, 'arrived', 'info', 1 + n %% %u, n, n, 1, 1, 0, false,"
        " '{}' FROM generate_series(1, %u) n,"
        " LATERAL (SELECT timestamptz '2026-03-02 00:00+00' + random() * interval '1 hour' AS t) x ORDER BY t",
        ARCHIVE_CITY_SCHOOLS, ARCHIVE_CITY_SCHOOLS, ARCHIVE_CITY_SCHOOLS, bench->cards,
        bench->cards, ARCHIVE_CITY_SCHOOLS, bench->cards, ARCHIVE_CITY_SCHOOLS, bench->cards);
    return run(bench, sql);
}

static enum status load(struct bench *bench)
{
    enum status status = run(bench, "TRUNCATE campus.fix_flat");
    for (uint64_t n = 0; status == STATUS_OK && n < bench->events; n += COPY_EVENTS) {
        uint64_t end = n + COPY_EVENTS < bench->events ? n + COPY_EVENTS : bench->events;
        status = archive_race_copy(bench->conn, n, end, bench->cards, &bench->detail);
    }
    return status == STATUS_OK ? run(bench, "VACUUM ANALYZE") : status;
}

static enum status bytes_of(struct bench *bench, const char *parent, const char *key)
{
    char sql[160];
    double bytes = 0;
    (void)snprintf(sql, sizeof sql,
                   "SELECT sum(pg_total_relation_size(part)) FROM"
                   " campus.archive_partitions('campus.%s')",
                   parent);
    enum status status = ask(bench, sql, &bytes);
    if (status == STATUS_OK) {
        figures_add(&bench->figures, key, bytes / bench->events);
        (void)printf("%-46s %10.1f\n", key, bytes / bench->events);
    }
    return status;
}

/* ---- questions ---- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum status ask_question(struct bench *bench, uint32_t which, struct answers *answers)
{
    double ms[ASKED];
    for (uint32_t i = 0; i < ASKED; i++) {
        char number[16];
        const char *const params[] = {number};
        (void)snprintf(number, sizeof number, "%u", i + 1);
        int64_t before_us = clock_mono_us();
        PGresult *result =
            PQexecParams(bench->conn, questions[which].sql, 1, NULL, params, NULL, NULL, 0);
        ms[i] = (double)(clock_mono_us() - before_us) / 1000;
        bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
        if (good) {
            (void)snprintf(answers->words[which][i], sizeof answers->words[which][i], "%s %.40s",
                           PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
        }
        PQclear(result);
        if (!good) {
            return status_detail_set(&bench->detail, STATUS_UNAVAILABLE, "%s: %.300s",
                                     questions[which].name, PQerrorMessage(bench->conn));
        }
    }
    qsort(ms, ASKED, sizeof ms[0], by_size);
    answers->ms[which] = ms[ASKED / 2];
    return STATUS_OK;
}

static enum status ask_all(struct bench *bench, const char *form, struct answers *answers)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < QUESTIONS; i++) {
        status = ask_question(bench, i, answers);
        if (status == STATUS_OK) {
            char key[FIGURE_KEY_BYTES_MAX];
            (void)snprintf(key, sizeof key, "archive.%s_ms%s", questions[i].name, form);
            figures_add(&bench->figures, key, answers->ms[i]);
            (void)printf("%-46s %10.2f   %s: %s\n", key, answers->ms[i], questions[i].words,
                         answers->words[i][0]);
        }
    }
    return status;
}

static enum status seal(struct bench *bench)
{
    char sql[100];
    double fixes = 0;
    int64_t before_us = clock_mono_us();
    (void)snprintf(sql, sizeof sql, "SELECT campus.archive_seal('2026-03-03 00:00+00', %d)",
                   SEAL_ROWS);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && fixes >= 0) {
        status = ask(bench, sql, &fixes);
    }
    if (status == STATUS_OK) {
        double rate = bench->events * 1e6 / (double)(clock_mono_us() - before_us);
        figures_add(&bench->figures, "archive.sealed_per_s", rate);
        (void)printf("%-46s %10.0f\n", "archive.sealed_per_s", rate);
        status = run(bench, "VACUUM ANALYZE");
    }
    return status;
}

/* Both forms are asked the same, and must know the same. */
static enum status measure_forms(struct bench *bench)
{
    static struct answers flat, sealed;
    enum status status = make_registry(bench);
    if (status == STATUS_OK) {
        status = load(bench);
    }
    (void)printf("\n%u events of %u cards, median of %d\n", bench->events, bench->cards, ASKED);
    if (status == STATUS_OK) {
        status = bytes_of(bench, "fix_flat", "archive.bytes_per_event_flat");
    }
    if (status == STATUS_OK) {
        status = ask_all(bench, "_flat", &flat);
    }
    if (status == STATUS_OK) {
        status = seal(bench);
    }
    if (status == STATUS_OK) {
        status = bytes_of(bench, "fix_sealed", "archive.bytes_per_event");
    }
    if (status == STATUS_OK) {
        status = ask_all(bench, "", &sealed);
    }
    if (status == STATUS_OK && memcmp(flat.words, sealed.words, sizeof flat.words) != 0) {
        return status_detail_set(&bench->detail, STATUS_CORRUPT,
                                 "flat and sealed give different answers");
    }
    return status;
}

/* ---- race ---- */

static enum status race(struct bench *bench, const struct archive_race_options *options)
{
    struct archive_race_result result;
    (void)printf("%-8s %14s %14s %8s\n", "rows/s", "journal, COPY", "bare COPY", "ratio");
    enum status status = run(bench, "SELECT campus.archive_day('2026-03-02')");
    if (status == STATUS_OK) {
        status = archive_race(bench->conn, options, &result, &bench->detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (void)printf("%-8s %14.0f %14.0f %8.3f\n%-8s %14.0f %14.0f %8.3f\n", "best", result.ours_best,
                 result.bare_best, result.ours_best / result.bare_best, "median",
                 result.ours_median, result.bare_median, result.ours_median / result.bare_median);
    figures_add(&bench->figures, "archive.vs_bare_copy", result.ours_best / result.bare_best);
    figures_add(&bench->figures, "archive.vs_bare_copy_median",
                result.ours_median / result.bare_median);
    figures_add(&bench->figures, "archive.rows_per_s", result.ours_best);
    figures_add(&bench->figures, "archive.rows_per_s_median", result.ours_median);
    return STATUS_OK;
}

static enum status measure(struct bench *bench, const struct archive_race_options *options)
{
    enum status status = registry_connect(options->conninfo, &bench->conn, &bench->detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = registry_migrate(bench->conn, &bench->detail);
    if (status == STATUS_OK) {
        status = run(bench, "SET timezone = 'UTC'; SET client_min_messages = warning");
    }
    if (status == STATUS_OK) {
        status = race(bench, options);
    }
    if (status == STATUS_OK && bench->events > 0) {
        status = measure_forms(bench);
    }
    PQfinish(bench->conn);
    return status;
}

static bool number_of(const char *text, uint32_t initial, uint32_t low, uint32_t *ret)
{
    int64_t value = initial;
    if (text != NULL &&
        (text_to_i64(text_of(text), &value) != STATUS_OK || value < low || value > 1000000000)) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *directory = ".", *pg = NULL, *events = NULL, *rows = NULL,
               *batch = NULL;
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--directory", &directory, NULL},
                                         {"--pg", &pg, NULL},
                                         {"--events", &events, NULL},
                                         {"--rows", &rows, NULL},
                                         {"--quick", NULL, &quick},
                                         {"--batch-rows", &batch, NULL},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    static struct bench bench;
    struct archive_race_options race_options = {
        .conninfo = pg, .directory = directory, .turns = quick ? 3 : 5};
    if (words > 1 || pg == NULL ||
        !number_of(events, quick ? 400000 : 20000000, 0, &bench.events) ||
        !number_of(rows, quick ? 300000 : 1500000, 1, &race_options.rows) ||
        !number_of(batch, 50000, 1, &race_options.batch_rows)) {
        return cli_usage(usage, "--pg is needed, and whole numbers");
    }
    bench.cards = bench.events / ARCHIVE_CITY_MINUTES + 1;
    if (measure(&bench, &race_options) != STATUS_OK) {
        return cli_fail("%s", bench.detail.text);
    }
    struct status_detail detail;
    if (json != NULL && figures_write(&bench.figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return CLI_OK;
}
