#include "storage/registry_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "core/limits.h"

/* The file: a head, then the body in the order of the functions below. All numbers little-endian,
 * as memory holds them; another layout gets another CACHE_VERSION, and an old file is refused and
 * made anew. */
#define CACHE_MAGIC     "CAMPUSRG"
#define CACHE_BYTES_MAX ((size_t)2 << 30)
enum { CACHE_VERSION = 1 };

struct cache_head {
    char magic[8];
    uint32_t version, crc; /* crc: of the body */
    uint64_t body_bytes;
};
_Static_assert(sizeof(struct cache_head) == 24, "the head lies on disk");

/* ---- writing ---- */

static void put_u32(struct buffer *out, uint32_t value)
{
    buffer_append(out, &value, sizeof value);
}

/* NULL keeps apart from "". */
static void put_string(struct buffer *out, const char *string)
{
    put_u32(out, string == NULL ? UINT32_MAX : (uint32_t)strlen(string));
    if (string != NULL) {
        buffer_append(out, string, strlen(string));
    }
}

static void put_directory(struct buffer *out, const struct directory *directory)
{
    buffer_append(out, &directory->revision, sizeof directory->revision);
    const uint32_t ends[] = {directory->school_end, directory->pupil_end,
                             directory->card_end,   directory->guardian_end,
                             directory->gate_end,   directory->guardian_link_count};
    buffer_append(out, ends, sizeof ends);
    for (uint32_t i = 1; i < directory->school_end; i++) {
        put_string(out, directory->schools[i].id);
    }
    for (uint32_t i = 1; i < directory->pupil_end; i++) {
        const struct dir_pupil *pupil = &directory->pupils[i];
        put_string(out, pupil->id);
        put_u32(out, pupil->school_no);
        put_u32(out, pupil->guardian_first);
        put_u32(out, pupil->guardian_count);
    }
    for (uint32_t i = 1; i < directory->card_end; i++) {
        const struct dir_card *card = &directory->cards[i];
        put_string(out, card->id);
        put_string(out, card->owntracks);
        put_u32(out, card->pupil_no);
        put_u32(out, card->school_no);
    }
    for (uint32_t i = 1; i < directory->guardian_end; i++) {
        put_string(out, directory->guardians[i].id);
    }
    for (uint32_t i = 1; i < directory->gate_end; i++) {
        put_string(out, directory->gates[i].id);
        put_u32(out, directory->gates[i].school_no);
    }
    for (uint32_t i = 0; i < directory->guardian_link_count; i++) {
        put_u32(out, directory->guardian_links[i]);
    }
}

static void put_fences(struct buffer *out, const struct fence_set *fences)
{
    buffer_append(out, &fences->revision, sizeof fences->revision);
    put_u32(out, fences->count);
    for (uint32_t i = 0; i < fences->count; i++) {
        const struct fence *fence = &fences->items[i];
        const struct geo_shape *shape = &fences->shapes[i];
        put_string(out, fence->id);
        const uint32_t numbers[] = {fence->no,         fence->version,    fence->school_no,
                                    fence->kind,       fence->severity,   (uint32_t)shape->kind,
                                    shape->ring_count, shape->point_count};
        buffer_append(out, numbers, sizeof numbers);
        buffer_append(out, &shape->radius_m, sizeof shape->radius_m);
        buffer_append(out, &shape->low, sizeof shape->low);
        buffer_append(out, &shape->high, sizeof shape->high);
        buffer_append(out, shape->ring_ends, shape->ring_count * sizeof *shape->ring_ends);
        buffer_append(out, shape->points, shape->point_count * sizeof *shape->points);
    }
}

static enum status io_failed(const char *path, const char *what, struct status_detail *detail)
{
    return status_detail_set(detail, STATUS_IO, "%s: %s: %s", path, what, strerror(errno));
}

static enum status write_all(int fd, const void *data, size_t size, const char *path,
                             struct status_detail *detail)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return io_failed(path, "write", detail);
        }
        at += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

