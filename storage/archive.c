#include "storage/archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "storage/archive_rows.h"
#include "storage/archive_upkeep.h"
#include "storage/pg_uv.h"

enum {
    ARCHIVE_MAGIC = 0x41524348,
    BATCH_MAGIC = 0x42415443,
    QUERY_DEADLINE_MS = 30000,
    REST_MS_MIN = 100,
    REST_MS_MAX = 10000,
    BATCH_BYTES_MAX = 32 << 20,
    EVENT_BYTES = 48, /* of the journal, at least, for a row */
    KNOWN_DAYS = 16,
    SQL_BYTES = 4096,
    UPKEEP_ROWS = 200000, /* about a second of the server */
    UPKEEP_IDLE_MS = 60000,
    UPKEEP_BACKLOG_BATCHES = 4, /* with more on the way, upkeep waits */
};

enum archive_state {
    ARCHIVE_DOWN,    /* next: ASKING when connected */
    ARCHIVE_RESTING, /* PostgreSQL or the journal refused; next: ASKING when rested; DOWN when lost
                      */
    ARCHIVE_ASKING,  /* session set up, position asked; next: IDLE; SENDING; RESTING; DOWN */
    ARCHIVE_IDLE,    /* next: SENDING when a batch is ready; RESTING when the journal fails; DOWN */
    ARCHIVE_SENDING, /* next: IDLE after COMMIT; ASKING on a conflict; RESTING; DOWN */
};

enum send_step { STEP_BEGIN, STEP_DAYS, STEP_COPY, STEP_ALERTS, STEP_COMMIT };

/* One transaction. While `work` runs, the worker alone touches it. */
struct batch {
    uint32_t magic;
    struct archive *archive;
    bool used, stale; /* stale: being filled, but from a position that does not hold any more */
    uint64_t from, end, limit;
    uint32_t rows_max, records_max, records;
    const char *dead_words; /* the one record is refused by PostgreSQL: it goes as a dead letter */
    struct archive_rows rows;
    struct journal_reader *reader; /* lent for the filling */
    enum status status;
    struct status_detail detail;
    uv_work_t work;
};

struct archive {
    uint32_t magic;
    enum archive_state state;
    enum send_step step;
    int table; /* of STEP_COPY */
    uv_loop_t *loop;
    struct archive_callbacks callbacks;
    char *journal_directory, *journal_id;
    uint32_t batch_rows_max, batch_wait_ms;

    struct pg_uv *pg;
    struct archive_upkeep *upkeep;
    struct buffer sql;
    struct text copy;
    int32_t known_days[KNOWN_DAYS]; /* whose partitions are there: made in a transaction that
                                       committed */
    uint32_t known_day_count;
    uint32_t rest_ms;

    struct batch batches[2];
    struct batch *filling, *ready, *sending; /* a batch in use stands in exactly one of them */
    struct journal_reader *reader;           /* NULL: none, or lent */
    uint64_t reader_pos, next_pos;           /* next_pos: where the next batch begins */
    uint64_t empty_limit;                    /* nothing to read up to here */

    uint64_t retried_pos; /* a batch from here was refused once */
    uint64_t dead_pos;    /* with dead_known: the record that PostgreSQL refuses */
    struct status_detail dead_words;
    uint32_t records_max; /* lowered to find that record */
    uint32_t handles;

    uv_timer_t wait_timer, rest_timer, close_timer;
    void (*on_closed)(void *context);
    void *closed_context;
    int64_t send_started_us;

    bool told_up, told_once, connected_before;
    bool position_known, due, warned_ahead, dead_known;
    bool trouble;     /* told down though connected, until something works again */
    bool fill_paused; /* the journal could not be read: until the rest is over */
    bool closing, too_late, pg_closing, pg_closed, timers_closing;
    struct archive_stats stats;
};

static void pump(struct archive *archive);
static void close_step(struct archive *archive);
static void send_step(struct archive *archive);

/* ---- telling ---- */

static void tell_state(struct archive *archive, bool up, const struct status_detail *detail)
{
    if (archive->closing || (archive->told_once && archive->told_up == up)) {
        return;
    }
    archive->told_once = true;
    archive->told_up = up;
    archive->stats.connected = up;
    if (archive->callbacks.on_state != NULL) {
        archive->callbacks.on_state(archive->callbacks.context, up, detail);
    }
}

