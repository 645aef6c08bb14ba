#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_fixture.h"
#include "storage/journal_internal.h"

enum { PENDING_BYTES = 2 << 20 }; /* little, since each open makes two such buffers */

/* A closed journal of `groups` groups of `group_records` records each, in one segment, and its
 * bytes. */
struct sample {
    struct fixture *fixture;
    char path[128];
    unsigned char *bytes;
    size_t size, used; /* used: up to the end of the last record */
    uint64_t ends[64];
    uint32_t records;
};

static void sample_make(struct sample *sample, struct fixture *fixture, uint32_t groups,
                        uint32_t group_records)
{
    fixture_init(fixture, 4096, PENDING_BYTES);
    fixture_open(fixture);
    *sample = (struct sample){.fixture = fixture, .records = groups * group_records};
    for (uint32_t i = 0; i < sample->records; i++) {
        uint64_t end = fixture_append(fixture, i);
        if ((i + 1) % group_records == 0) {
            fixture_wait_durable(fixture, end);
        }
        sample->ends[i] = end;
    }
    fixture_close(fixture);
    assert_int_equal(fixture_segments(fixture), 1);
    fixture_segment_path(fixture, 0, sample->path, sizeof sample->path);
    sample->bytes = file_read(sample->path, &sample->size);
    sample->used = JOURNAL_HEAD_BYTES + (size_t)sample->ends[sample->records - 1];
}

static void sample_release(struct sample *sample)
{
    free(sample->bytes);
    fixture_release(sample->fixture);
}

/* After a damage that may be cut: the first `count` records are there, and the journal goes on. */
static void expect_cut_and_goes_on(struct sample *sample, uint32_t count)
{
    struct fixture *fixture = sample->fixture;
    fixture_open(fixture);
    fixture_expect_numbers(fixture, count);
    fixture_wait_durable(fixture, fixture_append(fixture, count));
    fixture_close(fixture);
    fixture_open(fixture);
    fixture_expect_numbers(fixture, count + 1);
    fixture_close(fixture);
}

static void the_last_segment_cut_at_any_length_keeps_every_whole_record(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 3, 4);
    for (size_t length = JOURNAL_HEAD_BYTES; length <= sample.used; length++) {
        uint32_t whole = 0;
        while (whole < sample.records && JOURNAL_HEAD_BYTES + sample.ends[whole] <= length) {
            whole++;
        }
        file_write(sample.path, sample.bytes, length);
        expect_cut_and_goes_on(&sample, whole);
    }
    sample_release(&sample);
}

static void a_segment_shorter_than_its_head_is_refused_because_no_crash_leaves_one(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 1, 1);
    for (size_t length = 0; length < JOURNAL_HEAD_BYTES; length++) {
        file_write(sample.path, sample.bytes, length);
        assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
        assert_non_null(strstr(fixture.detail.text, sample.path));
    }
    sample_release(&sample);
}

static void a_tail_torn_at_any_byte_and_overwritten_with_noise_is_cut(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 2, 3);
    uint64_t seed = test_seed();
    size_t last_group = JOURNAL_HEAD_BYTES + (size_t)sample.ends[2];
    unsigned char *bytes = malloc(sample.size);
    assert_non_null(bytes);
    for (size_t from = last_group; from < sample.used; from += 5) {
        memcpy(bytes, sample.bytes, sample.size);
        for (size_t i = from; i < sample.used; i++) {
            bytes[i] = (unsigned char)test_random(&seed);
        }
        file_write(sample.path, bytes, sample.size);
        fixture_open(&fixture);
        assert_true(fixture.count >= 3 && fixture.count <= sample.records);
        fixture_expect_numbers(&fixture, fixture.count);
        fixture_close(&fixture);
    }
    free(bytes);
    sample_release(&sample);
}

/* Any flip in the last group cuts from its record on; in an earlier group the open is refused. */
static void a_flipped_bit_is_cut_in_the_last_group_and_refused_before_it(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 3, 3);
    uint64_t seed = test_seed();
    size_t last_group = JOURNAL_HEAD_BYTES + (size_t)sample.ends[5];
    for (size_t at = JOURNAL_HEAD_BYTES; at < sample.used; at++) {
        unsigned char mask = (unsigned char)(1u << test_random(&seed) % 8);
        sample.bytes[at] ^= mask;
        file_write(sample.path, sample.bytes, sample.size);
        sample.bytes[at] ^= mask;
        uint32_t record = 0;
        while (JOURNAL_HEAD_BYTES + sample.ends[record] <= at) {
            record++;
        }
        if (at >= last_group) {
            expect_cut_and_goes_on(&sample, record);
            continue;
        }
        assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
        char place[32];
        (void)snprintf(place, sizeof place, "offset %zu ",
                       JOURNAL_HEAD_BYTES + (record > 0 ? (size_t)sample.ends[record - 1] : 0));
        assert_non_null(strstr(fixture.detail.text, sample.path));
        assert_non_null(strstr(fixture.detail.text, place));
    }
    sample_release(&sample);
}

