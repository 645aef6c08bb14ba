#include "storage/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define SNAPSHOT_MAGIC  "CAMPUSSN"
#define SNAPSHOT_PREFIX "snapshot-"
#define SNAPSHOT_ASIDE  "snapshot.new"
#define BYTES_MAX       ((size_t)8 << 30)
enum { SNAPSHOT_VERSION = 1, NAME_BYTES = 32, FOUND_MAX = 64 };

/* Little-endian, as memory holds it; behind it the three parts. */
struct snapshot_head {
    char magic[8];
    uint32_t version, head_crc; /* of the head with head_crc = 0 */
    char journal_id[SNAPSHOT_ID_BYTES];
    uint64_t pos, replay_from, confirmed;
    int64_t made_ms, tick_ms;
    struct rules rules;
    uint64_t engine_bytes, ingest_bytes, extra_bytes;
    uint32_t crc, reserved; /* of the parts */
};
_Static_assert(sizeof(struct snapshot_head) == 176, "the head lies on disk");

static void name_of(uint64_t pos, char ret[NAME_BYTES])
{
    (void)snprintf(ret, NAME_BYTES, SNAPSHOT_PREFIX "%016" PRIx64, pos);
}

static enum status io_failed(struct status_detail *detail, const char *directory, const char *name,
                             const char *what)
{
    return status_detail_set(detail, errno == ENOSPC ? STATUS_FULL : STATUS_IO, "%s/%s: %s: %s",
                             directory, name, what, strerror(errno));
}

static uint32_t crc_of(uint32_t crc, struct text part)
{
    return libdeflate_crc32(crc, part.at, part.length);
}

static uint32_t head_crc(const struct snapshot_head *head)
{
    struct snapshot_head copy = *head;
    copy.head_crc = 0;
    return crc_of(0, (struct text){(const char *)&copy, sizeof copy});
}

/* ---- writing ---- */

static bool write_all(int fd, struct text part)
{
    while (part.length > 0) {
        ssize_t written = write(fd, part.at, part.length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            part.at += written;
            part.length -= (size_t)written;
        }
    }
    return true;
}

static int open_directory(const char *directory, struct status_detail *detail)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        (void)io_failed(detail, directory, "", "open");
    }
    return fd;
}

enum status snapshot_write_aside(const char *directory, const struct snapshot *snapshot,
                                 struct status_detail *detail)
{
    struct snapshot_head head;
    memset(&head, 0, sizeof head);
    memcpy(head.magic, SNAPSHOT_MAGIC, sizeof head.magic);
    memcpy(head.journal_id, snapshot->journal_id, sizeof head.journal_id);
    head.version = SNAPSHOT_VERSION;
    head.pos = snapshot->pos;
    head.replay_from = snapshot->replay_from;
    head.confirmed = snapshot->confirmed;
    head.made_ms = snapshot->made_ms;
    head.tick_ms = snapshot->tick_ms;
    head.rules = snapshot->rules;
    head.engine_bytes = snapshot->engine.length;
    head.ingest_bytes = snapshot->ingest.length;
    head.extra_bytes = snapshot->extra.length;
    head.crc = crc_of(crc_of(crc_of(0, snapshot->engine), snapshot->ingest), snapshot->extra);
    head.head_crc = head_crc(&head);
    int dir_fd = open_directory(directory, detail);
    if (dir_fd < 0) {
        return STATUS_IO;
    }
    enum status status = STATUS_OK;
    int fd = openat(dir_fd, SNAPSHOT_ASIDE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || !write_all(fd, (struct text){(const char *)&head, sizeof head}) ||
        !write_all(fd, snapshot->engine) || !write_all(fd, snapshot->ingest) ||
        !write_all(fd, snapshot->extra) || fdatasync(fd) != 0) {
        status = io_failed(detail, directory, SNAPSHOT_ASIDE, "write");
        (void)unlinkat(dir_fd, SNAPSHOT_ASIDE, 0); /* its bytes may be what fills the disk */
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)close(dir_fd);
    return status;
}

/* ---- those that are there ---- */

static int newest_first(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;
    return (*one < *other) - (*one > *other);
}

static bool position_of(const char *name, uint64_t *ret)
{
    const size_t prefix = sizeof SNAPSHOT_PREFIX - 1;
    if (strncmp(name, SNAPSHOT_PREFIX, prefix) != 0 || strlen(name) != prefix + 16 ||
        strspn(name + prefix, "0123456789abcdef") != 16) {
        return false;
    }
    *ret = strtoull(name + prefix, NULL, 16);
    return true;
}

/* Positions, newest first; of more than there is room for, some. */
static uint32_t list(int dir_fd, uint64_t ret[FOUND_MAX])
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return 0;
    }
    uint32_t count = 0;
    for (const struct dirent *entry = readdir(stream); entry != NULL && count < FOUND_MAX;
         entry = readdir(stream)) {
        count += position_of(entry->d_name, &ret[count]);
    }
    (void)closedir(stream);
    qsort(ret, count, sizeof *ret, newest_first);
    return count;
}