static void tell_position(struct archive *archive, uint64_t pos)
{
    archive->stats.position = pos;
    if (!archive->closing && archive->callbacks.on_position != NULL) {
        archive->callbacks.on_position(archive->callbacks.context, pos);
    }
}

/* ---- batches ---- */

static void recycle(struct batch **batch)
{
    if (*batch != NULL) {
        archive_rows_clear(&(*batch)->rows);
        (*batch)->used = false;
        (*batch)->stale = false;
        *batch = NULL;
    }
}

/* On a worker thread: no field of the archive is touched. */
static void fill(uv_work_t *work)
{
    struct batch *batch = work->data;
    MAGIC_CHECK(batch, BATCH_MAGIC);
    batch->status = STATUS_OK;
    if (batch->reader == NULL) {
        batch->status = journal_reader_new(batch->archive->journal_directory, batch->from,
                                           &batch->reader, &batch->detail);
    }
    int64_t now_ms = clock_wall_ms();
    while (batch->status == STATUS_OK && batch->rows.count < batch->rows_max &&
           batch->rows.bytes < BATCH_BYTES_MAX && batch->records < batch->records_max &&
           batch->rows.day_count < ARCHIVE_DAYS_MAX) {
        struct journal_record record;
        batch->status = journal_reader_next(batch->reader, batch->limit, &record, &batch->detail);
        if (batch->status != STATUS_OK) {
            break;
        }
        if (batch->dead_words != NULL) {
            archive_rows_add_dead(&batch->rows, &record, now_ms, batch->dead_words);
        } else {
            archive_rows_add(&batch->rows, &record, now_ms);
        }
        batch->records++;
        batch->end = record.end;
    }
    if (batch->status == STATUS_END) {
        batch->status = STATUS_OK;
    } else if (batch->status != STATUS_OK) {
        journal_reader_free(batch->reader); /* where it stands is not known any more */
        batch->reader = NULL;
        if (batch->records > 0) {
            batch->status = STATUS_OK; /* these first; the next batch meets the same trouble */
        }
    }
    enum status finished = archive_rows_finish(&batch->rows);
    if (batch->status == STATUS_OK && finished != STATUS_OK) {
        batch->status = status_detail_set(&batch->detail, finished, "a batch of %u records: %s",
                                          batch->records, status_words(finished));
    }
}

static void rest_filling(struct archive *archive, const struct status_detail *detail);
static void trouble_over(struct archive *archive);

static void filled(uv_work_t *work, int status)
{
    struct batch *batch = work->data;
    MAGIC_CHECK(batch, BATCH_MAGIC);
    struct archive *archive = batch->archive;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    ASSERT(status == 0 && archive->filling == batch && archive->reader == NULL);
    archive->reader = batch->reader;
    archive->reader_pos = batch->end;
    batch->reader = NULL;
    bool wanted = !batch->stale && !archive->closing;
    if (wanted && batch->status == STATUS_OK && batch->records > 0) {
        archive->ready = batch;
        archive->next_pos = batch->end;
        archive->filling = NULL;
    } else {
        struct status_detail detail = batch->detail;
        bool failed = wanted && batch->status != STATUS_OK;
        if (wanted && !failed) {
            archive->empty_limit = batch->limit;
            trouble_over(archive);
        }
        recycle(&archive->filling);
        if (failed) {
            (void)status_detail_wrap(&detail, STATUS_IO, "journal");
            rest_filling(archive, &detail);
        }
    }
    if (archive->closing) {
        close_step(archive);
    } else {
        pump(archive);
    }
}

static struct batch *take_batch(struct archive *archive)
{
    for (size_t i = 0; i < 2; i++) {
        if (!archive->batches[i].used) {
            archive->batches[i].used = true;
            return &archive->batches[i];
        }
    }
    return NULL;
}