static void a_hole_of_zeros_before_a_later_group_is_refused(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 3, 3);
    memset(sample.bytes + JOURNAL_HEAD_BYTES + sample.ends[2], 0,
           (size_t)(sample.ends[3] - sample.ends[2]));
    file_write(sample.path, sample.bytes, sample.size);
    assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    sample_release(&sample);
}

static void a_hole_in_the_last_group_is_a_power_cut_and_is_cut_there(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 2, 5);
    memset(sample.bytes + JOURNAL_HEAD_BYTES + sample.ends[6], 0,
           (size_t)(sample.ends[7] - sample.ends[6]));
    file_write(sample.path, sample.bytes, sample.size);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 7);
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_true(stats.cut_bytes > 0); /* an operator can see that something was cut */
    sample_release(&sample);
}

/* What a payload smuggles in, or an old block that a disk brings back. */
static void a_good_record_copied_to_another_place_is_none_there(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 2, 1);
    memcpy(sample.bytes + sample.used, sample.bytes + JOURNAL_HEAD_BYTES, (size_t)sample.ends[0]);
    file_write(sample.path, sample.bytes, sample.size);
    expect_cut_and_goes_on(&sample, 2);
    sample_release(&sample);
}

static void any_damage_to_a_head_is_refused(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct sample sample;
    sample_make(&sample, &fixture, 1, 1);
    for (size_t at = 0; at < JOURNAL_HEAD_BYTES; at++) {
        sample.bytes[at] ^= 0x20;
        file_write(sample.path, sample.bytes, sample.size);
        sample.bytes[at] ^= 0x20;
        assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
        assert_non_null(strstr(fixture.detail.text, sample.path));
    }
    sample_release(&sample);
}

static void fill_segments(struct fixture *fixture)
{
    fixture_init(fixture, 2048, PENDING_BYTES);
    fixture_open(fixture);
    for (uint32_t i = 0; i < 100; i++) {
        fixture_wait_durable(fixture, fixture_append(fixture, i));
    }
    fixture_close(fixture);
    assert_true(fixture_segments(fixture) >= 5);
}

static void a_missing_segment_in_the_middle_is_refused_and_named(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill_segments(&fixture);
    char path[128], before[128];
    fixture_segment_path(&fixture, 2, path, sizeof path);
    fixture_segment_path(&fixture, 1, before, sizeof before);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    assert_non_null(strstr(fixture.detail.text, before));
    assert_non_null(strstr(fixture.detail.text, "missing"));
    fixture_release(&fixture);
}

static void a_middle_segment_that_was_cut_or_damaged_is_refused(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill_segments(&fixture);
    char path[128];
    fixture_segment_path(&fixture, 1, path, sizeof path);
    size_t size;
    unsigned char *bytes = file_read(path, &size);
    for (size_t length = JOURNAL_HEAD_BYTES; length < size; length += 11) {
        file_write(path, bytes, length);
        assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    }
    for (size_t at = 0; at < size; at += 11) {
        bytes[at] ^= 1;
        file_write(path, bytes, size);
        bytes[at] ^= 1;
        assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
        assert_non_null(strstr(fixture.detail.text, path));
    }
    file_write(path, bytes, size);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 100);
    free(bytes);
    fixture_release(&fixture);
}

static void a_segment_of_another_journal_is_refused(void **state)
{
    (void)state;
    static struct fixture fixture, other;
    fill_segments(&fixture);
    fill_segments(&other);
    char path[128], other_path[128];
    fixture_segment_path(&fixture, 1, path, sizeof path);
    fixture_segment_path(&other, 1, other_path, sizeof other_path);
    size_t size;
    unsigned char *bytes = file_read(other_path, &size);
    file_write(path, bytes, size);
    free(bytes);
    assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    assert_non_null(strstr(fixture.detail.text, "another journal"));
    fixture_release(&fixture);
    fixture_release(&other);
}

