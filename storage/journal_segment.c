#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/journal_internal.h"

static const char magic[8] = {'C', 'A', 'M', 'P', 'U', 'S', 'J', '\n'};

void journal_segment_name(uint64_t base, char ret[JOURNAL_NAME_BYTES])
{
    (void)snprintf(ret, JOURNAL_NAME_BYTES, "%016" PRIx64 ".seg", base);
}

/* Only the very form that journal_segment_name writes. */
static bool name_base(const char *name, uint64_t *ret)
{
    if (strlen(name) != 20 || strcmp(name + 16, ".seg") != 0 ||
        strspn(name, "0123456789abcdef") != 16) {
        return false;
    }
    *ret = strtoull(name, NULL, 16);
    return true;
}

enum status journal_bases_reserve(struct journal_bases *bases)
{
    if (bases->count < bases->capacity) {
        return STATUS_OK;
    }
    size_t capacity = bases->capacity == 0 ? 64 : bases->capacity * 2;
    uint64_t *items = realloc(bases->items, capacity * sizeof *items);
    if (items == NULL) {
        return STATUS_NO_MEMORY;
    }
    bases->items = items;
    bases->capacity = capacity;
    return STATUS_OK;
}

enum status journal_bases_add(struct journal_bases *bases, uint64_t base)
{
    enum status status = journal_bases_reserve(bases);
    if (status == STATUS_OK) {
        bases->items[bases->count++] = base;
    }
    return status;
}

void journal_bases_release(struct journal_bases *bases)
{
    free(bases->items);
    *bases = (struct journal_bases){0};
}

static int compare_bases(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum status journal_bases_list(const char *directory, struct journal_bases *ret,
                               struct status_detail *detail)
{
    struct journal_bases bases = {0};
    enum status status = STATUS_OK;
    DIR *dir = opendir(directory);
    if (dir == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", directory, strerror(errno));
    }
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(dir);
        if (item == NULL) {
            break;
        }
        uint64_t base;
        if (name_base(item->d_name, &base) && journal_bases_add(&bases, base) != STATUS_OK) {
            status = status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory for the list",
                                       directory);
            goto done;
        }
    }
    if (errno != 0) {
        status = status_detail_set(detail, STATUS_IO, "%s: %s", directory, strerror(errno));
        goto done;
    }
    if (bases.count > 1) {
        qsort(bases.items, bases.count, sizeof bases.items[0], compare_bases);
    }
done:
    (void)closedir(dir);
    if (status == STATUS_OK) {
        *ret = bases;
    } else {
        journal_bases_release(&bases);
    }
    return status;
}

int journal_read_at(int fd, void *data, size_t size, uint64_t offset, size_t *ret_got)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread(fd, (char *)data + got, size - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    *ret_got = got;
    return 0;
}

int journal_write_at(int fd, const void *data, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            journal_io.pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) { /* POSIX allows it; going on would spin */
            return EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

static uint32_t head_crc(const struct journal_segment_head *head)
{
    struct journal_segment_head copy = *head;
    copy.crc = 0;
    return libdeflate_crc32(0, &copy, sizeof copy);
}

void journal_head_make(struct journal_segment_head *head, uint64_t base, const char *id)
{
    *head = (struct journal_segment_head){.version = JOURNAL_VERSION, .base = base};
    memcpy(head->magic, magic, sizeof magic);
    memcpy(head->id, id, JOURNAL_ID_BYTES);
    head->crc = head_crc(head);
}

enum status journal_head_check(const struct journal_segment_head *head, uint64_t base,
                               struct status_detail *detail)
{
    if (memcmp(head->magic, magic, sizeof magic) != 0) {
        return status_detail_set(detail, STATUS_CORRUPT, "this is no journal segment");
    }
    if (head->crc != head_crc(head)) {
        return status_detail_set(detail, STATUS_CORRUPT, "the segment's head is damaged");
    }
    if (head->version != JOURNAL_VERSION) {
        return status_detail_set(detail, STATUS_UNSUPPORTED,
                                 "the segment has version %u, this program reads %u", head->version,
                                 JOURNAL_VERSION);
    }
    if (head->base != base) {
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "the segment begins at position %" PRIu64
                                 ", its name says another; was the file renamed?",
                                 head->base);
    }
    return STATUS_OK;
}

uint32_t journal_seed(const char *id)
{
    return libdeflate_crc32(0, id, JOURNAL_ID_BYTES);
}

size_t journal_entry_bytes(size_t data_size)
{
    return sizeof(struct journal_entry) + ((data_size + 7) & ~(size_t)7);
}

static uint32_t entry_crc(const struct journal_entry *entry, uint32_t seed, uint64_t pos)
{
    const uint64_t head[3] = {pos, ((uint64_t)entry->size << 32) | entry->type, entry->group};
    uint32_t crc = libdeflate_crc32(seed, head, sizeof head);
    size_t data_bytes = journal_entry_bytes(entry->size) - sizeof *entry;
    return libdeflate_crc32(crc, entry + 1, data_bytes);
}

void journal_entry_seal(struct journal_entry *entry, uint32_t seed, uint64_t pos)
{
    ASSERT(entry->size <= JOURNAL_RECORD_MAX && entry->type != 0);
    size_t padding = journal_entry_bytes(entry->size) - sizeof *entry - entry->size;
    memset((char *)(entry + 1) + entry->size, 0, padding);
    entry->crc = entry_crc(entry, seed, pos);
}

bool journal_entry_valid(const struct journal_entry *entry, size_t available, uint32_t seed,
                         uint64_t pos)
{
    return available >= sizeof *entry && entry->type != 0 && entry->size <= JOURNAL_RECORD_MAX &&
           entry->group <= pos && journal_entry_bytes(entry->size) <= available &&
           entry->crc == entry_crc(entry, seed, pos);
}

void journal_entry_record(const struct journal_entry *entry, uint64_t pos,
                          struct journal_record *ret)
{
    *ret = (struct journal_record){.pos = pos,
                                   .end = pos + journal_entry_bytes(entry->size),
                                   .type = entry->type,
                                   .data = entry + 1,
                                   .size = entry->size};
}
