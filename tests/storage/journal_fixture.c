#include "journal_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/journal_internal.h"

void fixture_init(struct fixture *fixture, uint64_t segment_bytes, size_t pending_bytes_max)
{
    memset(fixture, 0, sizeof *fixture);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/campus-journal-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fixture->options = (struct journal_options){.directory = fixture->directory,
                                                .segment_bytes = segment_bytes,
                                                .pending_bytes_max = pending_bytes_max};
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *item; (item = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), item->d_name, 0); /* "." and ".." stay */
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

void fixture_release(struct fixture *fixture)
{
    if (fixture->journal != NULL) {
        fixture_close(fixture);
    }
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    remove_folder(fixture->directory);
}

size_t numbered_make(uint64_t number, unsigned char ret[NUMBERED_BYTES_MAX])
{
    size_t size = 8 + (size_t)(number * 37 % 193);
    memcpy(ret, &number, sizeof number);
    for (size_t i = 8; i < size; i++) {
        ret[i] = (unsigned char)(number * 31 + i * 7);
    }
    return size;
}

uint64_t numbered_check(const struct journal_record *record)
{
    uint64_t number;
    unsigned char wanted[NUMBERED_BYTES_MAX];
    assert_true(record->size >= sizeof number && record->size <= NUMBERED_BYTES_MAX);
    assert_int_equal((uintptr_t)record->data % 8, 0);
    memcpy(&number, record->data, sizeof number);
    assert_int_equal(numbered_make(number, wanted), record->size);
    assert_memory_equal(record->data, wanted, record->size);
    assert_int_equal(record->type, 1 + number % 5);
    assert_true(record->end > record->pos);
    return number;
}

static void on_record(void *context, const struct journal_record *record)
{
    struct fixture *fixture = context;
    uint64_t number = numbered_check(record);
    assert_true(fixture->next_pos == UINT64_MAX || fixture->next_pos == record->pos);
    fixture->next_pos = record->end;
    assert_true(fixture->count < SEEN_MAX);
    fixture->ends[fixture->count] = record->end;
    fixture->numbers[fixture->count++] = number;
    if (fixture->on_record != NULL) {
        fixture->on_record(fixture, number);
    }
}

static void on_durable(void *context, uint64_t pos)
{
    struct fixture *fixture = context;
    assert_true(pos > fixture->durable);
    assert_int_equal(pos, fixture->next_pos); /* every record of the group came before */
    fixture->durable = pos;
    fixture->durable_calls++;
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct fixture *fixture = context;
    assert_int_not_equal(status, STATUS_OK);
    fixture->trouble = *detail;
    fixture->trouble_calls++;
}

enum status fixture_try_open(struct fixture *fixture)
{
    fixture->count = 0;
    fixture->durable = 0;
    fixture->next_pos = UINT64_MAX;
    fixture->closed = false;
    struct journal_callbacks callbacks = {.context = fixture,
                                          .on_record = on_record,
                                          .on_durable = on_durable,
                                          .on_trouble = on_trouble};
    enum status status = journal_open(&fixture->loop, &fixture->options, &callbacks,
                                      &fixture->journal, &fixture->detail);
    if (status == STATUS_OK) {
        fixture->durable = journal_durable_pos(fixture->journal);
        if (fixture->count > 0) {
            assert_int_equal(fixture->durable, fixture->next_pos);
        }
        fixture->next_pos = fixture->durable;
    }
    return status;
}

void fixture_open(struct fixture *fixture)
{
    enum status status = fixture_try_open(fixture);
    if (status != STATUS_OK) {
        fail_msg("open: %s: %s", status_words(status), fixture->detail.text);
    }
}

static void on_closed(void *context)
{
    struct fixture *fixture = context;
    fixture->closed = true;
    fixture->journal = NULL;
}

void fixture_close(struct fixture *fixture)
{
    journal_close(fixture->journal, on_closed, fixture);
    while (!fixture->closed) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
}

enum status fixture_try_append(struct fixture *fixture, uint64_t number, uint64_t *ret_end)
{
    unsigned char data[NUMBERED_BYTES_MAX];
    size_t size = numbered_make(number, data);
    return journal_append(fixture->journal, (uint32_t)(1 + number % 5), data, size, ret_end);
}

uint64_t fixture_append(struct fixture *fixture, uint64_t number)
{
    uint64_t end = 0;
    assert_int_equal(fixture_try_append(fixture, number, &end), STATUS_OK);
    return end;
}

void fixture_wait_durable(struct fixture *fixture, uint64_t pos)
{
    while (fixture->durable < pos) {
        assert_int_not_equal(uv_run(&fixture->loop, UV_RUN_ONCE) + (fixture->durable >= pos), 0);
    }
}

void fixture_expect_numbers(const struct fixture *fixture, uint32_t count)
{
    assert_int_equal(fixture->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fixture->numbers[i], i);
    }
}

static struct journal_bases list(const struct fixture *fixture)
{
    struct journal_bases bases;
    assert_int_equal(journal_bases_list(fixture->directory, &bases, NULL), STATUS_OK);
    return bases;
}

uint32_t fixture_segments(const struct fixture *fixture)
{
    struct journal_bases bases = list(fixture);
    uint32_t count = (uint32_t)bases.count;
    journal_bases_release(&bases);
    return count;
}

void fixture_segment_path(const struct fixture *fixture, uint32_t n, char *ret, size_t ret_bytes)
{
    struct journal_bases bases = list(fixture);
    assert_true(n < bases.count);
    char name[JOURNAL_NAME_BYTES];
    journal_segment_name(bases.items[n], name);
    (void)snprintf(ret, ret_bytes, "%s/%s", fixture->directory, name);
    journal_bases_release(&bases);
}

unsigned char *file_read(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    unsigned char *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    (void)fclose(file);
    *ret_size = (size_t)size;
    return data;
}

void file_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint64_t test_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed =
        text != NULL ? strtoull(text, NULL, 10) : (uint64_t)clock_mono_us() % 1000000000u;
    print_message("SEED=%" PRIu64 "\n", seed);
    return seed;
}

uint64_t test_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