static void foreign_files_and_an_unfinished_segment_do_not_matter(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill_segments(&fixture);
    static const char *const names[] = {"README", "unfinished.new", "0.seg", "000000000000000G.seg",
                                        "0000000000000000.seg.bak"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s/%s", fixture.directory, names[i]);
        file_write(path, "noise", 5);
    }
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 100);
    fixture_release(&fixture);
}

static uint64_t segment_base(const struct fixture *fixture, uint32_t n)
{
    char path[128];
    fixture_segment_path(fixture, n, path, sizeof path);
    return strtoull(strrchr(path, '/') + 1, NULL, 16);
}

static void segments_below_replay_from_are_not_read_but_for_their_heads(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill_segments(&fixture);
    assert_true(fixture_segments(&fixture) >= 3);
    const uint64_t second = segment_base(&fixture, 1);
    char path[128];
    fixture_segment_path(&fixture, 0, path, sizeof path);
    size_t size;
    unsigned char *bytes = file_read(path, &size);
    bytes[JOURNAL_HEAD_BYTES + 40] ^= 1;
    file_write(path, bytes, size);
    fixture.options.replay_from = second - 1;
    assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    for (uint64_t from = second; from <= second + 1; from++) {
        fixture.options.replay_from = from;
        fixture_open(&fixture);
        assert_int_equal(fixture.numbers[fixture.count - 1], 99);
        assert_true(fixture.numbers[0] > 0);
        assert_int_equal(fixture.count, 100 - fixture.numbers[0]);
        assert_int_equal(journal_first_pos(fixture.journal), 0);
        fixture_close(&fixture);
    }
    bytes[8] ^= 1; /* of the head */
    file_write(path, bytes, size);
    assert_int_equal(fixture_try_open(&fixture), STATUS_CORRUPT);
    free(bytes);
    fixture_release(&fixture);
}

static void the_id_is_told_without_opening_and_only_of_a_whole_head(void **state)
{
    (void)state;
    static struct fixture fixture;
    char id[JOURNAL_ID_BYTES + 1], path[128];
    fixture_init(&fixture, 4096, 0);
    assert_int_equal(journal_id_in(fixture.directory, id), STATUS_NOT_FOUND);
    assert_int_equal(journal_id_in("/nonexistent", id), STATUS_NOT_FOUND);
    fixture_open(&fixture);
    assert_int_equal(journal_id_in(fixture.directory, id), STATUS_OK);
    assert_string_equal(id, journal_id(fixture.journal));
    fixture_close(&fixture);
    fixture_segment_path(&fixture, 0, path, sizeof path);
    size_t size;
    unsigned char *bytes = file_read(path, &size);
    file_write(path, bytes, JOURNAL_HEAD_BYTES - 1);
    assert_int_equal(journal_id_in(fixture.directory, id), STATUS_NOT_FOUND);
    bytes[8] ^= 1;
    file_write(path, bytes, size);
    assert_int_equal(journal_id_in(fixture.directory, id), STATUS_NOT_FOUND);
    free(bytes);
    fixture_release(&fixture);
}

/* Thousands of journals are opened here, and no power fails: the disk need not be asked each time. */
static int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

int main(void)
{
    journal_io.fdatasync = sync_nothing;
    journal_io.fsync = sync_nothing;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_segment_cut_at_any_length_keeps_every_whole_record),
        cmocka_unit_test(a_segment_shorter_than_its_head_is_refused_because_no_crash_leaves_one),
        cmocka_unit_test(a_tail_torn_at_any_byte_and_overwritten_with_noise_is_cut),
        cmocka_unit_test(a_flipped_bit_is_cut_in_the_last_group_and_refused_before_it),
        cmocka_unit_test(a_hole_of_zeros_before_a_later_group_is_refused),
        cmocka_unit_test(a_hole_in_the_last_group_is_a_power_cut_and_is_cut_there),
        cmocka_unit_test(a_good_record_copied_to_another_place_is_none_there),
        cmocka_unit_test(any_damage_to_a_head_is_refused),
        cmocka_unit_test(a_missing_segment_in_the_middle_is_refused_and_named),
        cmocka_unit_test(a_middle_segment_that_was_cut_or_damaged_is_refused),
        cmocka_unit_test(a_segment_of_another_journal_is_refused),
        cmocka_unit_test(segments_below_replay_from_are_not_read_but_for_their_heads),
        cmocka_unit_test(the_id_is_told_without_opening_and_only_of_a_whole_head),
        cmocka_unit_test(foreign_files_and_an_unfinished_segment_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
