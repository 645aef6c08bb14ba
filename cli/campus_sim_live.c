#include "cli/campus_sim.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "base/clock.h"
#include "broker-bridge/sender.h"

#define LIVE_MAGIC     0x51a11fe5u
#define TICK_MS        50
#define TICK_SENDS_MAX 2000
#define PROGRESS_US    5000000u
#define SETTLE_US_MAX  30000000u
#define LIVE_ID_MAX    24
#define NO_SENDER      UINT32_MAX

/* idle -> running: the connection is up. running -> settling: the day is over. settling -> closing:
 * all is receipted, or SETTLE_US_MAX later. Any -> closing: a signal to stop. */
enum live_state { LIVE_IDLE, LIVE_RUNNING, LIVE_SETTLING, LIVE_CLOSING };

struct live {
    uint32_t magic;
    const struct sim_live_options *options;
    enum live_state state;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t signals[2];
    struct sender_hub *hub;
    struct sim_day day;
    bool stopped;
    uint32_t epoch;
    uint32_t *pupils;
    struct sender_identity *identities; /* the cards in the order of pupils, then the gates */
    char (*ids)[LIVE_ID_MAX], (*schools)[LIVE_ID_MAX];
    uint32_t identity_count;
    uint32_t *card_of; /* pupil -> sender */
    uint32_t *gate_of; /* school * SIM_GATES_MAX + gate -> sender */
    bool has_pending;
    struct sim_report pending;
    int64_t sim_ms;   /* since midnight; the day's clock */
    uint64_t last_us; /* monotonic, of the last tick */
    uint64_t told_us, settle_us;
    bool blocked,
        was_blocked;     /* some sender was full: in the last tick, since the last progress line */
    enum status outcome; /* of sim_day_next */
};

static double span_s(const struct sim_live_options *options)
{
    return (options->to_ms - options->from_ms) / 1000.0;
}

/* ---- senders ---- */

static uint32_t add_identity(struct live *live, uint8_t kind, uint32_t school)
{
    uint32_t no = live->identity_count++;
    (void)snprintf(live->schools[no], LIVE_ID_MAX, "s%03u", school + 1);
    live->identities[no] = (struct sender_identity){
        .kind = kind, .school = live->schools[no], .id = live->ids[no], .epoch = live->epoch};
    return no;
}

static void make_identities(struct live *live)
{
    const struct sim_city *city = live->options->city;
    live->identity_count = 0;
    for (uint32_t i = 0; i < city->options.schools * SIM_GATES_MAX; i++) {
        live->gate_of[i] = NO_SENDER;
    }
    for (uint32_t i = 0; i < live->options->pupils; i++) {
        uint32_t pupil = live->pupils[i];
        uint32_t no = add_identity(live, ORIGIN_CARD, city->pupils[pupil].school);
        (void)snprintf(live->ids[no], LIVE_ID_MAX, "c%06u", pupil + 1);
        live->card_of[pupil] = no;
    }
    for (uint32_t i = 0; i < live->options->pupils; i++) {
        uint32_t school = city->pupils[live->pupils[i]].school;
        for (uint32_t gate = 0; gate < city->schools[school].gate_count; gate++) {
            uint32_t *no = &live->gate_of[school * SIM_GATES_MAX + gate];
            if (*no == NO_SENDER) {
                *no = add_identity(live, ORIGIN_GATE, school);
                (void)snprintf(live->ids[*no], LIVE_ID_MAX, "s%03u-g%u", school + 1, gate + 1);
            }
        }
    }
}

/* STATUS_FULL: later. */
static enum status send_report(struct live *live, const struct sim_report *report)
{
    char card[LIVE_ID_MAX];
    const char *cards[1] = {card};
    struct event event = sim_event_of(report);
    uint32_t school = live->options->city->pupils[report->pupil].school;
    bool pass = report->kind == SIM_PASS;
    uint32_t no =
        pass ? live->gate_of[school * SIM_GATES_MAX + report->gate] : live->card_of[report->pupil];
    (void)snprintf(card, sizeof card, "c%06u", report->pupil + 1);
    return sender_add(live->hub, no, &event, pass ? cards : NULL, 1);
}

/* ---- the clock ---- */

static void close_all(struct live *live);

static void clock_text(int64_t ms, char ret[16])
{
    int64_t minutes = ms / 60000;
    (void)snprintf(ret, 16, "%02u:%02u", (unsigned)(minutes / 60) % 100, (unsigned)(minutes % 60));
}

static void tell_progress(struct live *live)
{
    struct sender_stats stats;
    char time[16];
    sender_stats(live->hub, &stats);
    clock_text(live->sim_ms, time);
    (void)printf("%s  %" PRIu64 " reports sent, %" PRIu64 " %s%s\n", time, stats.sent,
                 stats.receipted, live->options->no_receipts ? "acknowledged" : "receipted",
                 !stats.up           ? ", no connection"
                 : live->was_blocked ? ", waiting for receipts: does campusd run?"
                                     : "");
    (void)fflush(stdout);
    live->was_blocked = false;
}

