#include "cli/campus_sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define USAGE                                                                                        \
    "campus-sim day --city DIR (--broker mqtt://HOST[:PORT] | --out FILE.csv) [...]\n"               \
    "  --pupils 300      how many of the city's pupils\n"                                            \
    "  --start 07:00     --until 20:00, within 06:00 and 21:00\n"                                    \
    "  --interval 60     seconds between the fixes of a card\n"                                      \
    "  --seed 1          of the pupils' lives        --exact       cards and gates tell the truth\n" \
    "  --truth FILE.csv  writes the true crossings: pupil,card,fence,time,event,kind\n"              \
    "into a broker:\n"                                                                               \
    "  --speed 60        simulated seconds in a second\n"                                            \
    "  --repeat          one day after the other, each with other pupils, until stopped\n"           \
    "  --no-receipts     do not wait for campusd's receipts\n"                                       \
    "into a file:\n"                                                                                 \
    "  --out FILE.csv    fixes: card,time,lat,lon,accuracy_m,source,arrival,seq\n"                   \
    "  --others FILE.csv all else: card,time,arrival,kind,what,gate,seq\n"                           \
    "  --date 2026-03-02"

#define BLOCK_PUPILS 25u
#define PIECE_BYTES  65536u

/* ---- which pupils ---- */

uint32_t sim_choose_pupils(const struct sim_city *city, uint32_t count, uint32_t group,
                           uint32_t *ret)
{
    uint32_t all = city->options.pupils, blocks = all / BLOCK_PUPILS;
    uint32_t wanted = (count + BLOCK_PUPILS - 1) / BLOCK_PUPILS;
    uint32_t groups = blocks / wanted;
    if (groups == 0) { /* more than whole blocks hold: everybody up to the count */
        for (uint32_t i = 0; ret != NULL && i < count; i++) {
            ret[i] = i;
        }
        return 1;
    }
    for (uint32_t i = 0; ret != NULL && i < count; i++) {
        uint32_t block = i / BLOCK_PUPILS * groups + group % groups;
        ret[i] = block * BLOCK_PUPILS + i % BLOCK_PUPILS;
    }
    return groups;
}

/* ---- files ---- */

struct csv_out {
    struct sim_file file;
    struct buffer bytes;
    bool open;
    uint64_t rows;
};

static enum status csv_open(struct csv_out *out, const char *path, const char *header,
                            struct status_detail *detail)
{
    buffer_init(&out->bytes, (size_t)4 * PIECE_BYTES);
    out->open = path != NULL;
    if (!out->open) {
        return STATUS_OK;
    }
    buffer_text(&out->bytes, header);
    return sim_file_open(&out->file, NULL, path, detail);
}

static enum status csv_piece(struct csv_out *out, struct status_detail *detail)
{
    out->rows++;
    return out->bytes.size > PIECE_BYTES ? sim_file_write(&out->file, &out->bytes, detail)
                                         : STATUS_OK;
}

static enum status csv_finish(struct csv_out *out, struct status_detail *detail)
{
    if (!out->open) {
        return STATUS_OK;
    }
    enum status status = sim_file_write(&out->file, &out->bytes, detail);
    return status == STATUS_OK ? sim_file_commit(&out->file, detail) : status;
}

static void append_fix(const struct sim_report *report, struct buffer *out)
{
    static const char *const sources[] = {"", "gnss", "wifi", "cell"};
    char time[CLOCK_TEXT_MAX], arrival[CLOCK_TEXT_MAX];
    clock_format_rfc3339(report->time_ms, time);
    clock_format_rfc3339(report->arrival_ms, arrival);
    buffer_printf(out, "c%06u,%s,", report->pupil + 1, time);
    buffer_degrees_e7(out, report->point.lat_e7);
    buffer_text(out, ",");
    buffer_degrees_e7(out, report->point.lon_e7);
    buffer_printf(out, ",%u.%02u,%s,%s,%" PRIu64 "\n", report->accuracy_cm / 100,
                  report->accuracy_cm % 100, sources[report->source], arrival, report->seq);
}

static const char *what_of(const struct sim_report *report)
{
    static const char *const directions[] = {"unknown", "in", "out"};
    static const char *const signals[] = {"", "sos", "low_battery", "removed", "powered_off"};
    switch ((enum sim_report_kind)report->kind) {
    case SIM_PASS:
        return directions[report->direction];
    case SIM_SIGNAL:
        return signals[report->signal];
    case SIM_FIX:
    default:
        return "no_position";
    }
}

static void append_other(const struct sim_city *city, const struct sim_report *report,
                         struct buffer *out)
{
    static const char *const kinds[] = {"", "fix", "pass", "signal"};
    char time[CLOCK_TEXT_MAX], arrival[CLOCK_TEXT_MAX];
    clock_format_rfc3339(report->time_ms, time);
    clock_format_rfc3339(report->arrival_ms, arrival);
    buffer_printf(out, "c%06u,%s,%s,%s,%s,", report->pupil + 1, time, arrival, kinds[report->kind],
                  what_of(report));
    if (report->kind == SIM_PASS) {
        buffer_printf(out, "s%03u-g%u", city->pupils[report->pupil].school + 1, report->gate + 1u);
    }
    buffer_printf(out, ",%" PRIu64 "\n", report->seq);
}

