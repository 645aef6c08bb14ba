#include "daemon/recovery.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/wiring_internal.h"

/* An image of 8 million cards is below. */
#define IMAGE_BYTES_MAX ((size_t)8 << 30)
enum { FILE_BEFORE_RECORD_MS = 3600000 }; /* a registry's file is older than its record */

/* ---- rules ---- */

static bool same_key(const struct registry_key *a, const struct registry_key *b)
{
    return a->crc == b->crc && a->bytes == b->bytes && a->revision == b->revision;
}

static struct registry_key key_of(const struct rules *rules)
{
    return (struct registry_key){rules->revision, rules->registry_bytes, rules->registry_crc};
}

static void version_free(struct registry_version *version)
{
    directory_free(version->directory);
    fence_set_free(version->fences);
    *version = (struct registry_version){0};
}

/* What was loaded at boot is kept while older ones hold: it holds at the end. */
static void put_in_force(struct campusd *campusd, struct registry_version *version)
{
    struct recovery *recovery = &campusd->recovery;
    struct registry_version old = {campusd->directory, campusd->fences, recovery->in_force};
    campusd->directory = version->directory;
    campusd->fences = version->fences;
    recovery->in_force = version->key;
    *version = (struct registry_version){0};
    ingest_set_directory(campusd->ingest, campusd->directory);
    if (campusd->replaying && same_key(&old.key, &recovery->loaded)) {
        recovery->next = old;
    } else {
        version_free(&old);
    }
}

static void step_silently(struct campusd *campusd, const struct engine_input *input)
{
    struct outbox outbox = {campusd->outbox, 0, STEP_ALERTS_MAX};
    engine_step(campusd->engine, input, &outbox);
    ASSERT(outbox.count == 0); /* re-based silently */
}

/* The engine looks at the ones before while it takes the others. */
static void change_registry(struct campusd *campusd, struct registry_version *version,
                            int64_t now_ms)
{
    struct engine_input input = {.type = INPUT_DIRECTORY, .now_ms = now_ms};
    input.u.directory = version->directory;
    step_silently(campusd, &input);
    input.type = INPUT_FENCES;
    input.u.fences = version->fences;
    step_silently(campusd, &input);
    put_in_force(campusd, version);
}

static bool fits(const struct campusd *campusd, const struct directory *directory)
{
    uint64_t limit = campusd->config->limit_cards;
    return directory->card_end <= limit && directory->pupil_end <= limit &&
           directory->gate_end <= limit;
}

/* The registry of rules that are replayed: the one that was loaded, or a file. */
static bool find_version(struct campusd *campusd, const struct registry_key *key,
                         struct registry_version *ret)
{
    struct recovery *recovery = &campusd->recovery;
    const char *cache = campusd->config->registry_cache;
    struct status_detail detail = {"too many cards for limit.cards"};
    char path[PATH_MAX];
    if (recovery->next.directory != NULL && same_key(&recovery->next.key, key)) {
        *ret = recovery->next;
        recovery->next = (struct registry_version){0};
        return true;
    }
    *ret = (struct registry_version){0};
    enum status status = registry_cache_kept(cache, key, path, sizeof path);
    if (status == STATUS_OK) {
        status = registry_cache_read(path, &ret->directory, &ret->fences, &ret->key, &detail);
    }
    if (status == STATUS_OK && same_key(&ret->key, key) && fits(campusd, ret->directory)) {
        return true;
    }
    if (status == STATUS_OK) {
        version_free(ret);
    }
    log_event(LOG_ERROR, "rules.lost", LOG_INT("revision", key->revision),
              LOG_STR("reason", detail.text),
              LOG_STR("effect", "what is replayed from here goes by another registry"));
    return false;
}

