#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/journal_internal.h"

/* One segment in memory while it is checked. */
struct image {
    const char *directory;
    char name[JOURNAL_NAME_BYTES];
    int fd;
    uint64_t base;
    unsigned char *bytes;  /* the file, head included; NULL-safe to free */
    size_t size, capacity; /* of bytes; the next segment's are read into the same memory */
    size_t end;            /* offset behind the last good record */
    size_t group;          /* offset of the start of the last good record's group */
};

static enum status io_failed(struct status_detail *detail, const char *directory, const char *name,
                             const char *what)
{
    return status_detail_set(detail, STATUS_IO, "%s/%s: %s: %s", directory, name, what,
                             strerror(errno));
}

static enum status open_directory(const char *path, int *ret, struct status_detail *detail)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        return status_detail_set(detail, STATUS_IO, "journal directory %s: %s", path,
                                 strerror(errno));
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return status_detail_set(detail, STATUS_IO, "journal directory %s: %s", path,
                                 strerror(errno));
    }
    if (made) { /* else the directory itself could be gone after a power cut */
        int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent >= 0) {
            (void)fsync(parent);
            (void)close(parent);
        }
    }
    *ret = fd;
    return STATUS_OK;
}

static enum status lock_directory(const char *path, int dir_fd, int *ret,
                                  struct status_detail *detail)
{
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return io_failed(detail, path, "lock", "open");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool taken = errno == EWOULDBLOCK;
        if (!taken) {
            (void)io_failed(detail, path, "lock", "lock");
        } else {
            char pid[16] = "";
            size_t got = 0;
            (void)journal_read_at(fd, pid, sizeof pid - 1, 0, &got);
            pid[strspn(pid, "0123456789")] = '\0';
            (void)status_detail_set(detail, STATUS_CONFLICT,
                                    "%s: process %s has this journal open; stop it first", path,
                                    pid);
        }
        (void)close(fd);
        return taken ? STATUS_CONFLICT : STATUS_IO;
    }
    (void)!ftruncate(fd, 0);
    (void)dprintf(fd, "%ld\n", (long)getpid()); /* a help for the message above, no more */
    *ret = fd;
    return STATUS_OK;
}

static enum status corrupt_at(const struct image *image, size_t offset, const char *words,
                              struct status_detail *detail)
{
    return status_detail_set(detail, STATUS_CORRUPT, "%s/%s: offset %zu (position %" PRIu64 "): %s",
                             image->directory, image->name, offset,
                             image->base + (offset - JOURNAL_HEAD_BYTES), words);
}

static enum status image_load(struct image *image, int dir_fd, struct status_detail *detail)
{
    journal_segment_name(image->base, image->name);
    image->fd = openat(dir_fd, image->name, O_RDWR | O_CLOEXEC);
    if (image->fd < 0) {
        return io_failed(detail, image->directory, image->name, "open");
    }
    struct stat info;
    if (fstat(image->fd, &info) != 0) {
        return io_failed(detail, image->directory, image->name, "stat");
    }
    size_t size = (size_t)info.st_size;
    if (size < JOURNAL_HEAD_BYTES) {
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "%s/%s: %zu bytes are less than a segment's head",
                                 image->directory, image->name, size);
    }
    if (image->capacity < size) {
        free(image->bytes);
        image->bytes = malloc(size);
        image->capacity = image->bytes != NULL ? size : 0;
    }
    if (image->bytes == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "%s/%s: no memory for %zu bytes",
                                 image->directory, image->name, size);
    }
    int error = journal_read_at(image->fd, image->bytes, size, 0, &image->size);
    if (error != 0 || image->size != size) {
        errno = error != 0 ? error : EIO;
        return io_failed(detail, image->directory, image->name, "read");
    }
    return STATUS_OK;
}

static void image_close(struct image *image)
{
    if (image->fd >= 0) {
        (void)close(image->fd);
        image->fd = -1;
    }
}

static enum status image_check_head(const struct image *image, struct journal_recovered *recovered,
                                    struct status_detail *detail)
{
    struct journal_segment_head head;
    memcpy(&head, image->bytes, sizeof head);
    enum status status = journal_head_check(&head, image->base, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s/%s", image->directory, image->name);
    }
    if (recovered->id[0] == '\0') {
        memcpy(recovered->id, head.id, JOURNAL_ID_BYTES);
        recovered->seed = journal_seed(recovered->id);
    } else if (memcmp(recovered->id, head.id, JOURNAL_ID_BYTES) != 0) {
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "%s/%s: the segment belongs to another journal (%.32s, not %s)",
                                 image->directory, image->name, head.id, recovered->id);
    }
    return STATUS_OK;
}