/* Sends what is due. Returns false when the day is over. */
static bool send_due(struct live *live)
{
    live->blocked = false;
    for (int i = 0; i < TICK_SENDS_MAX; i++) {
        if (!live->has_pending) {
            live->outcome = sim_day_next(&live->day, &live->pending);
            if (live->outcome != STATUS_OK) {
                return false;
            }
            live->has_pending = true;
        }
        if (live->pending.arrival_ms - live->day.config.midnight_ms > live->sim_ms) {
            return true;
        }
        /* one delivered again is left out: to number and to repeat is the sender's business */
        if (!live->pending.again && send_report(live, &live->pending) != STATUS_OK) {
            live->blocked = live->was_blocked = true;
            return true;
        }
        live->has_pending = false;
    }
    return true;
}

static void begin_settling(struct live *live, uint64_t now_us)
{
    live->state = LIVE_SETTLING;
    live->settle_us = now_us;
}

static bool is_settled(struct live *live)
{
    struct sender_stats stats;
    sender_stats(live->hub, &stats);
    return stats.receipted >= stats.reports;
}

static void on_tick(uv_timer_t *timer)
{
    struct live *live = timer->data;
    MAGIC_CHECK(live, LIVE_MAGIC);
    uint64_t now_us = (uint64_t)clock_mono_us();
    if (live->state == LIVE_RUNNING) {
        /* a sender that is full stops the day's clock too: no report is lost, nothing piles up */
        if (!live->blocked) {
            live->sim_ms +=
                (int64_t)((double)(now_us - live->last_us) / 1000 * live->options->speed);
        }
        bool goes_on = send_due(live);
        if (!goes_on || live->sim_ms >= live->options->to_ms) {
            begin_settling(live, now_us);
        }
    }
    live->last_us = now_us;
    if (now_us - live->told_us > PROGRESS_US) {
        live->told_us = now_us;
        tell_progress(live);
    }
    bool late = now_us - live->settle_us > SETTLE_US_MAX;
    if (live->state == LIVE_SETTLING && (late || is_settled(live))) {
        close_all(live);
    }
}

static void on_link(void *context, bool up, const struct status_detail *detail)
{
    struct live *live = context;
    MAGIC_CHECK(live, LIVE_MAGIC);
    if (!up) {
        (void)cli_fail("no connection to %s: %s (trying again)", live->options->broker,
                       detail != NULL ? detail->text : "closed");
        return;
    }
    if (live->state == LIVE_IDLE) {
        live->state = LIVE_RUNNING;
        live->last_us = (uint64_t)clock_mono_us();
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct live *live = handle->data;
    MAGIC_CHECK(live, LIVE_MAGIC);
    (void)number;
    live->stopped = true;
    close_all(live);
}

static void on_hub_closed(void *context)
{
    struct live *live = context;
    MAGIC_CHECK(live, LIVE_MAGIC);
    live->hub = NULL;
}

static void close_all(struct live *live)
{
    if (live->state == LIVE_CLOSING) {
        return;
    }
    tell_progress(live);
    live->state = LIVE_CLOSING;
    sender_close(live->hub, on_hub_closed, live);
    uv_close((uv_handle_t *)&live->tick, NULL);
    uv_close((uv_handle_t *)&live->signals[0], NULL);
    uv_close((uv_handle_t *)&live->signals[1], NULL);
}

/* ---- one day ---- */

/* Every repetition takes other pupils: within its day a card's clock only goes on, though the next
 * day begins in the past again. The turn of a group depends on the time alone, so it holds over
 * restarts. */
static double turn_s(const struct sim_live_options *options)
{
    uint32_t groups = sim_choose_pupils(options->city, options->pupils, 0, NULL);
    return ceil(span_s(options) / groups);
}

static enum status make_day(struct live *live, struct status_detail *detail)
{
    const struct sim_live_options *options = live->options;
    int64_t now_ms = clock_wall_ms();
    int64_t turn = now_ms / 1000 / (int64_t)turn_s(options);
    uint32_t groups = sim_choose_pupils(options->city, options->pupils, 0, NULL);
    (void)sim_choose_pupils(options->city, options->pupils, (uint32_t)(turn % groups),
                            live->pupils);
    live->epoch = (uint32_t)(now_ms / 1000);
    /* the simulated day ends when its run does: no stamp is ever ahead of the wall clock */
    int64_t end_ms = now_ms + (int64_t)(span_s(options) / options->speed * 1000);
    struct sim_day_config config = {.city = options->city,
                                    .seed = options->seed,
                                    .day = (uint32_t)turn,
                                    .midnight_ms = end_ms - options->to_ms,
                                    .pupils = live->pupils,
                                    .pupil_count = options->pupils,
                                    .interval_ms = options->interval_ms,
                                    .from_ms = options->from_ms,
                                    .to_ms = options->to_ms,
                                    .noise = options->noise};
    live->sim_ms = options->from_ms;
    live->has_pending = live->blocked = live->was_blocked = false;
    live->outcome = STATUS_OK;
    enum status status = sim_day_init(&live->day, &config, detail);
    if (status == STATUS_OK && options->truth_path != NULL) {
        status = sim_write_truth(&live->day, options->truth_path, detail);
        if (status != STATUS_OK) {
            sim_day_release(&live->day);
        }
    }
    return status;
}

static void tell_start(const struct live *live)
{
    const struct sim_live_options *options = live->options;
    char from[16], to[16], first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
    clock_text(options->from_ms, from);
    clock_text(options->to_ms, to);
    clock_format_rfc3339(live->day.config.midnight_ms + options->from_ms, first);
    clock_format_rfc3339(live->day.config.midnight_ms + options->to_ms, last);
    (void)printf("%u pupils from p%06u on, %s to %s at speed %g in %.1f minutes; stamped %s to %s, "
                 "so that the day ends now and no stamp lies ahead\n",
                 options->pupils, live->pupils[0] + 1, from, to, options->speed,
                 span_s(options) / options->speed / 60, first, last);
    (void)fflush(stdout);
}

static void open_handles(struct live *live)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    int failed = uv_timer_init(&live->loop, &live->tick);
    live->tick.data = live;
    for (int i = 0; i < 2; i++) {
        failed |= uv_signal_init(&live->loop, &live->signals[i]);
        live->signals[i].data = live;
        failed |= uv_signal_start(&live->signals[i], on_signal, numbers[i]);
    }
    failed |= uv_timer_start(&live->tick, on_tick, TICK_MS, TICK_MS);
    ASSERT(failed == 0); /* handles of a fresh loop, signals that may be caught */
}