static bool read_all(int fd, void *out, size_t size)
{
    char *at = out;
    while (size > 0) {
        ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static enum status read_head(int fd, const char *path, struct snapshot_head *ret,
                             struct status_detail *detail)
{
    if (!read_all(fd, ret, sizeof *ret) ||
        memcmp(ret->magic, SNAPSHOT_MAGIC, sizeof ret->magic) != 0 ||
        ret->head_crc != head_crc(ret)) {
        return status_detail_set(detail, STATUS_CORRUPT, "%s: no snapshot, or a damaged one", path);
    }
    if (ret->version != SNAPSHOT_VERSION) {
        return status_detail_set(detail, STATUS_UNSUPPORTED,
                                 "%s: version %u, this program writes %d", path, ret->version,
                                 SNAPSHOT_VERSION);
    }
    return STATUS_OK;
}

/* Where the kept ones begin; those that cannot be read keep nothing. */
static void note_kept(int dir_fd, const uint64_t *positions, uint32_t count,
                      struct snapshots_kept *ret)
{
    *ret = (struct snapshots_kept){0};
    for (uint32_t i = count; i-- > 0;) {
        char name[NAME_BYTES];
        struct snapshot_head head;
        struct status_detail unread;
        name_of(positions[i], name);
        int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        if (read_head(fd, name, &head, &unread) == STATUS_OK && ret->count < SNAPSHOTS_KEPT) {
            ret->items[ret->count].replay_from = head.replay_from;
            ret->items[ret->count].made_ms = head.made_ms;
            ret->items[ret->count++].rules = head.rules;
        }
        (void)close(fd);
    }
}

static void remove_beyond(int dir_fd, const uint64_t *positions, uint32_t count, uint32_t kept)
{
    for (uint32_t i = kept; i < count; i++) {
        char name[NAME_BYTES];
        name_of(positions[i], name);
        (void)unlinkat(dir_fd, name, 0);
    }
}

void snapshot_remove_all(const char *directory)
{
    uint64_t positions[FOUND_MAX];
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd >= 0) {
        remove_beyond(dir_fd, positions, list(dir_fd, positions), 0);
        (void)close(dir_fd);
    }
}

enum status snapshot_publish(const char *directory, uint64_t pos, struct snapshots_kept *ret,
                             struct status_detail *detail)
{
    char name[NAME_BYTES];
    int dir_fd = open_directory(directory, detail);
    if (dir_fd < 0) {
        return STATUS_IO;
    }
    enum status status = STATUS_OK;
    name_of(pos, name);
    if (renameat(dir_fd, SNAPSHOT_ASIDE, dir_fd, name) != 0 || fsync(dir_fd) != 0) {
        status = io_failed(detail, directory, name, "rename");
    }
    uint64_t positions[FOUND_MAX];
    uint32_t count = list(dir_fd, positions);
    if (status == STATUS_OK) {
        remove_beyond(dir_fd, positions, count, SNAPSHOTS_KEPT);
    }
    note_kept(dir_fd, positions, count < SNAPSHOTS_KEPT ? count : SNAPSHOTS_KEPT, ret);
    (void)close(dir_fd);
    return status;
}

/* ---- reading ---- */

static enum status take(int fd, const char *path, const char *journal_id, struct buffer *bytes,
                        struct snapshot *ret, struct status_detail *detail)
{
    struct snapshot_head head;
    enum status status = read_head(fd, path, &head, detail);
    if (status != STATUS_OK) {
        return status;
    }
    if (memcmp(head.journal_id, journal_id, SNAPSHOT_ID_BYTES) != 0) {
        return status_detail_set(detail, STATUS_CONFLICT, "%s: of another journal (%.32s)", path,
                                 head.journal_id);
    }
    uint64_t size = head.engine_bytes + head.ingest_bytes + head.extra_bytes;
    bool sane = head.engine_bytes < BYTES_MAX && head.ingest_bytes < BYTES_MAX &&
                head.extra_bytes < BYTES_MAX && size < BYTES_MAX;
    buffer_clear(bytes);
    char *at = sane ? buffer_extend(bytes, (size_t)size) : NULL;
    if (at == NULL || !read_all(fd, at, (size_t)size) ||
        crc_of(0, (struct text){at, (size_t)size}) != head.crc) {
        return status_detail_set(detail, STATUS_CORRUPT, "%s: damaged", path);
    }
    *ret = (struct snapshot){.pos = head.pos,
                             .replay_from = head.replay_from,
                             .confirmed = head.confirmed,
                             .made_ms = head.made_ms,
                             .tick_ms = head.tick_ms,
                             .rules = head.rules,
                             .engine = {at, (size_t)head.engine_bytes}};
    ret->ingest = (struct text){at + head.engine_bytes, (size_t)head.ingest_bytes};
    ret->extra = (struct text){ret->ingest.at + head.ingest_bytes, (size_t)head.extra_bytes};
    memcpy(ret->journal_id, head.journal_id, SNAPSHOT_ID_BYTES);
    return STATUS_OK;
}

enum status snapshot_read_newest(const char *directory, const char *journal_id,
                                 struct buffer *bytes, struct snapshot *ret,
                                 struct snapshots_kept *ret_kept, struct status_detail *detail)
{
    uint64_t positions[FOUND_MAX];
    enum status status = STATUS_NOT_FOUND;
    detail->text[0] = '\0';
    *ret_kept = (struct snapshots_kept){0};
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return STATUS_NOT_FOUND; /* the journal says what is wrong */
    }
    uint32_t count = list(dir_fd, positions);
    for (uint32_t i = 0; i < count && status != STATUS_OK; i++) {
        char name[NAME_BYTES];
        name_of(positions[i], name);
        int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            (void)io_failed(detail, directory, name, "open");
            continue;
        }
        status = take(fd, name, journal_id, bytes, ret, detail);
        (void)close(fd);
    }
    note_kept(dir_fd, positions, count, ret_kept);
    (void)close(dir_fd);
    return status == STATUS_OK ? STATUS_OK : STATUS_NOT_FOUND;
}
