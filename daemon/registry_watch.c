#include "daemon/registry_watch.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "storage/registry.h"

enum { WATCH_MAGIC = 0x72776174 };

/* All that the worker touches. */
struct job {
    const char *conninfo, *cache;
    PGconn *conn;
    bool migrated, loaded_before;
    bool verified;  /* what is in force came from the database itself */
    uint64_t known; /* revision in force */
    /* out */
    enum status status;
    struct status_detail detail;
    struct directory *directory;
    struct fence_set *fences;
    struct registry_key key;
    bool from_cache;
    enum status cache_status;
    struct status_detail cache_detail;
};

struct registry_watch {
    uint32_t magic;
    struct registry_watch_options options;
    uv_timer_t timer;
    uv_work_t work;
    struct job job;
    bool busy, again, closing, timer_closed, connected;
    uint64_t loads, failures;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* At boot what the cache holds serves, if the database has the same revision; the next look loads all the
 * same, as another database may have come to that number too. */
static void read_cache(struct job *job)
{
    job->cache_status = registry_cache_read(job->cache, &job->directory, &job->fences, &job->key,
                                            &job->cache_detail);
    job->from_cache = job->cache_status == STATUS_OK;
    if (job->from_cache) {
        job->cache_status = registry_cache_keep(job->cache, &job->key, &job->cache_detail);
    }
}

static void drop_cached(struct job *job)
{
    directory_free(job->directory);
    fence_set_free(job->fences);
    job->directory = NULL;
    job->fences = NULL;
    job->from_cache = false;
}

static enum status load_if_changed(struct job *job)
{
    uint64_t revision;
    enum status status = registry_revision(job->conn, &revision, &job->detail);
    bool known = job->from_cache ? revision == job->key.revision
                                 : job->loaded_before && job->verified && revision == job->known;
    if (status != STATUS_OK || known) {
        return status;
    }
    if (job->from_cache) {
        drop_cached(job);
    }
    status = registry_load(job->conn, &job->directory, &job->fences, &job->detail);
    job->verified = status == STATUS_OK;
    if (status == STATUS_OK) {
        job->cache_status = registry_cache_write(job->cache, job->directory, job->fences, &job->key,
                                                 &job->cache_detail);
        if (job->cache_status == STATUS_OK) {
            job->cache_status = registry_cache_keep(job->cache, &job->key, &job->cache_detail);
        }
    }
    return status;
}

static enum status ask_database(struct job *job)
{
    enum status status = STATUS_OK;
    if (job->conn == NULL) {
        status = registry_connect(job->conninfo, &job->conn, &job->detail);
    }
    if (status == STATUS_OK && !job->migrated) {
        status = registry_migrate(job->conn, &job->detail);
        job->migrated = status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = load_if_changed(job);
    }
    if (status != STATUS_OK && job->conn != NULL) {
        PQfinish(job->conn);
        job->conn = NULL;
    }
    return status;
}

static void work(uv_work_t *request)
{
    struct job *job = request->data;
    job->cache_status = STATUS_OK;
    job->from_cache = false;
    if (!job->loaded_before) {
        read_cache(job);
    }
    job->status = ask_database(job);
    if (job->status != STATUS_OK && !job->loaded_before && job->directory == NULL) {
        read_cache(job);
    }
}

static void maybe_closed(struct registry_watch *watch)
{
    if (!watch->closing || watch->busy || !watch->timer_closed) {
        return;
    }
    if (watch->job.conn != NULL) {
        PQfinish(watch->job.conn);
    }
    void (*on_closed)(void *) = watch->on_closed;
    void *context = watch->closed_context;
    free(watch);
    on_closed(context);
}

static void tell_state(struct registry_watch *watch)
{
    struct job *job = &watch->job;
    bool connected = job->status == STATUS_OK;
    if (!connected) {
        watch->failures++;
    }
    if (connected != watch->connected || (!connected && watch->failures == 1)) {
        if (connected) {
            log_event(LOG_INFO, "registry.connected");
        } else {
            log_event(LOG_WARN, "registry.away", LOG_STR("reason", job->detail.text));
        }
    }
    watch->connected = connected;
    if (job->cache_status != STATUS_OK) {
        log_event(LOG_WARN, "registry.cache", LOG_STR("reason", job->cache_detail.text));
    }
}

static void hand_over(struct registry_watch *watch)
{
    struct job *job = &watch->job;
    struct directory *directory = job->directory;
    struct fence_set *fences = job->fences;
    job->directory = NULL;
    job->fences = NULL;
    if (directory == NULL) {
        return;
    }
    if (watch->closing) {
        directory_free(directory);
        fence_set_free(fences);
        return;
    }
    job->known = directory->revision;
    job->loaded_before = true;
    watch->loads++;
    watch->options.on_loaded(watch->options.context, directory, fences, &job->key, job->from_cache);
}

static void start(struct registry_watch *watch);

static void after_work(uv_work_t *request, int status)
{
    ASSERT(status == 0); /* never cancelled */
    struct job *job = request->data;
    struct registry_watch *watch =
        (struct registry_watch *)((char *)job - offsetof(struct registry_watch, job));
    MAGIC_CHECK(watch, WATCH_MAGIC);
    watch->busy = false;
    if (!watch->closing) {
        tell_state(watch);
    }
    hand_over(watch);
    if (watch->again && !watch->closing) {
        start(watch);
    }
    maybe_closed(watch);
}

static void start(struct registry_watch *watch)
{
    if (watch->busy) {
        watch->again = true;
        return;
    }
    watch->again = false;
    watch->busy = true;
    watch->work.data = &watch->job;
    int failed = uv_queue_work(watch->timer.loop, &watch->work, work, after_work);
    ASSERT(failed == 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct registry_watch *watch = timer->data;
    MAGIC_CHECK(watch, WATCH_MAGIC);
    if (!watch->busy) {
        start(watch);
    }
}

enum status registry_watch_open(uv_loop_t *loop, const struct registry_watch_options *options,
                                struct registry_watch **ret)
{
    struct registry_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return STATUS_NO_MEMORY;
    }
    watch->magic = WATCH_MAGIC;
    watch->options = *options;
    watch->job.conninfo = options->conninfo;
    watch->job.cache = options->cache;
    int failed = uv_timer_init(loop, &watch->timer);
    ASSERT(failed == 0);
    watch->timer.data = watch;
    failed = uv_timer_start(&watch->timer, on_timer, 0, options->poll_ms);
    ASSERT(failed == 0);
    *ret = watch;
    return STATUS_OK;
}

static void timer_gone(uv_handle_t *handle)
{
    struct registry_watch *watch = handle->data;
    MAGIC_CHECK(watch, WATCH_MAGIC);
    watch->timer_closed = true;
    maybe_closed(watch);
}

void registry_watch_close(struct registry_watch *watch, void (*on_closed)(void *context),
                          void *context)
{
    watch->closing = true;
    watch->on_closed = on_closed;
    watch->closed_context = context;
    uv_close((uv_handle_t *)&watch->timer, timer_gone);
}

void registry_watch_poke(struct registry_watch *watch)
{
    start(watch);
}

void registry_watch_set_poll(struct registry_watch *watch, uint64_t poll_ms)
{
    uv_timer_set_repeat(&watch->timer, poll_ms);
}

void registry_watch_stats(const struct registry_watch *watch, struct registry_watch_stats *ret)
{
    *ret = (struct registry_watch_stats){.revision = watch->job.known,
                                         .loads = watch->loads,
                                         .failures = watch->failures,
                                         .connected = watch->connected};
}
