#include "storage/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "storage/journal_internal.h"

enum { JOURNAL_MAGIC = 0x4a524e4c, JOB_MAGIC = 0x4a4a4f42, TRIM_MAGIC = 0x4a54524d };
enum { TRIM_MAX = 64 };

/* A sync and its hand-overs cost as much as tens of records. */
enum { PAUSE_US = 2000, SMALL_GROUP_BYTES = 16384 };

static const uint64_t segment_bytes_default = 64u << 20;
static const size_t pending_bytes_default = 16u << 20;

/* A buffer: one fills with appends while the other, the group, is being written. */
struct half {
    unsigned char *data;
    size_t used;
    uint64_t pos; /* of its first byte */
};

/* The group. */
enum group_state {
    GROUP_NONE,    /* next: WRITING by begin_group, if something was appended */
    GROUP_WRITING, /* next: NONE if it is durable; WAITING if it failed */
    GROUP_WAITING  /* next: WRITING if the back-off is over */
};

struct trim {
    uint32_t magic;
    uv_work_t work;
    int dir_fd;
    uint64_t bases[TRIM_MAX];
    uint32_t count, done;
};

struct journal {
    uint32_t magic;
    uv_loop_t *loop;
    uv_idle_t idle; /* keeps the poll from blocking while the check is armed */
    uv_check_t check;
    uv_timer_t wait;  /* until a small group may begin, or a failed one again */
    int64_t began_us; /* the last group */
    uint32_t handles_open;
    struct journal_callbacks callbacks;
    size_t pending_bytes_max;
    uint64_t bytes_max;
    int dir_fd, lock_fd;
    uint32_t seed;
    struct journal_bases bases;
    struct half halves[2];
    uint32_t filling; /* the other one is the group */
    enum group_state group_state;
    struct journal_job job;
    struct trim trim;
    bool trimming;
    uint32_t attempts;            /* of the present group that failed */
    struct status_detail trouble; /* the last told; "" = none */
    uint64_t durable;
    struct journal_stats stats;
    bool closing, finished;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

static void start_group(struct journal *journal);
static void begin_group(struct journal *journal, bool at_once);

/* ---- open and close ---- */

static enum status check_options(const struct journal_options *given, struct journal_options *ret,
                                 struct status_detail *detail)
{
    *ret = *given;
    if (ret->segment_bytes == 0) {
        ret->segment_bytes = segment_bytes_default;
    }
    if (ret->pending_bytes_max == 0) {
        ret->pending_bytes_max = pending_bytes_default;
    }
    if (ret->pending_bytes_max < JOURNAL_ENTRY_BYTES_MAX || ret->pending_bytes_max > UINT32_MAX) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "journal: %zu pending bytes; at least %zu hold one record, 4 GiB "
                                 "is the most",
                                 ret->pending_bytes_max, JOURNAL_ENTRY_BYTES_MAX);
    }
    if (ret->segment_bytes > (uint64_t)1 << 40) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "journal: segments of %" PRIu64 " bytes; 1 TiB is the most",
                                 ret->segment_bytes);
    }
    if (ret->bytes_max != 0 && ret->bytes_max / 4 < ret->segment_bytes) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "journal: a limit of %" PRIu64 " bytes; at least four segments of "
                                 "%" PRIu64,
                                 ret->bytes_max, ret->segment_bytes);
    }
    return STATUS_OK;
}

static void take_recovered(struct journal *journal, const struct journal_recovered *recovered,
                           const struct journal_options *options)
{
    journal->dir_fd = recovered->dir_fd;
    journal->lock_fd = recovered->lock_fd;
    journal->seed = recovered->seed;
    journal->bases = recovered->bases;
    journal->durable = recovered->end;
    journal->halves[0].pos = recovered->end;
    journal->stats =
        (struct journal_stats){.replayed = recovered->records, .cut_bytes = recovered->cut_bytes};
    journal->job = (struct journal_job){.magic = JOB_MAGIC,
                                        .dir_fd = recovered->dir_fd,
                                        .segment_bytes = options->segment_bytes,
                                        .fd = recovered->fd,
                                        .base = recovered->bases.items[recovered->bases.count - 1]};
    memcpy(journal->job.id, recovered->id, sizeof journal->job.id);
    journal->trim = (struct trim){.magic = TRIM_MAGIC, .dir_fd = recovered->dir_fd};
}

