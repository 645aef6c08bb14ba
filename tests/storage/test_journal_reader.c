#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal_fixture.h"
#include "storage/journal_internal.h"

static struct journal_reader *reader_at(const struct fixture *fixture, uint64_t pos)
{
    struct journal_reader *reader;
    assert_int_equal(journal_reader_new(fixture->directory, pos, &reader, NULL), STATUS_OK);
    return reader;
}

static void expect_next(struct journal_reader *reader, uint64_t limit, uint64_t number)
{
    struct journal_record record;
    struct status_detail detail = {0};
    enum status status = journal_reader_next(reader, limit, &record, &detail);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_words(status), detail.text);
    }
    assert_int_equal(numbered_check(&record), number);
}

static void fill(struct fixture *fixture, uint32_t records)
{
    fixture_init(fixture, 2048, 0);
    fixture_open(fixture);
    for (uint32_t i = 0; i < records; i++) {
        fixture_wait_durable(fixture, fixture_append(fixture, i));
    }
}

static void a_reader_begins_at_any_record_and_reads_to_the_end_over_segments(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill(&fixture, 100);
    struct journal_record record;
    for (uint32_t first = 0; first <= 100; first++) {
        uint64_t pos = first > 0 ? fixture.ends[first - 1] : 0;
        struct journal_reader *reader = reader_at(&fixture, pos);
        for (uint32_t i = first; i < 100; i++) {
            expect_next(reader, fixture.durable, i);
        }
        assert_int_equal(journal_reader_next(reader, fixture.durable, &record, NULL), STATUS_END);
        journal_reader_free(reader);
    }
    fixture_release(&fixture);
}

static void a_reader_stops_at_its_limit_and_follows_a_journal_that_grows(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 2048, 0);
    fixture_open(&fixture);
    struct journal_reader *reader = reader_at(&fixture, 0);
    struct journal_record record;
    assert_int_equal(journal_reader_next(reader, 0, &record, NULL), STATUS_END);
    for (uint32_t i = 0; i < 200; i += 2) {
        (void)fixture_append(&fixture, i);
        fixture_wait_durable(&fixture, fixture_append(&fixture, i + 1));
        expect_next(reader, fixture.ends[i], i);
        assert_int_equal(journal_reader_next(reader, fixture.ends[i], &record, NULL), STATUS_END);
        expect_next(reader, fixture.ends[i + 1], i + 1);
    }
    journal_reader_free(reader);
    fixture_release(&fixture);
}

static void a_trimmed_position_is_not_found_and_the_first_one_is_told(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill(&fixture, 100);
    struct journal_reader *open_before = reader_at(&fixture, 0);
    expect_next(open_before, fixture.durable, 0);
    assert_true(journal_trim(fixture.journal, fixture.ends[50]) > 0);
    assert_int_equal(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
    struct journal_reader *reader = reader_at(&fixture, 0);
    struct journal_record record;
    struct status_detail detail;
    assert_int_equal(journal_reader_next(reader, fixture.durable, &record, &detail),
                     STATUS_NOT_FOUND);
    char first[48];
    (void)snprintf(first, sizeof first, "the first is %llu",
                   (unsigned long long)journal_first_pos(fixture.journal));
    assert_non_null(strstr(detail.text, first));
    journal_reader_free(reader);
    /* one that was open reads its own segment to the end, then finds the gap */
    uint64_t number = 1;
    enum status status;
    while ((status = journal_reader_next(open_before, fixture.durable, &record, NULL)) ==
           STATUS_OK) {
        assert_int_equal(numbered_check(&record), number++);
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
    journal_reader_free(open_before);
    fixture_release(&fixture);
}

static void damage_is_told_with_file_and_offset(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill(&fixture, 10);
    char path[128];
    fixture_segment_path(&fixture, 0, path, sizeof path);
    size_t size;
    unsigned char *bytes = file_read(path, &size);
    uint64_t bad = JOURNAL_HEAD_BYTES + fixture.ends[3];
    bytes[bad + 20] ^= 4;
    file_write(path, bytes, size);
    free(bytes);
    struct journal_reader *reader = reader_at(&fixture, 0);
    for (uint32_t i = 0; i < 4; i++) {
        expect_next(reader, fixture.durable, i);
    }
    struct journal_record record;
    struct status_detail detail;
    assert_int_equal(journal_reader_next(reader, fixture.durable, &record, &detail),
                     STATUS_CORRUPT);
    char place[48];
    (void)snprintf(place, sizeof place, "offset %llu ", (unsigned long long)bad);
    assert_non_null(strstr(detail.text, path));
    assert_non_null(strstr(detail.text, place));
    journal_reader_free(reader);
    fixture_release(&fixture);
}

static void a_position_that_no_record_can_have_is_refused(void **state)
{
    (void)state;
    static struct fixture fixture;
    fill(&fixture, 10);
    struct journal_reader *reader = NULL;
    struct status_detail detail;
    assert_int_equal(journal_reader_new(fixture.directory, 7, &reader, &detail), STATUS_INVALID);
    assert_null(reader);
    reader = reader_at(&fixture, fixture.ends[2] + 8); /* inside a record */
    struct journal_record record;
    assert_int_equal(journal_reader_next(reader, fixture.durable, &record, &detail),
                     STATUS_CORRUPT);
    journal_reader_free(reader);
    assert_int_equal(journal_reader_new("/nowhere/at/all", 0, &reader, NULL), STATUS_OK);
    assert_int_equal(journal_reader_next(reader, 8, &record, &detail), STATUS_IO);
    assert_non_null(strstr(detail.text, "/nowhere/at/all"));
    journal_reader_free(reader);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_begins_at_any_record_and_reads_to_the_end_over_segments),
        cmocka_unit_test(a_reader_stops_at_its_limit_and_follows_a_journal_that_grows),
        cmocka_unit_test(a_trimmed_position_is_not_found_and_the_first_one_is_told),
        cmocka_unit_test(damage_is_told_with_file_and_offset),
        cmocka_unit_test(a_position_that_no_record_can_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