static enum status write_aside(const char *path, const struct cache_head *head,
                               const struct buffer *body, struct status_detail *detail)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return io_failed(path, "open", detail);
    }
    enum status status = write_all(fd, head, sizeof *head, path, detail);
    if (status == STATUS_OK) {
        status = write_all(fd, body->data, body->size, path, detail);
    }
    if (status == STATUS_OK && fsync(fd) != 0) {
        status = io_failed(path, "fsync", detail);
    }
    if (close(fd) != 0 && status == STATUS_OK) {
        status = io_failed(path, "close", detail);
    }
    return status;
}

/* The new name itself must survive a power cut. */
static enum status sync_directory(const char *path, struct status_detail *detail)
{
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (directory == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
    }
    enum status status = STATUS_OK;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        status = io_failed(directory, "fsync", detail);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(directory);
    return status;
}

enum status registry_cache_write(const char *path, const struct directory *directory,
                                 const struct fence_set *fences, struct registry_key *ret_key,
                                 struct status_detail *detail)
{
    struct buffer body, aside;
    *ret_key = (struct registry_key){0};
    buffer_init(&body, CACHE_BYTES_MAX);
    buffer_init(&aside, 8192);
    put_directory(&body, directory);
    put_fences(&body, fences);
    buffer_printf(&aside, "%s.%ld.new", path, (long)getpid());
    enum status status = buffer_status(&body);
    if (status == STATUS_OK) {
        status = buffer_status(&aside);
    }
    if (status != STATUS_OK) {
        (void)status_detail_set(detail, status, "%s: %s", path, status_words(status));
        goto release;
    }
    struct cache_head head = {.version = CACHE_VERSION, .body_bytes = body.size};
    memcpy(head.magic, CACHE_MAGIC, sizeof head.magic);
    head.crc = libdeflate_crc32(0, body.data, body.size);
    *ret_key =
        (struct registry_key){.revision = directory->revision, .bytes = body.size, .crc = head.crc};
    const char *new_path = buffer_cstr(&aside);
    status = write_aside(new_path, &head, &body, detail);
    if (status == STATUS_OK && rename(new_path, path) != 0) {
        status = io_failed(path, "rename", detail);
    }
    if (status == STATUS_OK) {
        status = sync_directory(path, detail);
    } else {
        (void)unlink(new_path);
    }
release:
    buffer_release(&body);
    buffer_release(&aside);
    return status;
}

/* ---- reading: a file is outside data, checksum or not ---- */

struct cursor {
    const char *at;
    size_t left;
    struct arena *arena;
    enum status failed;
};

static const void *take(struct cursor *cursor, size_t size)
{
    if (cursor->failed != STATUS_OK || size > cursor->left) {
        if (cursor->failed == STATUS_OK) {
            cursor->failed = STATUS_CORRUPT;
        }
        return NULL;
    }
    const void *bytes = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return bytes;
}

/* false, and ret untouched, when there is not as much. */
static bool take_into(struct cursor *cursor, void *ret, size_t size)
{
    const void *bytes = take(cursor, size);
    if (bytes != NULL && size > 0) {
        memcpy(ret, bytes, size);
    }
    return bytes != NULL;
}

static uint32_t take_u32(struct cursor *cursor)
{
    uint32_t value = 0;
    (void)take_into(cursor, &value, sizeof value);
    return value;
}

static const char *take_string(struct cursor *cursor)
{
    uint32_t length = take_u32(cursor);
    if (length == UINT32_MAX || cursor->failed != STATUS_OK) {
        return NULL;
    }
    const char *bytes = take(cursor, length);
    if (bytes == NULL) {
        return NULL;
    }
    char *copy = arena_copy_text(cursor->arena, bytes, length);
    if (copy == NULL) {
        cursor->failed = STATUS_NO_MEMORY;
    }
    return copy;
}