static const struct journal_entry *entry_at(const struct image *image, size_t offset)
{
    return (const struct journal_entry *)(const void *)(image->bytes + offset);
}

/* The head alone, of a segment that is not replayed. */
static enum status image_load_head(struct image *image, int dir_fd, struct status_detail *detail)
{
    journal_segment_name(image->base, image->name);
    image->fd = openat(dir_fd, image->name, O_RDONLY | O_CLOEXEC);
    const size_t bytes = JOURNAL_HEAD_BYTES;
    image->bytes = malloc(bytes);
    if (image->fd < 0 || image->bytes == NULL) {
        return io_failed(detail, image->directory, image->name, "open");
    }
    int error = journal_read_at(image->fd, image->bytes, JOURNAL_HEAD_BYTES, 0, &image->size);
    if (error != 0) {
        errno = error;
        return io_failed(detail, image->directory, image->name, "read");
    }
    return image->size == JOURNAL_HEAD_BYTES
               ? STATUS_OK
               : status_detail_set(detail, STATUS_CORRUPT,
                                   "%s/%s: %zu bytes are less than a segment's head",
                                   image->directory, image->name, image->size);
}

/* Hands over the good records from the front, up to `bound` (an offset). */
static void image_walk(struct image *image, size_t bound, const struct journal_callbacks *callbacks,
                       struct journal_recovered *recovered)
{
    size_t at = JOURNAL_HEAD_BYTES;
    image->group = at;
    while (at < bound) {
        const struct journal_entry *entry = entry_at(image, at);
        uint64_t pos = image->base + (at - JOURNAL_HEAD_BYTES);
        if (!journal_entry_valid(entry, bound - at, recovered->seed, pos) ||
            entry->group > at - JOURNAL_HEAD_BYTES) {
            break;
        }
        struct journal_record record;
        journal_entry_record(entry, pos, &record);
        callbacks->on_record(callbacks->context, &record);
        recovered->records++;
        image->group = at - entry->group;
        at += journal_entry_bytes(entry->size);
    }
    image->end = at;
}

/* Behind the last good record there may lie zeros, or what a crash left of the group that was being
 * written. A whole record of a later group says otherwise: the bad place was durable once. */
static enum status image_check_tail(const struct image *image, uint32_t seed, bool *ret_torn,
                                    struct status_detail *detail)
{
    bool torn = false;
    size_t at = image->end;
    for (; at < image->size && at + 8 <= image->size; at += 8) {
        uint64_t word;
        memcpy(&word, image->bytes + at, sizeof word);
        if (word == 0) {
            continue;
        }
        torn = true;
        uint64_t pos = image->base + (at - JOURNAL_HEAD_BYTES);
        const struct journal_entry *entry = entry_at(image, at);
        if (at > image->end && journal_entry_valid(entry, image->size - at, seed, pos) &&
            (size_t)entry->group + image->end < at) {
            return corrupt_at(image, image->end,
                              "a damaged record with good ones of a later group behind it; restore "
                              "the segment from a copy",
                              detail);
        }
    }
    for (; at < image->size; at++) {
        torn = torn || image->bytes[at] != 0;
    }
    *ret_torn = torn;
    return STATUS_OK;
}

/* What a dead process left may be in the page cache only, even clean there after a failed sync.
 * Only the last group can be: write it once more, then sync. */
static enum status image_settle(const struct image *image, bool torn, uint64_t segment_bytes,
                                struct status_detail *detail)
{
    int error = 0;
    if (torn) {
        error = ftruncate(image->fd, (off_t)image->end) == 0 ? 0 : errno;
        if (error == 0) {
            (void)fallocate(image->fd, 0, (off_t)image->end,
                            (off_t)(segment_bytes > image->end ? segment_bytes - image->end : 1));
        }
    }
    if (error == 0) {
        error = journal_write_at(image->fd, image->bytes + image->group, image->end - image->group,
                                 image->group);
    }
    if (error == 0 && journal_io.fdatasync(image->fd) != 0) {
        error = errno;
    }
    errno = error;
    return error == 0 ? STATUS_OK
                      : io_failed(detail, image->directory, image->name, "settle the tail");
}