void recovery_take_rules(struct campusd *campusd, const struct rules *rules)
{
    struct recovery *recovery = &campusd->recovery;
    const struct registry_key key = key_of(rules);
    struct registry_version version = {0};
    bool known = same_key(&key, &recovery->in_force);
    if (!known && !campusd->replaying) {
        version = recovery->appended;
        recovery->appended = (struct registry_version){0};
        ASSERT(version.directory != NULL && same_key(&version.key, &key));
        known = true;
    } else if (!known) {
        known = find_version(campusd, &key, &version);
    }
    if (version.directory != NULL) {
        change_registry(campusd, &version, rules->now_ms);
    }
    const struct engine_input input = {
        .type = INPUT_POLICY, .now_ms = rules->now_ms, .u.policy = &rules->policy};
    step_silently(campusd, &input);
    recovery->rules = *rules;
    recovery->has_rules = known;
    if (!campusd->replaying) {
        recovery->is_appended = false;
    }
}

/* version NULL: the registry in force, with another policy. False: no room now. */
static bool append_rules(struct campusd *campusd, const struct registry_key *key)
{
    struct recovery *recovery = &campusd->recovery;
    const struct rules rules = {.now_ms = clock_wall_ms(),
                                .revision = key->revision,
                                .registry_bytes = key->bytes,
                                .registry_crc = key->crc,
                                .policy = recovery->policy};
    uint64_t end;
    buffer_clear(&campusd->record);
    record_put_rules(&campusd->record, &rules);
    if (buffer_status(&campusd->record) != STATUS_OK ||
        journal_append(campusd->journal, RECORD_RULES, campusd->record.data, campusd->record.size,
                       &end) != STATUS_OK) {
        return false;
    }
    campusd->appended = end;
    recovery->is_appended = true;
    return true;
}

/* What waits goes into the journal, one after the other. */
static void append_next(struct campusd *campusd)
{
    struct recovery *recovery = &campusd->recovery;
    if (recovery->is_appended || campusd->stopping || campusd->journal == NULL ||
        campusd->callbacks.on_raised != NULL) {
        return;
    }
    if (recovery->next.directory != NULL) {
        if (append_rules(campusd, &recovery->next.key)) {
            recovery->appended = recovery->next;
            recovery->next = (struct registry_version){0};
        }
        return;
    }
    if (!recovery->has_rules ||
        memcmp(&recovery->rules.policy, &recovery->policy, sizeof recovery->policy) != 0) {
        (void)append_rules(campusd, &recovery->in_force);
    }
}

void recovery_new_registry(struct campusd *campusd, const struct registry_version *version)
{
    struct recovery *recovery = &campusd->recovery;
    struct registry_version taken = *version;
    version_free(&recovery->next); /* never held */
    if (!recovery->is_appended && same_key(&taken.key, &recovery->in_force)) {
        version_free(&taken);
        return;
    }
    recovery->next = taken;
    append_next(campusd);
}

/* ---- boot ---- */

/* The state of the snapshot. Of the two images one may be taken alone: windows only ever rise, and the
 * journal raises them again. */
static enum status take_images(struct campusd *campusd, const struct snapshot *snapshot,
                               const struct registry_version *version)
{
    enum status status =
        ingest_image_get(campusd->ingest, snapshot->ingest.at, snapshot->ingest.length);
    if (status == STATUS_OK) {
        status = engine_image_get(campusd->engine, snapshot->engine.at, snapshot->engine.length,
                                  version->directory, version->fences);
    }
    if (status == STATUS_OK && snapshot->extra.length == sizeof campusd->ages) {
        memcpy(campusd->ages, snapshot->extra.at, snapshot->extra.length);
        while (campusd->age_count < AGE_SAMPLES && campusd->ages[campusd->age_count].time_ms != 0) {
            campusd->age_count++;
        }
    }
    return status;
}