static enum status run_day(struct live *live, struct status_detail *detail)
{
    enum status status = make_day(live, detail);
    if (status != STATUS_OK) {
        return status;
    }
    make_identities(live);
    char client_id[64];
    (void)snprintf(client_id, sizeof client_id, "campus-sim-%ld", (long)getpid());
    struct sender_options options = {.url = live->options->broker,
                                     .client_id = client_id,
                                     .identities = live->identities,
                                     .count = live->identity_count,
                                     .no_receipts = live->options->no_receipts,
                                     .fleet = true};
    struct sender_callbacks callbacks = {.context = live, .on_link = on_link};
    live->state = LIVE_IDLE;
    live->last_us = live->told_us = (uint64_t)clock_mono_us();
    status = sender_open(&live->loop, &options, &callbacks, &live->hub, detail);
    if (status == STATUS_OK) {
        tell_start(live);
        open_handles(live);
        (void)uv_run(&live->loop, UV_RUN_DEFAULT);
        ASSERT(live->hub == NULL);
    }
    sim_day_release(&live->day);
    if (status == STATUS_OK && live->outcome == STATUS_NO_MEMORY) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the day's reports");
    }
    return status;
}

static bool allocate(struct live *live)
{
    const struct sim_city *city = live->options->city;
    size_t gates = (size_t)city->options.schools * SIM_GATES_MAX;
    size_t senders = live->options->pupils + gates;
    live->pupils = calloc(live->options->pupils, sizeof *live->pupils);
    live->identities = calloc(senders, sizeof *live->identities);
    live->ids = calloc(senders, sizeof *live->ids);
    live->schools = calloc(senders, sizeof *live->schools);
    live->card_of = calloc(city->options.pupils, sizeof *live->card_of);
    live->gate_of = calloc(gates, sizeof *live->gate_of);
    return live->pupils != NULL && live->identities != NULL && live->ids != NULL &&
           live->schools != NULL && live->card_of != NULL && live->gate_of != NULL;
}

static void release(struct live *live)
{
    free(live->pupils);
    free(live->identities);
    free(live->ids);
    free(live->schools);
    free(live->card_of);
    free(live->gate_of);
}

int sim_live_run(const struct sim_live_options *options)
{
    struct live live = {.magic = LIVE_MAGIC, .options = options};
    struct status_detail detail = {{0}};
    if (options->repeat && span_s(options) / options->speed < turn_s(options)) {
        return cli_fail("day: --repeat: with %u pupils at speed %g a card would be back before its "
                        "last day is over: take fewer pupils or a lower speed",
                        options->pupils, options->speed);
    }
    if (!allocate(&live)) {
        release(&live);
        return cli_fail("day: no memory for %u pupils", options->pupils);
    }
    if (uv_loop_init(&live.loop) != 0) {
        release(&live);
        return cli_fail("day: no event loop: too many open files?");
    }
    enum status status;
    do {
        status = run_day(&live, &detail);
    } while (status == STATUS_OK && options->repeat && !live.stopped);
    int open_handles_left = uv_loop_close(&live.loop);
    ASSERT(open_handles_left == 0);
    release(&live);
    return status == STATUS_OK ? CLI_OK : cli_fail("day: %s", detail.text);
}
