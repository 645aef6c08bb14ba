/* Cards that keep a report until campusd's receipt covers it: what they have on the way survives
 * the death of anything but theirs. One loop, run by the main thread between its reports. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/load.h"
#include "broker-bridge/sender.h"

enum { KEEPERS_MAGIC = 0x4c4b4550, ROOM_WAIT_MS = 300000, TURN_US = 1000 };
/* What the broker took is with it as long as the connection holds, and campusd back from a restart works through it in order: a
 * city that loses patience meanwhile only sends it all twice. */
enum { RETRY_MS_MIN = 5000, RETRIES_PER_MS_MAX = 2 };
/* Of all cards together: a broker's acknowledgement may take 40 ms (delayed ACKs), and libmosquitto walks through all that are
 * in flight for each. */
enum { IN_FLIGHT_MAX = 2048 };

struct load_keepers {
    uint32_t magic;
    uv_loop_t loop;
    uv_timer_t timer;
    struct sender_hub *hub;
    const struct load_cards *cards;
    struct load_ledger *ledger;
    int64_t turned_us;
    uint32_t conflicts;
    struct wire_event wire[LOAD_EVENTS_MAX];
    struct event events[LOAD_EVENTS_MAX];
};

static struct load_keepers *keepers_of(void *context)
{
    struct load_keepers *keepers = context;
    MAGIC_CHECK(keepers, KEEPERS_MAGIC);
    return keepers;
}

/* The hub numbers as the ledger does; what it keeps of a card are the newest. */
static void on_progress(void *context, uint32_t card)
{
    struct load_keepers *keepers = keepers_of(context);
    uint32_t kept = SEQUENCE_WINDOW - sender_room(keepers->hub, card);
    load_ledger_receipted(keepers->ledger, card, kept);
}

static void on_conflict(void *context, uint32_t card, uint32_t epoch)
{
    struct load_keepers *keepers = keepers_of(context);
    (void)fprintf(stderr, "campus-load: card %s: a receipt of epoch %u for what it never sent\n",
                  keepers->cards->items[card].id, epoch);
    keepers->conflicts++;
}

static void on_timer(uv_timer_t *timer)
{
    (void)keepers_of(timer->data);
}

static enum status open_hub(struct load_keepers *keepers, const char *url, const char *password,
                            struct status_detail *detail)
{
    const struct load_cards *cards = keepers->cards;
    struct sender_identity *identities = calloc(cards->count, sizeof *identities);
    if (identities == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    for (uint32_t i = 0; i < cards->count; i++) {
        identities[i] = (struct sender_identity){ORIGIN_CARD, cards->items[i].school,
                                                 cards->items[i].id, keepers->ledger->epoch};
    }
    uint32_t retry_ms = cards->count / RETRIES_PER_MS_MAX;
    retry_ms = retry_ms > RETRY_MS_MIN ? retry_ms : RETRY_MS_MIN;
    char id[64];
    (void)snprintf(id, sizeof id, "campus-load-%ld-cards", (long)getpid());
    const struct sender_options options = {.url = url,
                                           .password = password,
                                           .client_id = id,
                                           .identities = identities,
                                           .count = cards->count,
                                           .fleet = true,
                                           .inflight_max = IN_FLIGHT_MAX,
                                           .retry_min_ms = retry_ms,
                                           .retry_max_ms = 2 * retry_ms,
                                           .backoff_max_ms = 1000};
    const struct sender_callbacks callbacks = {
        .context = keepers, .on_progress = on_progress, .on_conflict = on_conflict};
    enum status status = sender_open(&keepers->loop, &options, &callbacks, &keepers->hub, detail);
    free(identities);
    return status;
}

enum status load_keepers_open(const char *url, const char *password, const struct load_cards *cards,
                              struct load_ledger *ledger, struct load_keepers **ret,
                              struct status_detail *detail)
{
    struct load_keepers *keepers = calloc(1, sizeof *keepers);
    if (keepers == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    keepers->magic = KEEPERS_MAGIC;
    keepers->cards = cards;
    keepers->ledger = ledger;
    ASSERT(uv_loop_init(&keepers->loop) == 0);
    ASSERT(uv_timer_init(&keepers->loop, &keepers->timer) == 0);
    keepers->timer.data = keepers;
    enum status status = open_hub(keepers, url, password, detail);
    if (status != STATUS_OK) {
        load_keepers_close(keepers);
        return status;
    }
    *ret = keepers;
    return STATUS_OK;
}

void load_keepers_close(struct load_keepers *keepers)
{
    if (keepers->hub != NULL) {
        sender_close(keepers->hub, NULL, NULL);
    }
    uv_close((uv_handle_t *)&keepers->timer, NULL);
    (void)uv_run(&keepers->loop, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&keepers->loop) == 0);
    free(keepers);
}

/* A turn of the loop costs as much as a report: one a millisecond is enough. */
void load_keepers_run_until(struct load_keepers *keepers, int64_t until_us)
{
    int64_t now_us = clock_mono_us();
    while (until_us - now_us >= TURN_US) {
        ASSERT(uv_timer_start(&keepers->timer, on_timer, (uint64_t)(until_us - now_us) / 1000, 0) ==
               0);
        (void)uv_run(&keepers->loop, UV_RUN_ONCE);
        keepers->turned_us = now_us = clock_mono_us();
    }
    if (now_us - keepers->turned_us >= TURN_US) {
        (void)uv_run(&keepers->loop, UV_RUN_NOWAIT);
        keepers->turned_us = now_us;
    }
}

static enum status wait_room(struct load_keepers *keepers, uint32_t card,
                             struct status_detail *detail)
{
    for (uint32_t ms = 0; ms < ROOM_WAIT_MS && keepers->conflicts == 0; ms++) {
        if (sender_room(keepers->hub, card) > 0) {
            return STATUS_OK;
        }
        load_keepers_run_until(keepers, clock_mono_us() + TURN_US);
    }
    return status_detail_set(detail, keepers->conflicts > 0 ? STATUS_CONFLICT : STATUS_TIMEOUT,
                             "card %s got no receipt for %d s", keepers->cards->items[card].id,
                             ROOM_WAIT_MS / 1000);
}

enum status load_keepers_send(struct load_keepers *keepers, uint32_t card, enum load_kind kind,
                              int64_t due_us, struct status_detail *detail)
{
    enum status status = wait_room(keepers, card, detail);
    if (status != STATUS_OK) {
        return status;
    }
    uint16_t count = load_fill(keepers->cards, card, kind, clock_wall_ms(), keepers->wire);
    for (uint16_t i = 0; i < count; i++) {
        keepers->events[i] = keepers->wire[i].event;
    }
    if (load_ledger_add(keepers->ledger, 0, card, kind, count, due_us) == LOAD_NONE) {
        return status_detail_set(detail, STATUS_FULL, "the ledger is full: %u reports",
                                 keepers->ledger->capacity);
    }
    status = sender_add(keepers->hub, card, keepers->events, NULL, count);
    return status == STATUS_OK ? status : status_detail_set(detail, status, "no room for a report");
}

void load_keepers_counts(const struct load_keepers *keepers, struct load_keeper_counts *ret)
{
    struct sender_stats stats;
    sender_stats(keepers->hub, &stats);
    *ret = (struct load_keeper_counts){stats.resent, (uint32_t)stats.losses, keepers->conflicts};
}