static void start_filling(struct archive *archive)
{
    struct batch *batch = take_batch(archive);
    ASSERT(batch != NULL); /* one sent, one ready or filling */
    if (archive->reader != NULL && archive->reader_pos != archive->next_pos) {
        journal_reader_free(archive->reader);
        archive->reader = NULL;
    }
    bool dead = archive->dead_known && archive->dead_pos == archive->next_pos;
    batch->from = batch->end = archive->next_pos;
    batch->limit = archive->stats.durable;
    batch->rows_max = archive->batch_rows_max;
    batch->records_max = dead ? 1 : archive->records_max;
    batch->dead_words = dead ? archive->dead_words.text : NULL;
    batch->records = 0;
    batch->reader = archive->reader;
    archive->reader = NULL;
    archive->filling = batch;
    archive->due = false;
    ASSERT(uv_queue_work(archive->loop, &batch->work, fill, filled) == 0);
}

static void on_wait(uv_timer_t *timer)
{
    struct archive *archive = timer->data;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->due = true;
    pump(archive);
}

/* Starts what can start: sending what is ready, preparing what is durable. */
static void pump(struct archive *archive)
{
    if (archive->closing) {
        return;
    }
    if (archive->state == ARCHIVE_IDLE && archive->sending == NULL && archive->ready != NULL) {
        archive->sending = archive->ready;
        archive->ready = NULL;
        archive->state = ARCHIVE_SENDING;
        archive->step = STEP_BEGIN;
        archive->send_started_us = clock_mono_us();
        send_step(archive);
    }
    bool may = archive->position_known && archive->state != ARCHIVE_RESTING &&
               !archive->fill_paused && archive->filling == NULL && archive->ready == NULL;
    uint64_t durable = archive->stats.durable;
    if (!may || durable <= archive->next_pos || durable == archive->empty_limit) {
        return;
    }
    uint64_t backlog = durable - archive->next_pos;
    if (archive->due || backlog >= (uint64_t)archive->batch_rows_max * EVENT_BYTES) {
        start_filling(archive);
    } else if (uv_is_active((uv_handle_t *)&archive->wait_timer) == 0) {
        ASSERT(uv_timer_start(&archive->wait_timer, on_wait, archive->batch_wait_ms, 0) == 0);
    }
}

/* ---- trouble ---- */

static void ask_position(struct archive *archive);

static void on_rested(uv_timer_t *timer)
{
    struct archive *archive = timer->data;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->due = archive->due || archive->fill_paused;
    archive->fill_paused = false;
    if (archive->state == ARCHIVE_RESTING && !archive->closing) {
        ask_position(archive);
    }
    pump(archive);
}

static void start_rest(struct archive *archive, const struct status_detail *detail)
{
    archive->trouble = true;
    tell_state(archive, false, detail);
    archive->rest_ms = archive->rest_ms == 0 ? REST_MS_MIN : archive->rest_ms * 2;
    if (archive->rest_ms > REST_MS_MAX) {
        archive->rest_ms = REST_MS_MAX;
    }
    ASSERT(uv_timer_start(&archive->rest_timer, on_rested, archive->rest_ms, 0) == 0);
}

/* The connection is there but a query was refused: from the position again, after a while. */
static void rest_query(struct archive *archive, const struct status_detail *detail)
{
    archive->state = ARCHIVE_RESTING;
    start_rest(archive, detail);
}

/* Nothing can be read: what is sent goes on. */
static void rest_filling(struct archive *archive, const struct status_detail *detail)
{
    archive->fill_paused = true;
    start_rest(archive, detail);
}

/* Something worked: the trouble is over. */
static void trouble_over(struct archive *archive)
{
    archive->rest_ms = 0;
    if (archive->trouble && !archive->fill_paused && archive->state == ARCHIVE_IDLE) {
        archive->trouble = false;
        tell_state(archive, true, NULL);
    }
}

static bool is_data_error(PGresult *result)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return code != NULL && (strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0);
}

/* Rows that PostgreSQL does not take, though they should be well. First the same again, for a
 * partition may have been missing; then halves of the batch until the record stands alone; then it
 * goes as a dead letter. */