static void open_handles(struct journal *journal, uv_loop_t *loop)
{
    journal->loop = loop;
    ASSERT(uv_idle_init(loop, &journal->idle) == 0); /* these three cannot fail */
    ASSERT(uv_check_init(loop, &journal->check) == 0);
    ASSERT(uv_timer_init(loop, &journal->wait) == 0);
    journal->idle.data = journal;
    journal->check.data = journal;
    journal->wait.data = journal;
    journal->handles_open = 3;
}

static void free_memory(struct journal *journal)
{
    free(journal->halves[0].data);
    free(journal->halves[1].data);
    free(journal);
}

enum status journal_open(uv_loop_t *loop, const struct journal_options *options,
                         const struct journal_callbacks *callbacks, struct journal **ret,
                         struct status_detail *detail)
{
    ASSERT(callbacks->on_record != NULL && callbacks->on_durable != NULL &&
           callbacks->on_trouble != NULL);
    struct journal_options checked;
    enum status status = check_options(options, &checked, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "journal: no memory");
    }
    *journal = (struct journal){.magic = JOURNAL_MAGIC,
                                .callbacks = *callbacks,
                                .pending_bytes_max = checked.pending_bytes_max,
                                .bytes_max = checked.bytes_max};
    for (int i = 0; i < 2; i++) {
        journal->halves[i].data = malloc(checked.pending_bytes_max);
        if (journal->halves[i].data == NULL) {
            free_memory(journal);
            return status_detail_set(detail, STATUS_NO_MEMORY,
                                     "journal: no memory for twice %zu pending bytes",
                                     checked.pending_bytes_max);
        }
    }
    struct journal_recovered recovered;
    status = journal_recover(&checked, callbacks, &recovered, detail);
    if (status != STATUS_OK) {
        free_memory(journal);
        return status;
    }
    take_recovered(journal, &recovered, &checked);
    open_handles(journal, loop);
    *ret = journal;
    return STATUS_OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct journal *journal = handle->data;
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    if (--journal->handles_open > 0) {
        return;
    }
    struct journal_recovered files = {.dir_fd = journal->dir_fd,
                                      .lock_fd = journal->lock_fd,
                                      .fd = journal->job.fd,
                                      .bases = journal->bases};
    journal_recovered_release(&files);
    void (*on_closed)(void *context) = journal->on_closed;
    void *context = journal->on_closed_context;
    free_memory(journal);
    if (on_closed != NULL) {
        on_closed(context);
    }
}

/* Nothing more to write, or the last try failed; a worker may still be trimming. */
static void finish_when_idle(struct journal *journal)
{
    if (!journal->closing || journal->finished || journal->trimming ||
        journal->group_state == GROUP_WRITING) {
        return;
    }
    journal->finished = true;
    uv_close((uv_handle_t *)&journal->idle, on_handle_closed);
    uv_close((uv_handle_t *)&journal->check, on_handle_closed);
    uv_close((uv_handle_t *)&journal->wait, on_handle_closed);
}

static struct half *group_of(struct journal *journal)
{
    return &journal->halves[1 - journal->filling];
}

/* ---- writing groups ---- */

static void run_job(uv_work_t *work)
{
    struct journal_job *job = work->data;
    MAGIC_CHECK(job, JOB_MAGIC);
    journal_write(job);
}

/* Returns how many. */
static uint64_t each_record(const struct half *half,
                            void (*on_record)(void *context, const struct journal_record *record),
                            void *context)
{
    uint64_t count = 0;
    for (size_t at = 0; at < half->used; count++) {
        const struct journal_entry *entry =
            (const struct journal_entry *)(const void *)(half->data + at);
        struct journal_record record;
        journal_entry_record(entry, half->pos + at, &record);
        at += journal_entry_bytes(entry->size);
        on_record(context, &record);
    }
    return count;
}

static void group_durable(struct journal *journal)
{
    struct half *group = group_of(journal);
    struct journal_stats *stats = &journal->stats;
    stats->syncs++;
    stats->sync_us_last = journal->job.sync_us;
    stats->sync_us_total += journal->job.sync_us;
    if (stats->sync_us_max < journal->job.sync_us) {
        stats->sync_us_max = journal->job.sync_us;
    }
    stats->bytes += group->used;
    journal->attempts = 0;
    journal->trouble.text[0] = '\0';
    journal->durable = group->pos + group->used;
    /* Listed only now: a trim must not count on a segment that is still being made. */
    if (journal->bases.items[journal->bases.count - 1] != journal->job.base) {
        ASSERT(journal_bases_add(&journal->bases, journal->job.base) == STATUS_OK); /* reserved */
    }
    /* The callbacks may append (alerts do): that goes to the other half, with the next group. */
    stats->records += each_record(group, journal->callbacks.on_record, journal->callbacks.context);
    group->used = 0;
    journal->group_state = GROUP_NONE;
    journal->callbacks.on_durable(journal->callbacks.context, journal->durable);
}