static bool begin_at_snapshot(struct campusd *campusd, struct registry_version *loaded)
{
    struct recovery *recovery = &campusd->recovery;
    struct status_detail detail = {""};
    struct registry_version version;
    struct snapshot snapshot;
    char id[SNAPSHOT_ID_BYTES + 1];
    if (journal_id_in(campusd->config->journal_directory, id) != STATUS_OK) {
        return false;
    }
    enum status status =
        snapshot_read_newest(campusd->config->journal_directory, id, &recovery->image, &snapshot,
                             &recovery->kept, &detail);
    if (detail.text[0] != '\0') {
        log_event(LOG_WARN, "snapshot.passed_over", LOG_STR("reason", detail.text));
    }
    if (status != STATUS_OK) {
        return false;
    }
    const struct registry_key key = key_of(&snapshot.rules);
    recovery->next = *loaded;
    if (!find_version(campusd, &key, &version)) {
        recovery->next = (struct registry_version){0};
        return false;
    }
    status = take_images(campusd, &snapshot, &version);
    if (status != STATUS_OK) {
        log_event(LOG_WARN, "snapshot.passed_over", LOG_STR("reason", status_words(status)),
                  LOG_STR("effect", "the whole journal is replayed"));
        if (recovery->next.directory != NULL) {
            version_free(&version);
        }
        recovery->next = (struct registry_version){0};
        return false;
    }
    *loaded = version;
    recovery->began_at = snapshot.pos;
    recovery->replay_from = snapshot.replay_from;
    recovery->rules = snapshot.rules;
    recovery->has_rules = true;
    recovery->pos = snapshot.pos;
    campusd->tick_ms = snapshot.tick_ms;
    alert_flow_replay_mark(campusd->alerts, &(struct mark){snapshot.pos, snapshot.confirmed});
    return true;
}

void recovery_begin(struct campusd *campusd, const struct registry_version *loaded)
{
    struct recovery *recovery = &campusd->recovery;
    struct registry_version version = *loaded;
    int64_t start_us = clock_mono_us();
    buffer_init(&recovery->image, IMAGE_BYTES_MAX);
    recovery->loaded = loaded->key;
    campusd->replaying = true;
    bool whole = campusd->callbacks.on_raised != NULL; /* what all of the journal raises */
    if (!whole && begin_at_snapshot(campusd, &version)) {
        put_in_force(campusd, &version);
    } else {
        change_registry(campusd, &version, 0);
    }
    recovery->load_ms = (uint64_t)(clock_mono_us() - start_us) / 1000;
    if (recovery->began_at != 0) {
        log_event(LOG_INFO, "snapshot.loaded", LOG_INT("position", recovery->began_at),
                  LOG_INT("took_ms", recovery->load_ms));
    }
}

enum status recovery_end(struct campusd *campusd, struct status_detail *detail)
{
    struct recovery *recovery = &campusd->recovery;
    uint64_t first = journal_first_pos(campusd->journal);
    if (campusd->durable < recovery->began_at || first > recovery->began_at) {
        return status_detail_set(
            detail, STATUS_CORRUPT,
            "the journal reaches from %llu to %llu, its newest snapshot is at %llu: segments are "
            "missing; bring them back, or remove the snapshots to go on with what is there",
            (unsigned long long)first, (unsigned long long)campusd->durable,
            (unsigned long long)recovery->began_at);
    }
    if (recovery->began_at == 0 && recovery->has_rules == false && first > 0) {
        log_event(LOG_WARN, "rules.unknown",
                  LOG_STR("effect", "the journal was replayed under the registry of today"));
    }
    append_next(campusd);
    return STATUS_OK;
}

/* ---- snapshots ---- */

static void tell_failure(struct campusd *campusd)
{
    struct recovery *recovery = &campusd->recovery;
    recovery->failures++;
    if (!recovery->failed) { /* once, until it goes well again */
        log_event(LOG_ERROR, "snapshot.failed", LOG_STR("reason", recovery->detail.text),
                  LOG_STR("effect", "a restart takes longer; it is tried again"));
    }
    recovery->failed = true;
}