static void data_refused(struct archive *archive, PGresult *result)
{
    struct batch *batch = archive->sending;
    if (archive->retried_pos != batch->from) {
        archive->retried_pos = batch->from;
        return;
    }
    if (batch->records > 1) {
        archive->records_max = batch->records / 2;
        recycle(&archive->sending);
        return;
    }
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    (void)status_detail_set(&archive->dead_words, STATUS_INVALID, "PostgreSQL: %s",
                            words != NULL ? words : "");
    archive->dead_known = true;
    archive->dead_pos = batch->from;
    archive->stats.dead_records++;
    log_event(LOG_ERROR, "archive.record_refused", LOG_INT("position", batch->from),
              LOG_STR("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)));
    recycle(&archive->sending);
}

static void query_failed(struct archive *archive, PGresult *result)
{
    struct status_detail detail;
    pg_uv_words(result, &detail);
    bool data = archive->state == ARCHIVE_SENDING && is_data_error(result) &&
                archive->sending->dead_words == NULL;
    archive->known_day_count = 0;
    if (data) {
        data_refused(archive, result);
        ask_position(archive);
        return;
    }
    rest_query(archive, &detail);
}

/* ---- the position ---- */

/* What was prepared fits to the position, or is thrown away. */
static void settle(struct archive *archive, uint64_t pos)
{
    uint64_t at = pos;
    if (archive->sending != NULL && archive->sending->from == pos) {
        at = archive->sending->end;
    } else {
        recycle(&archive->sending); /* committed though its answer was lost, or not ours any more */
    }
    if (archive->ready != NULL && archive->ready->from == at) {
        at = archive->ready->end;
    } else {
        recycle(&archive->ready);
    }
    if (archive->filling != NULL && archive->filling->from != at) {
        archive->filling->stale = true;
    }
    archive->next_pos = at;
    archive->position_known = true;
    archive->empty_limit = UINT64_MAX;
}

static void warn_if_ahead(struct archive *archive)
{
    if (archive->position_known && archive->stats.durable > 0 &&
        archive->stats.position > archive->stats.durable && !archive->warned_ahead) {
        archive->warned_ahead = true;
        log_event(LOG_ERROR, "archive.ahead_of_journal",
                  LOG_INT("position", archive->stats.position),
                  LOG_INT("durable", archive->stats.durable));
    }
}

static void on_asked(void *context, PGresult *result)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    int64_t pos = -1;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        text_to_i64(text_of(PQgetvalue(result, 0, 0)), &pos) != STATUS_OK || pos < 0) {
        query_failed(archive, result);
        return;
    }
    settle(archive, (uint64_t)pos);
    archive->state = ARCHIVE_IDLE;
    tell_position(archive, (uint64_t)pos);
    if (!archive->trouble) {
        tell_state(archive, true, NULL);
    }
    warn_if_ahead(archive);
    if (archive->sending != NULL) {
        archive->state = ARCHIVE_SENDING;
        archive->step = STEP_BEGIN;
        send_step(archive);
    }
    archive->due = true; /* what waits has waited */
    pump(archive);
}

static void ask(struct archive *archive, const struct text *copy,
                void (*on_answer)(void *context, PGresult *result))
{
    struct pg_uv_query query = {.sql = buffer_cstr(&archive->sql),
                                .copy = copy,
                                .deadline_ms = QUERY_DEADLINE_MS,
                                .on_answer = on_answer};
    ASSERT(buffer_status(&archive->sql) == STATUS_OK);
    pg_uv_query(archive->pg, &query);
}

/* Also after a conflict or an error, when a transaction may be open: everything begins with
 * ROLLBACK. The position is the guarantee, so a database that is set to answer COMMIT before the
 * disk has it is told otherwise. Alerts go through a table of the session: their id is unique, and
 * COPY knows no ON CONFLICT. */
static void ask_position(struct archive *archive)
{
    archive->state = ARCHIVE_ASKING;
    archive->known_day_count = 0;
    buffer_clear(&archive->sql);
    buffer_printf(&archive->sql,
                  "ROLLBACK; SET idle_in_transaction_session_timeout = '60s';"
                  "SELECT set_config('synchronous_commit', 'on', false)"
                  " WHERE current_setting('synchronous_commit') = 'off';"
                  "CREATE TEMP TABLE IF NOT EXISTS archive_alert (LIKE campus.alert)"
                  " ON COMMIT DELETE ROWS;"
                  "INSERT INTO campus.archive_position (journal_id, pos) VALUES ('%s', 0)"
                  " ON CONFLICT DO NOTHING;"
                  "SELECT pos FROM campus.archive_position WHERE journal_id = '%s'",
                  archive->journal_id, archive->journal_id);
    ask(archive, NULL, on_asked);
}