static void on_paused(uv_timer_t *timer)
{
    struct journal *journal = timer->data;
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    begin_group(journal, false);
}

/* Starts what was appended, if no other group is on its way. A small one begins PAUSE_US after the last
 * one, unless at once is asked for. */
static void begin_group(struct journal *journal, bool at_once)
{
    uint64_t used = journal->halves[journal->filling].used;
    if (journal->group_state != GROUP_NONE || used == 0) {
        return;
    }
    int64_t left_us = journal->began_us + PAUSE_US - clock_mono_us();
    if (at_once || used >= SMALL_GROUP_BYTES || left_us <= 0) {
        (void)uv_timer_stop(&journal->wait);
        start_group(journal);
    } else if (uv_is_active((uv_handle_t *)&journal->wait) == 0) {
        uint64_t left_ms = ((uint64_t)left_us + 999) / 1000;
        ASSERT(uv_timer_start(&journal->wait, on_paused, left_ms, 0) == 0);
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct journal *journal = timer->data;
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    start_group(journal);
}

static void group_failed(struct journal *journal)
{
    journal->stats.troubles++;
    journal->group_state = GROUP_WAITING;
    uint64_t wait_ms = journal_io.retry_min_ms;
    for (uint32_t i = 0; i < journal->attempts && wait_ms < journal_io.retry_max_ms; i++) {
        wait_ms *= 2;
    }
    if (wait_ms > journal_io.retry_max_ms) {
        wait_ms = journal_io.retry_max_ms;
    }
    journal->attempts++;
    if (!journal->closing) {
        ASSERT(uv_timer_start(&journal->wait, on_retry, wait_ms, 0) == 0);
    }
    if (strcmp(journal->trouble.text, journal->job.detail.text) != 0) {
        journal->trouble = journal->job.detail;
        journal->callbacks.on_trouble(journal->callbacks.context, journal->job.status,
                                      &journal->trouble);
    }
}

static void after_job(uv_work_t *work, int canceled)
{
    struct journal_job *job = work->data;
    MAGIC_CHECK(job, JOB_MAGIC);
    ASSERT(canceled == 0);
    struct journal *journal = (struct journal *)((char *)job - offsetof(struct journal, job));
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    if (job->status == STATUS_OK) {
        const struct half *filling = &journal->halves[journal->filling];
        size_t before = filling->used;
        group_durable(journal);
        /* what the records led to are alerts, which nobody makes wait */
        begin_group(journal, filling->used > before || journal->closing);
    } else {
        group_failed(journal);
        if (journal->closing && journal->attempts == 1) { /* once more, into a fresh segment */
            start_group(journal);
        }
    }
    finish_when_idle(journal);
}

static void start_group(struct journal *journal)
{
    if (journal->group_state == GROUP_NONE) {
        journal->filling = 1 - journal->filling;
        const struct half *group = group_of(journal);
        struct half *filling = &journal->halves[journal->filling];
        ASSERT(group->used > 0 && filling->used == 0);
        filling->pos = group->pos + group->used;
    }
    ASSERT(journal->group_state != GROUP_WRITING);
    const struct half *group = group_of(journal);
    struct journal_job *job = &journal->job;
    uint64_t used = group->pos - job->base;
    job->data = group->data;
    job->size = group->used;
    job->pos = group->pos;
    job->fresh = journal->attempts > 0 ||
                 (used > 0 && JOURNAL_HEAD_BYTES + used + group->used > job->segment_bytes);
    if (job->fresh && journal_bases_reserve(&journal->bases) != STATUS_OK) {
        job->status = status_detail_set(&job->detail, STATUS_NO_MEMORY, "journal: no memory");
        group_failed(journal);
        return;
    }
    if (journal->bytes_max > 0 &&
        group->pos + group->used - journal->bases.items[0] > journal->bytes_max) {
        job->status = status_detail_set(&job->detail, STATUS_FULL,
                                        "journal: its limit of %" PRIu64
                                        " bytes is reached; when the archive has caught up and "
                                        "old segments are deleted, it goes on by itself",
                                        journal->bytes_max);
        group_failed(journal);
        return;
    }
    job->work.data = job;
    journal->began_us = clock_mono_us();
    journal->group_state = GROUP_WRITING;
    ASSERT(uv_queue_work(journal->loop, &job->work, run_job, after_job) == 0);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_check(uv_check_t *check)
{
    struct journal *journal = check->data;
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    (void)uv_idle_stop(&journal->idle);
    (void)uv_check_stop(&journal->check);
    begin_group(journal, false);
}

void journal_close(struct journal *journal, void (*on_closed)(void *context), void *context)
{
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    ASSERT(!journal->closing);
    journal->closing = true;
    journal->on_closed = on_closed;
    journal->on_closed_context = context;
    if (journal->group_state == GROUP_WAITING) {
        (void)uv_timer_stop(&journal->wait);
        start_group(journal);
    } else {
        begin_group(journal, true);
    }
    finish_when_idle(journal);
}

/* ---- operations ---- */

enum status journal_append(struct journal *journal, uint32_t type, const void *data, size_t size,
                           uint64_t *ret_end)
{
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    ASSERT(type != 0 && !journal->finished);
    if (size > JOURNAL_RECORD_MAX) {
        return STATUS_TOO_LARGE;
    }
    struct half *half = &journal->halves[journal->filling];
    size_t bytes = journal_entry_bytes(size);
    if (bytes > journal->pending_bytes_max - half->used - group_of(journal)->used) {
        return STATUS_FULL;
    }
    struct journal_entry *entry = (struct journal_entry *)(void *)(half->data + half->used);
    *entry =
        (struct journal_entry){.size = (uint32_t)size, .type = type, .group = (uint32_t)half->used};
    if (size > 0) {
        memcpy(entry + 1, data, size);
    }
    journal_entry_seal(entry, journal->seed, half->pos + half->used);
    half->used += bytes;
    if (journal->group_state == GROUP_NONE) {
        ASSERT(uv_idle_start(&journal->idle, on_idle) == 0);
        ASSERT(uv_check_start(&journal->check, on_check) == 0);
    }
    *ret_end = half->pos + half->used;
    return STATUS_OK;
}

static void run_trim(uv_work_t *work)
{
    struct trim *trim = work->data;
    MAGIC_CHECK(trim, TRIM_MAGIC);
    /* Oldest first and one synced after the other: whatever happens, no hole can come to be. */
    for (trim->done = 0; trim->done < trim->count; trim->done++) {
        char name[JOURNAL_NAME_BYTES];
        journal_segment_name(trim->bases[trim->done], name);
        bool gone = unlinkat(trim->dir_fd, name, 0) == 0 || errno == ENOENT;
        if (!gone || journal_io.fsync(trim->dir_fd) != 0) {
            return;
        }
    }
}

static void after_trim(uv_work_t *work, int canceled)
{
    struct trim *trim = work->data;
    MAGIC_CHECK(trim, TRIM_MAGIC);
    ASSERT(canceled == 0);
    struct journal *journal = (struct journal *)((char *)trim - offsetof(struct journal, trim));
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    struct journal_bases *bases = &journal->bases;
    bases->count -= trim->done;
    memmove(bases->items, bases->items + trim->done, bases->count * sizeof bases->items[0]);
    journal->trimming = false;
    finish_when_idle(journal);
}

uint32_t journal_trim(struct journal *journal, uint64_t pos)
{
    MAGIC_CHECK(journal, JOURNAL_MAGIC);
    struct trim *trim = &journal->trim;
    if (journal->trimming || journal->closing) {
        return 0;
    }
    uint32_t count = 0;
    while (count < TRIM_MAX && count + 1 < journal->bases.count &&
           journal->bases.items[count + 1] <= pos) {
        trim->bases[count] = journal->bases.items[count];
        count++;
    }
    if (count > 0) {
        trim->count = count;
        trim->work.data = trim;
        journal->trimming = true;
        ASSERT(uv_queue_work(journal->loop, &trim->work, run_trim, after_trim) == 0);
    }
    return count;
}

/* ---- queries ---- */

void journal_pending(const struct journal *journal,
                     void (*on_record)(void *context, const struct journal_record *record),
                     void *context)
{
    const uint32_t filling = journal->filling;
    (void)each_record(&journal->halves[1 - filling], on_record, context);
    (void)each_record(&journal->halves[filling], on_record, context);
}

uint64_t journal_durable_pos(const struct journal *journal)
{
    return journal->durable;
}

uint64_t journal_first_pos(const struct journal *journal)
{
    return journal->bases.items[0];
}

const char *journal_id(const struct journal *journal)
{
    return journal->job.id;
}

void journal_stats(const struct journal *journal, struct journal_stats *ret)
{
    *ret = journal->stats;
    ret->segments = journal->bases.count;
    ret->pending_bytes = journal->halves[0].used + journal->halves[1].used;
}