static enum status recover_last(struct image *image, const struct journal_options *options,
                                const struct journal_callbacks *callbacks,
                                struct journal_recovered *recovered, struct status_detail *detail)
{
    image_walk(image, image->size, callbacks, recovered);
    bool torn = false;
    enum status status = image_check_tail(image, recovered->seed, &torn, detail);
    if (status == STATUS_OK) {
        status = image_settle(image, torn, options->segment_bytes, detail);
    }
    if (status == STATUS_OK && journal_io.fsync(recovered->dir_fd) != 0) {
        status = io_failed(detail, options->directory, ".", "sync");
    }
    if (status != STATUS_OK) {
        return status;
    }
    recovered->cut_bytes = torn ? image->size - image->end : 0;
    recovered->end = image->base + (image->end - JOURNAL_HEAD_BYTES);
    recovered->fd = image->fd;
    image->fd = -1;
    return STATUS_OK;
}

/* A segment with another behind it: records without a gap up to the other's base. What lies beyond
 * is a group that failed here and was written there. */
static enum status recover_middle(struct image *image, uint64_t next,
                                  const struct journal_callbacks *callbacks,
                                  struct journal_recovered *recovered, struct status_detail *detail)
{
    uint64_t room = image->size - JOURNAL_HEAD_BYTES;
    uint64_t wanted = next - image->base;
    size_t bound = JOURNAL_HEAD_BYTES + (size_t)(wanted < room ? wanted : room);
    image_walk(image, bound, callbacks, recovered);
    if (image->end == JOURNAL_HEAD_BYTES + wanted) {
        return STATUS_OK;
    }
    char name[JOURNAL_NAME_BYTES], words[160];
    journal_segment_name(next, name);
    bool damaged = image->end + 8 <= bound && entry_at(image, image->end)->type != 0;
    (void)snprintf(words, sizeof words,
                   damaged ? "a damaged record in the middle (the next segment is %s); restore the "
                             "segment from a copy"
                           : "the records end here, but the next segment is %s: one between is "
                             "missing, or this one was cut; restore it from a copy",
                   name);
    return corrupt_at(image, image->end, words, detail);
}

/* A segment that is read while the one before it is replayed. */
struct ahead {
    struct image image;
    int dir_fd;
    uv_thread_t thread;
    bool runs;
    enum status status;
    struct status_detail detail;
};

static void read_ahead(void *context)
{
    struct ahead *ahead = context;
    ahead->status = image_load(&ahead->image, ahead->dir_fd, &ahead->detail);
}

/* Where no thread is to be had, at once. */
static void ahead_start(struct ahead *ahead, uint64_t base)
{
    ahead->image.base = base;
    ahead->runs = uv_thread_create(&ahead->thread, read_ahead, ahead) == 0;
    if (!ahead->runs) {
        read_ahead(ahead);
    }
}

static void ahead_join(struct ahead *ahead)
{
    if (ahead->runs) {
        (void)uv_thread_join(&ahead->thread);
        ahead->runs = false;
    }
}

/* Is the segment wholly below what is replayed? The last one never is. */
static bool is_passed(const struct journal_bases *bases, size_t i, uint64_t replay_from)
{
    return i + 1 < bases->count && bases->items[i + 1] <= replay_from;
}

static enum status recover_segment(struct image *image, size_t i,
                                   const struct journal_options *options,
                                   const struct journal_callbacks *callbacks,
                                   struct journal_recovered *recovered,
                                   struct status_detail *detail)
{
    const struct journal_bases *bases = &recovered->bases;
    enum status status = image_check_head(image, recovered, detail);
    if (status != STATUS_OK || is_passed(bases, i, options->replay_from)) {
        return status;
    }
    return i + 1 < bases->count
               ? recover_middle(image, bases->items[i + 1], callbacks, recovered, detail)
               : recover_last(image, options, callbacks, recovered, detail);
}

/* Those that are passed, each by itself. Returns how many. */
static size_t pass_segments(const struct journal_options *options,
                            struct journal_recovered *recovered, enum status *ret_status,
                            struct status_detail *detail)
{
    const struct journal_bases *bases = &recovered->bases;
    size_t i = 0;
    *ret_status = STATUS_OK;
    for (; *ret_status == STATUS_OK && is_passed(bases, i, options->replay_from); i++) {
        struct image image = {.directory = options->directory, .fd = -1, .base = bases->items[i]};
        *ret_status = image_load_head(&image, recovered->dir_fd, detail);
        if (*ret_status == STATUS_OK) {
            *ret_status = recover_segment(&image, i, options, NULL, recovered, detail);
        }
        image_close(&image);
        free(image.bytes);
    }
    return i;
}