/* ---- one transaction ---- */

static bool day_is_known(const struct archive *archive, int32_t day)
{
    for (uint32_t i = 0; i < archive->known_day_count; i++) {
        if (archive->known_days[i] == day) {
            return true;
        }
    }
    return false;
}

static void remember_day(struct archive *archive, int32_t day)
{
    if (day_is_known(archive, day)) {
        return;
    }
    if (archive->known_day_count == KNOWN_DAYS) {
        archive->known_day_count = 0; /* they are asked for again, which costs a query each */
    }
    archive->known_days[archive->known_day_count++] = day;
}

/* The partitions of the batch's days and of the day after each, so that midnight finds them made.
 */
static bool write_days(struct archive *archive)
{
    const struct archive_rows *rows = &archive->sending->rows;
    bool any = false;
    for (uint32_t i = 0; i < rows->day_count; i++) {
        for (int32_t day = rows->days[i]; day <= rows->days[i] + 1; day++) {
            if (!day_is_known(archive, day)) {
                buffer_printf(&archive->sql, "SELECT campus.archive_day(date '1970-01-01' + %d);",
                              day);
                any = true;
            }
        }
    }
    return any;
}

static void committed(struct archive *archive)
{
    struct batch *batch = archive->sending;
    for (uint32_t i = 0; i < batch->rows.day_count; i++) {
        remember_day(archive, batch->rows.days[i]);
        remember_day(archive, batch->rows.days[i] + 1);
    }
    archive->stats.rows += batch->rows.count;
    archive->stats.batches++;
    archive->stats.batch_rows_last = batch->rows.count;
    archive->stats.batch_us_last = (uint64_t)(clock_mono_us() - archive->send_started_us);
    archive->dead_known = archive->dead_known && batch->dead_words == NULL;
    archive->records_max =
        archive->records_max > UINT32_MAX / 2 ? UINT32_MAX : archive->records_max * 2;
    uint64_t end = batch->end;
    recycle(&archive->sending);
    archive->state = ARCHIVE_IDLE;
    tell_position(archive, end);
    trouble_over(archive);
}

/* Somebody else has moved the position: another process with this journal, or our own lost COMMIT
 * that came through late. */
static void conflict(struct archive *archive)
{
    archive->stats.conflicts++;
    recycle(&archive->sending);
    ask_position(archive);
}

/* From one step to the next that has something to do. */
static void next_step(struct archive *archive)
{
    const struct archive_rows *rows = &archive->sending->rows;
    if (archive->step == STEP_BEGIN) {
        archive->step = STEP_DAYS;
        buffer_clear(&archive->sql);
        if (write_days(archive)) {
            return;
        }
    }
    if (archive->step == STEP_DAYS) {
        archive->step = STEP_COPY;
        archive->table = -1;
    }
    if (archive->step == STEP_COPY) {
        while (++archive->table < ARCHIVE_TABLES) {
            if (rows->counts[archive->table] > 0) {
                return;
            }
        }
        archive->step = STEP_ALERTS;
        if (rows->counts[ARCHIVE_ALERT] > 0) {
            return;
        }
    }
    archive->step = STEP_COMMIT;
}

static void on_step(void *context, PGresult *result)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        query_failed(archive, result);
    } else if (archive->step == STEP_BEGIN && strcmp(PQcmdTuples(result), "1") != 0) {
        conflict(archive);
    } else if (archive->step == STEP_COMMIT) {
        if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
            query_failed(archive, result);
        } else {
            committed(archive);
        }
    } else {
        next_step(archive);
        send_step(archive);
    }
    if (archive->closing) {
        close_step(archive);
    } else {
        pump(archive);
    }
}