static void take_people(struct cursor *cursor, struct directory *directory)
{
    for (uint32_t i = 1; i < directory->school_end; i++) {
        directory->schools[i].id = take_string(cursor);
    }
    for (uint32_t i = 1; i < directory->pupil_end; i++) {
        struct dir_pupil *pupil = &directory->pupils[i];
        pupil->id = take_string(cursor);
        pupil->school_no = take_u32(cursor);
        pupil->guardian_first = take_u32(cursor);
        pupil->guardian_count = take_u32(cursor);
    }
    for (uint32_t i = 1; i < directory->card_end; i++) {
        struct dir_card *card = &directory->cards[i];
        card->id = take_string(cursor);
        card->owntracks = take_string(cursor);
        card->pupil_no = take_u32(cursor);
        card->school_no = take_u32(cursor);
    }
    for (uint32_t i = 1; i < directory->guardian_end; i++) {
        directory->guardians[i].id = take_string(cursor);
    }
    for (uint32_t i = 1; i < directory->gate_end; i++) {
        directory->gates[i].id = take_string(cursor);
        directory->gates[i].school_no = take_u32(cursor);
    }
    for (uint32_t i = 0; i < directory->guardian_link_count; i++) {
        directory->guardian_links[i] = take_u32(cursor);
    }
}

static enum status take_directory(struct cursor *cursor, struct directory **ret,
                                  struct status_detail *detail)
{
    uint64_t revision;
    uint32_t ends[6];
    if (!take_into(cursor, &revision, sizeof revision) || !take_into(cursor, ends, sizeof ends)) {
        return STATUS_CORRUPT;
    }
    for (size_t i = 0; i < 6; i++) {
        /* every entry takes at least four bytes: a bound on what is allocated for a lying file */
        if (ends[i] / 4 > cursor->left || (i < 5 && ends[i] == 0)) {
            return STATUS_CORRUPT;
        }
    }
    struct directory_ends wanted = {ends[0], ends[1], ends[2], ends[3], ends[4], ends[5]};
    struct directory *directory = NULL;
    enum status status = directory_new(&wanted, &directory);
    if (status != STATUS_OK) {
        return status;
    }
    directory->revision = revision;
    directory->guardian_link_count = ends[5];
    cursor->arena = &directory->arena;
    take_people(cursor, directory);
    status = cursor->failed;
    if (status == STATUS_OK && directory_seal(directory, detail) != STATUS_OK) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        directory_free(directory);
        return status;
    }
    *ret = directory;
    return STATUS_OK;
}

static bool rings_are_sound(const uint32_t *ends, uint32_t ring_count, uint32_t point_count)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < ring_count; i++) {
        if (ends[i] < before + 3 || ends[i] > point_count) {
            return false;
        }
        before = ends[i];
    }
    return before == point_count;
}

static bool points_are_sound(const struct geo_point *points, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (points[i].lat_e7 < -GEO_LAT_E7_MAX || points[i].lat_e7 > GEO_LAT_E7_MAX ||
            points[i].lon_e7 < -GEO_LON_E7_MAX || points[i].lon_e7 > GEO_LON_E7_MAX) {
            return false;
        }
    }
    return true;
}

static bool shape_is_sound(const struct geo_shape *shape)
{
    switch (shape->kind) {
    case GEO_POLYGON:
        return shape->ring_count > 0 &&
               rings_are_sound(shape->ring_ends, shape->ring_count, shape->point_count);
    case GEO_CIRCLE:
        return shape->ring_count == 0 && shape->point_count == 1 && shape->radius_m > 0;
    case GEO_CORRIDOR:
        return shape->ring_count == 0 && shape->point_count >= 2 && shape->radius_m > 0;
    }
    return false;
}

