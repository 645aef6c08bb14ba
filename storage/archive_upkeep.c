#include "storage/archive_upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "storage/pg_uv.h"

enum {
    UPKEEP_MAGIC = 0x55504b50,
    STEP_DEADLINE_MS = 600000, /* a step shows no bytes until it is done */
    PAUSE_MS_MIN = 50,
};

struct archive_upkeep {
    uint32_t magic;
    struct archive_upkeep_options options; /* without the text */
    struct pg_uv *pg;
    struct buffer sql;
    uv_timer_t pause;
    int64_t step_started_us;
    bool up, asking, failing, closing;
    uint32_t closes; /* of connection and timer, to come */
    void (*on_closed)(void *context);
    void *closed_context;
    struct archive_upkeep_stats stats;
};

static void on_pause_over(uv_timer_t *timer);

static void rest(struct archive_upkeep *upkeep, uint64_t pause_ms)
{
    ASSERT(uv_timer_start(&upkeep->pause, on_pause_over, pause_ms, 0) == 0);
}

static void step_failed(struct archive_upkeep *upkeep, const PGresult *result)
{
    upkeep->stats.failures++;
    if (!upkeep->failing) {
        struct status_detail words;
        pg_uv_words(result, &words);
        log_event(LOG_WARN, "archive.upkeep_failed", LOG_STR("reason", words.text));
    }
    upkeep->failing = true;
    rest(upkeep, upkeep->options.idle_ms);
}

static void on_stepped(void *context, PGresult *result)
{
    struct archive_upkeep *upkeep = context;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    int64_t sealed = 0;
    upkeep->asking = false;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        PQnfields(result) != 3 ||
        text_to_i64(text_of(PQgetvalue(result, 0, 1)), &sealed) != STATUS_OK) {
        step_failed(upkeep, result);
        return;
    }
    upkeep->failing = false;
    upkeep->stats.steps++;
    upkeep->stats.sealed += sealed > 0 ? (uint64_t)sealed : 0;
    if (PQgetisnull(result, 0, 2) == 0) {
        upkeep->stats.dropped++;
        log_event(LOG_INFO, "archive.dropped", LOG_STR("table", PQgetvalue(result, 0, 2)));
    }
    uint64_t took_ms = (uint64_t)(clock_mono_us() - upkeep->step_started_us) / 1000;
    bool busy = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    rest(upkeep, !busy ? upkeep->options.idle_ms : took_ms > PAUSE_MS_MIN ? took_ms : PAUSE_MS_MIN);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct archive_upkeep *upkeep = timer->data;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    if (!upkeep->up || upkeep->asking || upkeep->closing) {
        return;
    }
    if (upkeep->options.may != NULL && !upkeep->options.may(upkeep->options.context)) {
        rest(upkeep, upkeep->options.idle_ms);
        return;
    }
    upkeep->step_started_us = clock_mono_us();
    upkeep->asking = true;
    const struct pg_uv_query query = {
        .sql = buffer_cstr(&upkeep->sql), .deadline_ms = STEP_DEADLINE_MS, .on_answer = on_stepped};
    pg_uv_query(upkeep->pg, &query);
}

static void on_up(void *context)
{
    struct archive_upkeep *upkeep = context;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    upkeep->up = true;
    rest(upkeep, PAUSE_MS_MIN);
}

/* The archive tells that the database is away. */
static void on_down(void *context, const struct status_detail *detail)
{
    struct archive_upkeep *upkeep = context;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    (void)detail;
    upkeep->up = upkeep->asking = false;
    (void)uv_timer_stop(&upkeep->pause);
}

enum status archive_upkeep_open(uv_loop_t *loop, const struct archive_upkeep_options *options,
                                struct archive_upkeep **ret, struct status_detail *detail)
{
    struct archive_upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (upkeep == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "archive upkeep: no memory");
    }
    upkeep->magic = UPKEEP_MAGIC;
    upkeep->options = *options;
    buffer_init(&upkeep->sql, 256);
    buffer_printf(&upkeep->sql,
                  "SELECT busy, sealed, dropped FROM campus.archive_upkeep(%u, %u, %u)",
                  options->seal_after_hours, options->keep_days, options->step_rows);
    const struct pg_uv_options pg = {.conninfo = options->conninfo,
                                     .application_name = "campusd upkeep"};
    const struct pg_uv_callbacks callbacks = {
        .context = upkeep, .on_up = on_up, .on_down = on_down};
    enum status status = buffer_status(&upkeep->sql);
    if (status != STATUS_OK) {
        status = status_detail_set(detail, status, "archive upkeep: no memory");
    } else {
        status = pg_uv_open(loop, &pg, &callbacks, &upkeep->pg, detail);
    }
    if (status != STATUS_OK) {
        buffer_release(&upkeep->sql);
        free(upkeep);
        return status;
    }
    upkeep->options.conninfo = NULL;
    ASSERT(uv_timer_init(loop, &upkeep->pause) == 0);
    upkeep->pause.data = upkeep;
    *ret = upkeep;
    return STATUS_OK;
}

static void part_closed(struct archive_upkeep *upkeep)
{
    if (--upkeep->closes > 0) {
        return;
    }
    void (*on_closed)(void *) = upkeep->on_closed;
    void *context = upkeep->closed_context;
    buffer_release(&upkeep->sql);
    upkeep->magic = 0;
    free(upkeep);
    on_closed(context);
}

static void on_pg_closed(void *context)
{
    struct archive_upkeep *upkeep = context;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    part_closed(upkeep);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct archive_upkeep *upkeep = handle->data;
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    part_closed(upkeep);
}

void archive_upkeep_close(struct archive_upkeep *upkeep, void (*on_closed)(void *context),
                          void *context)
{
    MAGIC_CHECK(upkeep, UPKEEP_MAGIC);
    ASSERT(!upkeep->closing);
    upkeep->closing = true;
    upkeep->on_closed = on_closed;
    upkeep->closed_context = context;
    upkeep->closes = 2;
    pg_uv_close(upkeep->pg, on_pg_closed, upkeep);
    uv_close((uv_handle_t *)&upkeep->pause, on_timer_closed);
}

void archive_upkeep_stats(const struct archive_upkeep *upkeep, struct archive_upkeep_stats *ret)
{
    *ret = upkeep->stats;
}