static enum status write_reports(struct sim_day *day, struct csv_out *fixes, struct csv_out *others,
                                 struct status_detail *detail)
{
    struct sim_report report;
    enum status status;
    while ((status = sim_day_next(day, &report)) == STATUS_OK) {
        if (report.kind == SIM_FIX && report.has_position) {
            append_fix(&report, &fixes->bytes);
            status = csv_piece(fixes, detail);
        } else if (others->open) {
            append_other(day->config.city, &report, &others->bytes);
            status = csv_piece(others, detail);
        } else {
            others->rows++;
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return status == STATUS_END
               ? STATUS_OK
               : status_detail_set(detail, status, "the day: %s", status_words(status));
}

static enum status day_to_files(struct sim_day *day, const char *path, const char *others_path,
                                struct status_detail *detail)
{
    struct csv_out fixes = {.rows = 0}, others = {.rows = 0};
    enum status status =
        csv_open(&fixes, path, "card,time,lat,lon,accuracy_m,source,arrival,seq\n", detail);
    if (status == STATUS_OK) {
        status = csv_open(&others, others_path, "card,time,arrival,kind,what,gate,seq\n", detail);
    }
    if (status == STATUS_OK) {
        status = write_reports(day, &fixes, &others, detail);
    }
    if (status == STATUS_OK) {
        status = csv_finish(&fixes, detail);
    }
    if (status == STATUS_OK) {
        status = csv_finish(&others, detail);
    }
    if (status == STATUS_OK) {
        (void)printf("%s: %" PRIu64 " fixes; %" PRIu64 " passes, signals and fixes without a "
                     "position %s%s\n",
                     path, fixes.rows, others.rows, others.open ? "in " : "left out (--others)",
                     others.open ? others_path : "");
    }
    sim_file_abort(&fixes.file);
    sim_file_abort(&others.file);
    buffer_release(&fixes.bytes);
    buffer_release(&others.bytes);
    return status;
}

/* ---- the command ---- */

struct words {
    const char *city, *broker, *out, *others, *truth, *pupils, *speed, *start, *until, *seed;
    const char *interval, *date;
    bool repeat, exact, no_receipts, help;
};

/* "07:10" since midnight, as the plans have it. */
static enum status option_clock(const char *name, const char *text, uint32_t otherwise_ms,
                                uint32_t *ret)
{
    uint32_t hours = 0, minutes = 0;
    if (text == NULL) {
        *ret = otherwise_ms;
        return STATUS_OK;
    }
    bool shape = strlen(text) == 5 && text[2] == ':' && strspn(text, "0123456789:") == 5 &&
                 strchr(text, ':') == strrchr(text, ':');
    if (shape) {
        hours = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
        minutes = (uint32_t)(text[3] - '0') * 10 + (uint32_t)(text[4] - '0');
    }
    uint32_t time_ms = (hours * 60 + minutes) * 60000;
    if (!shape || minutes > 59 || time_ms < SIM_DAY_BEGIN_MS || time_ms > SIM_DAY_END_MS) {
        (void)cli_fail("%s: \"%s\" is no time from 06:00 to 21:00, as 07:10", name, text);
        return STATUS_INVALID;
    }
    *ret = time_ms;
    return STATUS_OK;
}

static enum status option_speed(const char *text, double *ret)
{
    double speed = 60;
    if (text != NULL &&
        (text_to_double(text_of(text), &speed) != STATUS_OK || speed < 1 || speed > 3600)) {
        (void)cli_fail("--speed: \"%s\" is no number from 1 to 3600", text);
        return STATUS_INVALID;
    }
    *ret = speed;
    return STATUS_OK;
}

static enum status option_date(const char *text, int64_t *ret_midnight_ms)
{
    char full[64];
    const char *date = text != NULL ? text : "2026-03-02";
    (void)snprintf(full, sizeof full, "%.20sT00:00:00+08:00", date);
    if (clock_parse(full, strlen(full), ret_midnight_ms) != STATUS_OK) {
        (void)cli_fail("--date: \"%s\" is no date, as 2026-03-02", date);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static enum status read_options(const struct words *words, const struct sim_city *city,
                                struct sim_live_options *ret)
{
    struct sim_live_options live = {.city = city,
                                    .broker = words->broker,
                                    .noise = !words->exact,
                                    .repeat = words->repeat,
                                    .no_receipts = words->no_receipts,
                                    .truth_path = words->truth};
    int64_t pupils, seed, interval_s;
    uint32_t otherwise = city->options.pupils < 300 ? city->options.pupils : 300;
    if (sim_option_number("--pupils", words->pupils, 1, city->options.pupils, otherwise, &pupils) !=
            STATUS_OK ||
        sim_option_number("--seed", words->seed, 0, INT64_MAX, 1, &seed) != STATUS_OK ||
        sim_option_number("--interval", words->interval, 1, 3600, 60, &interval_s) != STATUS_OK ||
        option_clock("--start", words->start, 7 * 3600000, &live.from_ms) != STATUS_OK ||
        option_clock("--until", words->until, 20 * 3600000, &live.to_ms) != STATUS_OK ||
        option_speed(words->speed, &live.speed) != STATUS_OK) {
        return STATUS_INVALID;
    }
    if (live.from_ms >= live.to_ms) {
        (void)cli_fail("--until is not after --start");
        return STATUS_INVALID;
    }
    live.pupils = (uint32_t)pupils;
    live.seed = (uint64_t)seed;
    live.interval_ms = (uint32_t)interval_s * 1000;
    *ret = live;
    return STATUS_OK;
}

static int run_to_files(const struct words *words, const struct sim_live_options *live)
{
    struct sim_day_config config = {.city = live->city,
                                    .seed = live->seed,
                                    .day = 1,
                                    .pupil_count = live->pupils,
                                    .interval_ms = live->interval_ms,
                                    .from_ms = live->from_ms,
                                    .to_ms = live->to_ms,
                                    .noise = live->noise};
    if (option_date(words->date, &config.midnight_ms) != STATUS_OK) {
        return CLI_USAGE;
    }
    uint32_t *pupils = calloc(live->pupils, sizeof *pupils);
    if (pupils == NULL) {
        return cli_fail("day: no memory for %u pupils", live->pupils);
    }
    uint32_t groups = sim_choose_pupils(live->city, live->pupils, 0, NULL);
    (void)sim_choose_pupils(live->city, live->pupils, (uint32_t)(live->seed % groups), pupils);
    config.pupils = pupils;
    struct sim_day day;
    struct status_detail detail = {{0}};
    enum status status = sim_day_init(&day, &config, &detail);
    free(pupils);
    if (status != STATUS_OK) {
        return cli_fail("day: %s", detail.text);
    }
    if (live->truth_path != NULL) {
        status = sim_write_truth(&day, live->truth_path, &detail);
    }
    if (status == STATUS_OK) {
        status = day_to_files(&day, words->out, words->others, &detail);
    }
    sim_day_release(&day);
    return status == STATUS_OK ? CLI_OK : cli_fail("day: %s", detail.text);
}

static int check_words(const struct words *words)
{
    if (words->city == NULL) {
        return cli_usage(USAGE, "day: --city is missing");
    }
    if ((words->broker == NULL) == (words->out == NULL)) {
        return cli_usage(USAGE, "day: either --broker or --out");
    }
    bool only_live = words->speed != NULL || words->repeat || words->no_receipts;
    if (words->out != NULL && only_live) {
        return cli_usage(USAGE, "day: --speed, --repeat, --no-receipts go with --broker");
    }
    if (words->broker != NULL && (words->others != NULL || words->date != NULL)) {
        return cli_usage(USAGE, "day: --others, --date go with --out");
    }
    if (words->repeat && words->truth != NULL) {
        return cli_usage(USAGE, "day: --truth is of one day: not with --repeat");
    }
    return CLI_OK;
}

int sim_command_day(int argc, char **argv)
{
    struct words words = {.city = NULL};
    const struct cli_option list[] = {
        {"--city", &words.city, NULL},
        {"--broker", &words.broker, NULL},
        {"--out", &words.out, NULL},
        {"--others", &words.others, NULL},
        {"--truth", &words.truth, NULL},
        {"--pupils", &words.pupils, NULL},
        {"--speed", &words.speed, NULL},
        {"--start", &words.start, NULL},
        {"--until", &words.until, NULL},
        {"--seed", &words.seed, NULL},
        {"--date", &words.date, NULL},
        {"--interval", &words.interval, NULL},
        {"--repeat", NULL, &words.repeat},
        {"--no-receipts", NULL, &words.no_receipts},
        {"--exact", NULL, &words.exact},
        {"--help", NULL, &words.help},
        {NULL, NULL, NULL},
    };
    int count = 0;
    if (cli_options(argc, argv, list, USAGE, &count) != CLI_OK) {
        return CLI_USAGE;
    }
    if (words.help) {
        (void)printf("usage: %s\n", USAGE);
        return CLI_OK;
    }
    int result = count > 1 ? cli_usage(USAGE, "day: takes no words") : check_words(&words);
    if (result != CLI_OK) {
        return result;
    }
    struct sim_city city;
    struct status_detail detail = {{0}};
    if (sim_city_open(words.city, &city, &detail) != STATUS_OK) {
        return cli_fail("day: %s", detail.text);
    }
    struct sim_live_options live;
    if (read_options(&words, &city, &live) != STATUS_OK) {
        result = CLI_USAGE;
    } else {
        result = words.broker != NULL ? sim_live_run(&live) : run_to_files(&words, &live);
    }
    sim_city_release(&city);
    return result;
}