static void take_fence(struct cursor *cursor, struct fence *fence, struct geo_shape *shape)
{
    uint32_t numbers[8] = {0};
    fence->id = take_string(cursor);
    (void)take_into(cursor, numbers, sizeof numbers);
    fence->no = numbers[0];
    fence->version = numbers[1];
    fence->school_no = numbers[2];
    fence->kind = (uint8_t)numbers[3];
    fence->severity = (uint8_t)numbers[4];
    shape->kind = (enum geo_shape_kind)numbers[5];
    shape->ring_count = numbers[6];
    shape->point_count = numbers[7];
    (void)take_into(cursor, &shape->radius_m, sizeof shape->radius_m);
    (void)take_into(cursor, &shape->low, sizeof shape->low);
    (void)take_into(cursor, &shape->high, sizeof shape->high);
    const void *ring_bytes = take(cursor, (size_t)shape->ring_count * sizeof(uint32_t));
    const void *point_bytes = take(cursor, (size_t)shape->point_count * sizeof(struct geo_point));
    if (cursor->failed != STATUS_OK) {
        return;
    }
    uint32_t *ends = arena_array(cursor->arena, shape->ring_count + (size_t)1, sizeof *ends);
    struct geo_point *points =
        arena_array(cursor->arena, shape->point_count + (size_t)1, sizeof *points);
    if (ends == NULL || points == NULL) {
        cursor->failed = STATUS_NO_MEMORY;
        return;
    }
    memcpy(ends, ring_bytes, (size_t)shape->ring_count * sizeof *ends);
    memcpy(points, point_bytes, (size_t)shape->point_count * sizeof *points);
    shape->ring_ends = ends;
    shape->points = points;
    if (!shape_is_sound(shape) || !points_are_sound(points, shape->point_count)) {
        cursor->failed = STATUS_CORRUPT;
    }
}

static enum status take_fences(struct cursor *cursor, struct fence_set **ret,
                               struct status_detail *detail)
{
    uint64_t revision;
    uint32_t count;
    if (!take_into(cursor, &revision, sizeof revision) ||
        !take_into(cursor, &count, sizeof count) || count > cursor->left) {
        return STATUS_CORRUPT;
    }
    struct fence_set *fences = NULL;
    enum status status = fence_set_new(count, &fences);
    if (status != STATUS_OK) {
        return status;
    }
    fences->revision = revision;
    cursor->arena = &fences->arena;
    for (uint32_t i = 0; i < count && cursor->failed == STATUS_OK; i++) {
        take_fence(cursor, &fences->items[i], &fences->shapes[i]);
    }
    status = cursor->failed;
    if (status == STATUS_OK && cursor->left > 0) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK && fence_set_seal(fences, detail) != STATUS_OK) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        fence_set_free(fences);
        return status;
    }
    *ret = fences;
    return STATUS_OK;
}

/* The whole file in *ret_bytes (free it). */
static enum status read_file(const char *path, char **ret_bytes, size_t *ret_size,
                             struct status_detail *detail)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
        return status_detail_set(detail, status, "%s: %s", path, strerror(errno));
    }
    enum status status = STATUS_OK;
    struct stat about;
    char *bytes = NULL;
    size_t size = 0, used = 0;
    if (fstat(fd, &about) != 0) {
        status = io_failed(path, "stat", detail);
        goto close;
    }
    size = (size_t)about.st_size;
    if (size < sizeof(struct cache_head) || size > CACHE_BYTES_MAX) {
        status = status_detail_set(detail, STATUS_CORRUPT, "%s: %zu bytes are no registry cache",
                                   path, size);
        goto close;
    }
    bytes = malloc(size);
    if (bytes == NULL) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
        goto close;
    }
    while (used < size) {
        ssize_t got = read(fd, bytes + used, size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            status = got < 0 ? io_failed(path, "read", detail)
                             : status_detail_set(detail, STATUS_CORRUPT, "%s: cut short", path);
            goto close;
        }
        used += (size_t)got;
    }
    *ret_bytes = bytes;
    *ret_size = size;
    bytes = NULL;
close:
    free(bytes);
    (void)close(fd);
    return status;
}

/* ---- those that are kept ---- */