static enum status recover_segments(const struct journal_options *options,
                                    const struct journal_callbacks *callbacks,
                                    struct journal_recovered *recovered,
                                    struct status_detail *detail)
{
    const struct journal_bases *bases = &recovered->bases;
    struct ahead two[2];
    for (size_t k = 0; k < 2; k++) {
        two[k] = (struct ahead){.image = {.directory = options->directory, .fd = -1},
                                .dir_fd = recovered->dir_fd};
    }
    enum status status;
    size_t first = pass_segments(options, recovered, &status, detail);
    if (status == STATUS_OK) {
        ahead_start(&two[first % 2], bases->items[first]);
    }
    for (size_t i = first; i < bases->count && status == STATUS_OK; i++) {
        struct ahead *now = &two[i % 2];
        ahead_join(now);
        if (i + 1 < bases->count) {
            ahead_start(&two[(i + 1) % 2], bases->items[i + 1]);
        }
        status = now->status;
        if (status != STATUS_OK) {
            *detail = now->detail;
        } else {
            status = recover_segment(&now->image, i, options, callbacks, recovered, detail);
        }
        image_close(&now->image);
    }
    for (size_t k = 0; k < 2; k++) {
        ahead_join(&two[k]);
        image_close(&two[k].image);
        free(two[k].image.bytes);
    }
    return status;
}

static enum status make_first(const struct journal_options *options,
                              struct journal_recovered *recovered, struct status_detail *detail)
{
    unsigned char random[JOURNAL_ID_BYTES / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return io_failed(detail, options->directory, "", "random id");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        (void)snprintf(recovered->id + 2 * i, 3, "%02x", random[i]);
    }
    recovered->seed = journal_seed(recovered->id);
    struct journal_job job = {.dir_fd = recovered->dir_fd,
                              .segment_bytes = options->segment_bytes,
                              .data = "",
                              .fresh = true,
                              .fd = -1};
    memcpy(job.id, recovered->id, sizeof job.id);
    journal_write(&job);
    if (job.status != STATUS_OK) {
        return status_detail_set(detail, job.status, "%s: %s", options->directory, job.detail.text);
    }
    recovered->fd = job.fd;
    if (journal_bases_add(&recovered->bases, 0) != STATUS_OK) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "journal: no memory");
    }
    return STATUS_OK;
}

enum status journal_recover(const struct journal_options *options,
                            const struct journal_callbacks *callbacks,
                            struct journal_recovered *ret, struct status_detail *detail)
{
    struct journal_recovered recovered = {.dir_fd = -1, .lock_fd = -1, .fd = -1};
    enum status status = open_directory(options->directory, &recovered.dir_fd, detail);
    if (status == STATUS_OK) {
        status = lock_directory(options->directory, recovered.dir_fd, &recovered.lock_fd, detail);
    }
    if (status == STATUS_OK) {
        (void)unlinkat(recovered.dir_fd, JOURNAL_UNFINISHED, 0);
        status = journal_bases_list(options->directory, &recovered.bases, detail);
    }
    if (status == STATUS_OK) {
        status = recovered.bases.count == 0
                     ? make_first(options, &recovered, detail)
                     : recover_segments(options, callbacks, &recovered, detail);
    }
    if (status != STATUS_OK) {
        journal_recovered_release(&recovered);
        return status;
    }
    *ret = recovered;
    return STATUS_OK;
}

void journal_recovered_release(struct journal_recovered *recovered)
{
    journal_bases_release(&recovered->bases);
    const int fds[] = {recovered->fd, recovered->lock_fd, recovered->dir_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

enum status journal_id_in(const char *directory, char ret[JOURNAL_ID_BYTES + 1])
{
    struct journal_bases bases = {0};
    struct status_detail unread;
    struct journal_segment_head head;
    char name[JOURNAL_NAME_BYTES], path[4096];
    size_t got = 0;
    enum status status = journal_bases_list(directory, &bases, &unread);
    if (status == STATUS_OK && bases.count > 0) {
        journal_segment_name(bases.items[0], name);
        (void)snprintf(path, sizeof path, "%s/%s", directory, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (journal_read_at(fd, &head, sizeof head, 0, &got) != 0) {
                got = 0;
            }
            (void)close(fd);
        }
    }
    bool whole =
        got == sizeof head && journal_head_check(&head, bases.items[0], &unread) == STATUS_OK;
    journal_bases_release(&bases);
    if (!whole) {
        return STATUS_NOT_FOUND;
    }
    memcpy(ret, head.id, JOURNAL_ID_BYTES);
    ret[JOURNAL_ID_BYTES] = '\0';
    return STATUS_OK;
}