static void write_work(uv_work_t *work)
{
    struct campusd *campusd = work->data;
    struct recovery *recovery = &campusd->recovery;
    recovery->status = snapshot_write_aside(campusd->config->journal_directory, &recovery->snapshot,
                                            &recovery->detail);
}

static void after_write(uv_work_t *work, int status)
{
    struct campusd *campusd = work->data;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    ASSERT(status == 0); /* never cancelled */
    campusd->recovery.busy = false;
    campusd->recovery.is_aside = campusd->recovery.status == STATUS_OK;
    if (!campusd->recovery.is_aside) {
        tell_failure(campusd);
    }
    recovery_durable(campusd);
    campusd_part_closed(campusd);
}

static void publish_work(uv_work_t *work)
{
    struct campusd *campusd = work->data;
    struct recovery *recovery = &campusd->recovery;
    struct registry_key keys[SNAPSHOTS_KEPT];
    recovery->status = snapshot_publish(campusd->config->journal_directory, recovery->snapshot.pos,
                                        &recovery->kept_next, &recovery->detail);
    const struct snapshots_kept *kept = &recovery->kept_next;
    for (uint32_t i = 0; i < kept->count; i++) {
        keys[i] = key_of(&kept->items[i].rules);
    }
    if (recovery->status == STATUS_OK && kept->count == SNAPSHOTS_KEPT) {
        int64_t before_ms = recovery->journal_since_ms < kept->items[0].made_ms
                                ? recovery->journal_since_ms
                                : kept->items[0].made_ms;
        registry_cache_forget(campusd->config->registry_cache, before_ms - FILE_BEFORE_RECORD_MS,
                              keys, kept->count);
    }
}

static void after_publish(uv_work_t *work, int status)
{
    struct campusd *campusd = work->data;
    struct recovery *recovery = &campusd->recovery;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    ASSERT(status == 0); /* never cancelled */
    recovery->busy = false;
    if (recovery->status == STATUS_OK) {
        recovery->failed = false;
        recovery->kept = recovery->kept_next;
        recovery->pos = recovery->snapshot.pos;
        recovery->made++;
        log_event(LOG_DEBUG, "snapshot.made", LOG_INT("position", recovery->pos),
                  LOG_INT("bytes", recovery->bytes), LOG_INT("pause_us", recovery->pause_us));
    } else {
        tell_failure(campusd);
    }
    campusd_part_closed(campusd);
}

static void run(struct campusd *campusd, uv_work_cb work, uv_after_work_cb after)
{
    campusd->recovery.busy = true;
    campusd->handles_open++; /* it is waited for */
    campusd->recovery.work.data = campusd;
    int failed = uv_queue_work(campusd->loop, &campusd->recovery.work, work, after);
    ASSERT(failed == 0);
}

/* When the oldest records that are kept were written, or before. */
static int64_t journal_since_ms(const struct campusd *campusd)
{
    uint64_t first = journal_first_pos(campusd->journal);
    int64_t since_ms = campusd->age_count > 0 ? campusd->ages[0].time_ms : 0;
    for (uint32_t i = 0; i < campusd->age_count && campusd->ages[i].pos <= first; i++) {
        since_ms = campusd->ages[i].time_ms;
    }
    return since_ms;
}

void recovery_durable(struct campusd *campusd)
{
    struct recovery *recovery = &campusd->recovery;
    if (recovery->is_aside && !recovery->busy && !campusd->stopping &&
        campusd->durable >= recovery->needs) {
        recovery->is_aside = false;
        recovery->journal_since_ms = journal_since_ms(campusd);
        run(campusd, publish_work, after_publish);
    }
}