enum status registry_cache_kept(const char *path, const struct registry_key *key, char *ret,
                                size_t size)
{
    int length = snprintf(ret, size, "%s.%08" PRIx32 "-%" PRIu64, path, key->crc, key->bytes);
    return length > 0 && (size_t)length < size ? STATUS_OK : STATUS_TOO_LARGE;
}

enum status registry_cache_keep(const char *path, const struct registry_key *key,
                                struct status_detail *detail)
{
    char kept[PATH_MAX];
    if (registry_cache_kept(path, key, kept, sizeof kept) != STATUS_OK) {
        return status_detail_set(detail, STATUS_TOO_LARGE, "%s: too long a name", path);
    }
    if (link(path, kept) != 0 && errno != EEXIST) {
        return io_failed(kept, "link", detail);
    }
    (void)utimensat(AT_FDCWD, kept, NULL, 0); /* one that comes back counts as new */
    return sync_directory(path, detail);
}

static bool is_named(const struct registry_key *keys, uint32_t count, const char *path,
                     const char *kept)
{
    char name[PATH_MAX];
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) {
        found = registry_cache_kept(path, &keys[i], name, sizeof name) == STATUS_OK &&
                strcmp(name, kept) == 0;
    }
    return found;
}

void registry_cache_forget(const char *path, int64_t before_ms, const struct registry_key *keys,
                           uint32_t count)
{
    char pattern[PATH_MAX];
    glob_t found;
    int length = snprintf(pattern, sizeof pattern, "%s.[0-9a-f]*-[0-9]*", path);
    if (length < 0 || (size_t)length >= sizeof pattern ||
        glob(pattern, GLOB_NOSORT, NULL, &found) != 0) {
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat info;
        if (stat(found.gl_pathv[i], &info) == 0 &&
            (int64_t)info.st_mtim.tv_sec * 1000 < before_ms &&
            !is_named(keys, count, path, found.gl_pathv[i])) {
            (void)unlink(found.gl_pathv[i]);
        }
    }
    globfree(&found);
}

static const char *head_fault(const char *bytes, size_t size)
{
    struct cache_head head;
    ASSERT(bytes != NULL && size >= sizeof head);
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.magic, CACHE_MAGIC, sizeof head.magic) != 0) {
        return "not a registry cache";
    }
    if (head.version != CACHE_VERSION) {
        return "written by another version";
    }
    if (head.body_bytes != size - sizeof head) {
        return "cut short";
    }
    if (head.crc != libdeflate_crc32(0, bytes + sizeof head, size - sizeof head)) {
        return "checksum does not agree";
    }
    return NULL;
}

enum status registry_cache_read(const char *path, struct directory **ret_directory,
                                struct fence_set **ret_fences, struct registry_key *ret_key,
                                struct status_detail *detail)
{
    char *bytes = NULL;
    size_t size = 0;
    enum status status = read_file(path, &bytes, &size, detail);
    if (status != STATUS_OK) {
        return status;
    }
    const char *fault = head_fault(bytes, size);
    if (fault != NULL) {
        free(bytes);
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "%s: %s: it is made anew when PostgreSQL answers", path, fault);
    }
    struct cache_head head;
    memcpy(&head, bytes, sizeof head);
    struct cursor cursor = {.at = bytes + sizeof(struct cache_head),
                            .left = size - sizeof(struct cache_head)};
    struct directory *directory = NULL;
    struct fence_set *fences = NULL;
    struct status_detail inner = {.text = "the parts do not agree"};
    status = take_directory(&cursor, &directory, &inner);
    if (status == STATUS_OK) {
        status = take_fences(&cursor, &fences, &inner);
    }
    free(bytes);
    if (status != STATUS_OK) {
        directory_free(directory);
        return status_detail_set(detail, status, "%s: %s", path, inner.text);
    }
    *ret_key = (struct registry_key){
        .revision = directory->revision, .bytes = head.body_bytes, .crc = head.crc};
    *ret_directory = directory;
    *ret_fences = fences;
    return STATUS_OK;
}
