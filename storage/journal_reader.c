#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/journal_internal.h"

enum { READER_MAGIC = 0x4a524452, WINDOW_BYTES = 2u << 20 };
_Static_assert(WINDOW_BYTES >= JOURNAL_ENTRY_BYTES_MAX, "a record fits into the window");

struct journal_reader {
    uint32_t magic;
    char *directory;
    int fd; /* -1: no segment open */
    uint64_t base;
    char name[JOURNAL_NAME_BYTES];
    uint32_t seed;
    uint64_t pos; /* of the next record */
    /* Bytes of the segment, never read beyond a limit: what lies there may still change. */
    unsigned char *window;
    uint64_t window_pos;
    size_t window_bytes;
};

enum status journal_reader_new(const char *directory, uint64_t pos, struct journal_reader **ret,
                               struct status_detail *detail)
{
    if (pos % 8 != 0) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "%s: %" PRIu64 " is no position of a record", directory, pos);
    }
    struct journal_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        *reader = (struct journal_reader){.magic = READER_MAGIC,
                                          .directory = strdup(directory),
                                          .fd = -1,
                                          .pos = pos,
                                          .window = malloc(WINDOW_BYTES)};
    }
    if (reader == NULL || reader->directory == NULL || reader->window == NULL) {
        journal_reader_free(reader);
        return status_detail_set(detail, STATUS_NO_MEMORY, "journal reader: no memory");
    }
    *ret = reader;
    return STATUS_OK;
}

void journal_reader_free(struct journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    MAGIC_CHECK(reader, READER_MAGIC);
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    free(reader->directory);
    free(reader->window);
    free(reader);
}

static enum status place_failed(const struct journal_reader *reader, enum status status,
                                const char *words, struct status_detail *detail)
{
    return status_detail_set(detail, status, "%s/%s: offset %" PRIu64 " (position %" PRIu64 "): %s",
                             reader->directory, reader->name,
                             JOURNAL_HEAD_BYTES + (reader->pos - reader->base), reader->pos, words);
}

static enum status open_segment(struct journal_reader *reader, uint64_t base,
                                struct status_detail *detail)
{
    char name[JOURNAL_NAME_BYTES];
    journal_segment_name(base, name);
    struct buffer path;
    buffer_init(&path, 8192);
    buffer_printf(&path, "%s/%s", reader->directory, name);
    int fd = open(buffer_cstr(&path), O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    buffer_release(&path);
    struct journal_segment_head head;
    size_t got = 0;
    enum status status = STATUS_OK;
    if (error == 0) {
        error = journal_read_at(fd, &head, sizeof head, 0, &got);
    }
    if (error != 0) { /* gone between listing and opening: trimmed */
        status = status_detail_set(detail, error == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s",
                                   strerror(error));
    } else if (got < sizeof head) {
        status = status_detail_set(detail, STATUS_CORRUPT, "shorter than a segment's head");
    } else {
        status = journal_head_check(&head, base, detail);
    }
    if (status != STATUS_OK) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return status_detail_wrap(detail, status, "%s/%s", reader->directory, name);
    }
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    reader->fd = fd;
    reader->base = base;
    reader->seed = journal_seed(head.id);
    memcpy(reader->name, name, sizeof name);
    reader->window_bytes = 0;
    return STATUS_OK;
}

/* Opens the segment that holds pos: the last one that does not begin behind it. *ret_changed: it is
 * another than before. */
static enum status find_segment(struct journal_reader *reader, bool *ret_changed,
                                struct status_detail *detail)
{
    struct journal_bases bases;
    enum status status = journal_bases_list(reader->directory, &bases, detail);
    if (status != STATUS_OK) {
        return status;
    }
    size_t i = bases.count;
    while (i > 0 && bases.items[i - 1] > reader->pos) {
        i--;
    }
    uint64_t first = bases.count > 0 ? bases.items[0] : 0;
    uint64_t base = i > 0 ? bases.items[i - 1] : 0;
    journal_bases_release(&bases);
    if (i == 0) {
        return status_detail_set(detail, STATUS_NOT_FOUND,
                                 "%s: position %" PRIu64 " was trimmed away, the first is %" PRIu64,
                                 reader->directory, reader->pos, first);
    }
    *ret_changed = reader->fd < 0 || base != reader->base;
    return *ret_changed ? open_segment(reader, base, detail) : STATUS_OK;
}

static enum status fill_window(struct journal_reader *reader, uint64_t limit,
                               struct status_detail *detail)
{
    uint64_t wanted = limit - reader->pos;
    size_t size = wanted < WINDOW_BYTES ? (size_t)wanted : WINDOW_BYTES;
    int error =
        journal_read_at(reader->fd, reader->window, size,
                        JOURNAL_HEAD_BYTES + (reader->pos - reader->base), &reader->window_bytes);
    reader->window_pos = reader->pos;
    if (error != 0) {
        reader->window_bytes = 0;
        return place_failed(reader, STATUS_IO, strerror(error), detail);
    }
    return STATUS_OK;
}

/* The record at pos if the window holds it whole and undamaged, else NULL. */
static const struct journal_entry *look(const struct journal_reader *reader)
{
    uint64_t at = reader->pos - reader->window_pos;
    if (reader->window_bytes == 0 || at >= reader->window_bytes) {
        return NULL;
    }
    const struct journal_entry *entry =
        (const struct journal_entry *)(const void *)(reader->window + at);
    size_t available = reader->window_bytes - (size_t)at;
    return journal_entry_valid(entry, available, reader->seed, reader->pos) ? entry : NULL;
}

enum status journal_reader_next(struct journal_reader *reader, uint64_t limit,
                                struct journal_record *ret, struct status_detail *detail)
{
    MAGIC_CHECK(reader, READER_MAGIC);
    if (reader->pos >= limit) {
        return STATUS_END;
    }
    enum status status = STATUS_OK;
    const struct journal_entry *entry = reader->fd >= 0 ? look(reader) : NULL;
    if (entry == NULL && reader->fd >= 0) {
        status = fill_window(reader, limit, detail);
        entry = look(reader);
    }
    if (status == STATUS_OK && entry == NULL) { /* the segment ends here, or this is the first */
        bool changed = false;
        status = find_segment(reader, &changed, detail);
        if (status == STATUS_OK && !changed) {
            return place_failed(
                reader, STATUS_CORRUPT,
                "no whole record where one was durable; was the file changed or the "
                "position taken from another journal?",
                detail);
        }
        if (status == STATUS_OK) {
            status = fill_window(reader, limit, detail);
            entry = look(reader);
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (entry == NULL) {
        return place_failed(reader, STATUS_CORRUPT, "no whole record where one was durable",
                            detail);
    }
    journal_entry_record(entry, reader->pos, ret);
    reader->pos = ret->end;
    return STATUS_OK;
}