/* Everything durable has moved the engine, and what it raised has its records at least in memory. */
static void capture(struct campusd *campusd)
{
    struct recovery *recovery = &campusd->recovery;
    int64_t start_us = clock_mono_us();
    size_t engine_size = engine_image_bytes(campusd->engine);
    size_t ingest_size = ingest_image_bytes(campusd->ingest);
    size_t extra_size = sizeof campusd->ages;
    buffer_clear(&recovery->image);
    char *at = buffer_extend(&recovery->image, engine_size + ingest_size + extra_size);
    if (at == NULL) {
        (void)status_detail_set(&recovery->detail, STATUS_NO_MEMORY, "no memory for the image");
        tell_failure(campusd);
        return;
    }
    engine_image_put(campusd->engine, at);
    ingest_image_put(campusd->ingest, at + engine_size);
    memset(campusd->ages + campusd->age_count, 0,
           (AGE_SAMPLES - campusd->age_count) * sizeof *campusd->ages);
    memcpy(at + engine_size + ingest_size, campusd->ages, extra_size);
    struct snapshot *snapshot = &recovery->snapshot;
    *snapshot = (struct snapshot){.pos = campusd->durable,
                                  .replay_from = campusd->durable,
                                  .made_ms = clock_wall_ms(),
                                  .tick_ms = campusd->tick_ms,
                                  .rules = recovery->rules,
                                  .engine = {at, engine_size},
                                  .ingest = {at + engine_size, ingest_size},
                                  .extra = {at + engine_size + ingest_size, extra_size}};
    memcpy(snapshot->journal_id, journal_id(campusd->journal), SNAPSHOT_ID_BYTES);
    struct alert_flow_stats flow;
    alert_flow_stats(campusd->alerts, &flow);
    uint64_t done = campusd_alerts_done(campusd);
    snapshot->confirmed = flow.confirmed;
    snapshot->replay_from = done < snapshot->pos ? done : snapshot->pos;
    recovery->needs = campusd->appended;
    recovery->bytes = engine_size + ingest_size + extra_size;
    recovery->pause_us = (uint64_t)(clock_mono_us() - start_us);
    recovery->pause_us_max =
        recovery->pause_us > recovery->pause_us_max ? recovery->pause_us : recovery->pause_us_max;
    run(campusd, write_work, after_write);
}

void recovery_upkeep(struct campusd *campusd)
{
    struct recovery *recovery = &campusd->recovery;
    append_next(campusd);
    recovery_durable(campusd);
    int64_t now_ms = clock_mono_us() / 1000;
    if (recovery->tried_ms == 0) {
        recovery->tried_ms = now_ms; /* the first one is due after as long as the others */
    }
    bool due = recovery->in_the_way ||
               now_ms - recovery->tried_ms >= (int64_t)campusd->config->snapshot_every_s * 1000;
    if (due && !recovery->busy && !recovery->is_aside && recovery->has_rules &&
        !campusd->stopping && campusd->bridge != NULL && campusd->trouble.text[0] == '\0' &&
        campusd->durable > recovery->pos && alert_flow_recorded(campusd->alerts)) {
        recovery->tried_ms = now_ms;
        capture(campusd);
    }
}

uint64_t recovery_keeps_from(const struct campusd *campusd)
{
    const struct snapshots_kept *kept = &campusd->recovery.kept;
    uint64_t pos = UINT64_MAX;
    for (uint32_t i = 0; i < kept->count; i++) {
        pos = kept->items[i].replay_from < pos ? kept->items[i].replay_from : pos;
    }
    return pos;
}

void recovery_in_the_way(struct campusd *campusd, bool is_in_the_way)
{
    struct recovery *recovery = &campusd->recovery;
    recovery->in_the_way = is_in_the_way;
    if (is_in_the_way && campusd->trouble.text[0] != '\0' && !recovery->busy) {
        recovery->is_aside = false;
        recovery->kept = (struct snapshots_kept){0};
        snapshot_remove_all(campusd->config->journal_directory);
        log_event(
            LOG_WARN, "snapshot.given_up",
            LOG_STR("effect", "the journal has room; a restart before the next one knows less"));
    }
}

void recovery_free(struct campusd *campusd)
{
    version_free(&campusd->recovery.appended);
    version_free(&campusd->recovery.next);
    buffer_release(&campusd->recovery.image);
}