static void send_step(struct archive *archive)
{
    const struct batch *batch = archive->sending;
    const struct text *copy = NULL;
    switch (archive->step) {
    case STEP_BEGIN:
        buffer_clear(&archive->sql);
        /* The position first: its row lock keeps a second writer of this journal waiting, and a
         * conflict shows before anything is sent. */
        buffer_printf(&archive->sql,
                      "BEGIN; UPDATE campus.archive_position SET pos = %" PRIu64
                      " WHERE journal_id = '%s' AND pos = %" PRIu64,
                      batch->end, archive->journal_id, batch->from);
        break;
    case STEP_DAYS:
        break; /* next_step wrote it */
    case STEP_COPY:
        buffer_clear(&archive->sql);
        buffer_text(&archive->sql, archive_rows_copy((enum archive_table)archive->table));
        archive->copy = (struct text){batch->rows.tables[archive->table].data,
                                      batch->rows.tables[archive->table].size};
        copy = &archive->copy;
        break;
    case STEP_ALERTS:
        buffer_clear(&archive->sql);
        buffer_text(&archive->sql,
                    "INSERT INTO campus.alert SELECT * FROM archive_alert ON CONFLICT DO NOTHING");
        break;
    case STEP_COMMIT:
        buffer_clear(&archive->sql);
        buffer_text(&archive->sql, "COMMIT");
        break;
    }
    ask(archive, copy, on_step);
}

/* ---- the connection ---- */

static void on_up(void *context)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    if (archive->connected_before) {
        archive->stats.reconnects++;
    }
    archive->connected_before = true;
    (void)uv_timer_stop(&archive->rest_timer);
    archive->trouble = archive->fill_paused = false;
    ask_position(archive);
}

static void on_down(void *context, const struct status_detail *detail)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->state = ARCHIVE_DOWN;
    tell_state(archive, false, detail);
    if (archive->closing) {
        close_step(archive);
    }
}

/* ---- lifecycle ---- */

static void free_archive(struct archive *archive)
{
    for (size_t i = 0; i < 2; i++) {
        archive_rows_release(&archive->batches[i].rows);
    }
    journal_reader_free(archive->reader);
    buffer_release(&archive->sql);
    free(archive->journal_directory);
    free(archive->journal_id);
    archive->magic = 0;
    free(archive);
}

static enum status open_connection(struct archive *archive, const char *conninfo,
                                   struct status_detail *detail)
{
    const struct pg_uv_options options = {.conninfo = conninfo,
                                          .application_name = "campusd archive"};
    const struct pg_uv_callbacks callbacks = {
        .context = archive, .on_up = on_up, .on_down = on_down};
    enum status status = pg_uv_open(archive->loop, &options, &callbacks, &archive->pg, detail);
    return status == STATUS_OK ? status : status_detail_wrap(detail, status, "archive");
}

/* Rows first: an archive that is behind or in trouble gets no upkeep. */
static bool may_keep_up(void *context)
{
    const struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    uint64_t on_the_way = archive->stats.durable > archive->stats.position
                              ? archive->stats.durable - archive->stats.position
                              : 0;
    return (archive->state == ARCHIVE_IDLE || archive->state == ARCHIVE_SENDING) &&
           on_the_way <
               (uint64_t)UPKEEP_BACKLOG_BATCHES * archive->batch_rows_max * EVENT_BYTES + (1 << 20);
}

static enum status open_upkeep(struct archive *archive, const struct archive_options *options,
                               struct status_detail *detail)
{
    const struct archive_upkeep_options upkeep = {
        .conninfo = options->conninfo,
        .seal_after_hours = options->seal_after_hours,
        .keep_days = options->keep_days,
        .step_rows = UPKEEP_ROWS,
        .idle_ms = options->upkeep_idle_ms > 0 ? options->upkeep_idle_ms : UPKEEP_IDLE_MS,
        .context = archive,
        .may = may_keep_up};
    return archive_upkeep_open(archive->loop, &upkeep, &archive->upkeep, detail);
}

enum status archive_open(uv_loop_t *loop, const struct archive_options *options,
                         const struct archive_callbacks *callbacks, struct archive **ret,
                         struct status_detail *detail)
{
    if (!text_is_id(text_of(options->journal_id)) || options->batch_rows_max == 0) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "archive: no journal id, or batches of no rows");
    }
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "archive: no memory");
    }
    archive->magic = ARCHIVE_MAGIC;
    archive->loop = loop;
    archive->callbacks = *callbacks;
    archive->batch_rows_max = options->batch_rows_max;
    archive->batch_wait_ms = options->batch_wait_ms;
    archive->records_max = UINT32_MAX;
    archive->empty_limit = UINT64_MAX;
    archive->retried_pos = UINT64_MAX;
    archive->journal_directory = strdup(options->journal_directory);
    archive->journal_id = strdup(options->journal_id);
    buffer_init(&archive->sql, SQL_BYTES);
    (void)buffer_extend(&archive->sql, SQL_BYTES); /* room for every query, for good */
    for (size_t i = 0; i < 2; i++) {
        struct batch *batch = &archive->batches[i];
        batch->magic = BATCH_MAGIC;
        batch->archive = archive;
        batch->work.data = batch;
        archive_rows_init(&batch->rows);
    }
    enum status status = STATUS_OK;
    if (archive->journal_directory == NULL || archive->journal_id == NULL ||
        buffer_status(&archive->sql) != STATUS_OK) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "archive: no memory");
    } else {
        status = open_connection(archive, options->conninfo, detail);
    }
    if (status != STATUS_OK) {
        free_archive(archive);
        return status;
    }
    uv_timer_t *timers[] = {&archive->wait_timer, &archive->rest_timer, &archive->close_timer};
    for (size_t i = 0; i < 3; i++) {
        ASSERT(uv_timer_init(loop, timers[i]) == 0);
        timers[i]->data = archive;
        archive->handles++;
    }
    if (open_upkeep(archive, options, detail) != STATUS_OK) { /* the same conninfo parsed before */
        log_event(LOG_ERROR, "archive.no_upkeep", LOG_STR("reason", detail->text));
    }
    *ret = archive;
    return STATUS_OK;
}

void archive_wake(struct archive *archive, uint64_t durable)
{
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    if (durable > archive->stats.durable) {
        archive->stats.durable = durable;
    }
    warn_if_ahead(archive);
    pump(archive);
}

void archive_stats(const struct archive *archive, struct archive_stats *ret)
{
    *ret = archive->stats;
    if (archive->upkeep != NULL) {
        struct archive_upkeep_stats upkeep;
        archive_upkeep_stats(archive->upkeep, &upkeep);
        ret->sealed = upkeep.sealed;
        ret->dropped = upkeep.dropped;
        ret->upkeep_steps = upkeep.steps;
        ret->upkeep_failures = upkeep.failures;
    }
}

static void on_upkeep_closed(void *context)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->upkeep = NULL;
    close_step(archive);
}

static void on_pg_closed(void *context)
{
    struct archive *archive = context;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->pg_closed = true;
    close_step(archive);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct archive *archive = handle->data;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    if (--archive->handles > 0) {
        return;
    }
    void (*on_closed)(void *) = archive->on_closed;
    void *context = archive->closed_context;
    free_archive(archive);
    on_closed(context);
}

static void on_too_late(uv_timer_t *timer)
{
    struct archive *archive = timer->data;
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    archive->too_late = true;
    close_step(archive);
}

/* Towards the end: the transaction under way, then the connections, then the worker, then the
 * timers. */
static void close_step(struct archive *archive)
{
    if (archive->state == ARCHIVE_SENDING && !archive->too_late) {
        return;
    }
    if (!archive->pg_closing) {
        archive->pg_closing = true;
        pg_uv_close(archive->pg, on_pg_closed, archive);
    }
    if (!archive->pg_closed || archive->upkeep != NULL || archive->filling != NULL ||
        archive->timers_closing) {
        return;
    }
    archive->timers_closing = true;
    uv_close((uv_handle_t *)&archive->wait_timer, on_timer_closed);
    uv_close((uv_handle_t *)&archive->rest_timer, on_timer_closed);
    uv_close((uv_handle_t *)&archive->close_timer, on_timer_closed);
}

void archive_close(struct archive *archive, uint32_t deadline_ms, void (*on_closed)(void *context),
                   void *context)
{
    MAGIC_CHECK(archive, ARCHIVE_MAGIC);
    ASSERT(!archive->closing);
    archive->closing = true;
    archive->on_closed = on_closed;
    archive->closed_context = context;
    (void)uv_timer_stop(&archive->wait_timer);
    (void)uv_timer_stop(&archive->rest_timer);
    ASSERT(uv_timer_start(&archive->close_timer, on_too_late, deadline_ms, 0) == 0);
    if (archive->upkeep != NULL) {
        archive_upkeep_close(archive->upkeep, on_upkeep_closed, archive);
    }
    close_step(archive);
}
