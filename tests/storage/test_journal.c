#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal_fixture.h"
#include "storage/journal_internal.h"

enum { PENDING_SMALL = 2 << 20 };

static void what_was_appended_comes_back_live_and_at_the_next_open(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    char id[JOURNAL_ID_BYTES + 1];
    (void)snprintf(id, sizeof id, "%s", journal_id(fixture.journal));
    assert_int_equal(strlen(id), JOURNAL_ID_BYTES);
    uint64_t end = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        end = fixture_append(&fixture, i);
        assert_int_equal(fixture.count, 0); /* never before it is durable */
    }
    fixture_wait_durable(&fixture, end);
    fixture_expect_numbers(&fixture, 1000);
    assert_int_equal(fixture.ends[999], end);
    fixture_close(&fixture);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 1000);
    assert_string_equal(journal_id(fixture.journal), id);
    assert_int_equal(journal_durable_pos(fixture.journal), end);
    fixture_release(&fixture);
}

static void appends_of_one_loop_turn_share_one_sync(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    uint64_t end = 0;
    for (uint64_t i = 0; i < 500; i++) {
        end = fixture_append(&fixture, i);
    }
    fixture_wait_durable(&fixture, end);
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_int_equal(stats.syncs, 1);
    assert_int_equal(stats.records, 500);
    assert_int_equal(stats.bytes, end);
    assert_int_equal(stats.pending_bytes, 0);
    assert_int_equal(fixture.durable_calls, 1);
    fixture_release(&fixture);
}

/* Two milliseconds at least from one to the next: the machine can only make it longer. */
static void small_groups_do_not_follow_one_another_at_once(void **state)
{
    (void)state;
    enum { GROUPS = 20 };
    const int64_t pause_us = 2000;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    int64_t start_us = clock_mono_us();
    for (uint64_t i = 0; i < GROUPS; i++) {
        fixture_wait_durable(&fixture, fixture_append(&fixture, i));
    }
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_int_equal(stats.syncs, GROUPS);
    assert_true(clock_mono_us() - start_us >= (GROUPS - 1) * pause_us);
    fixture_release(&fixture);
}

static void append_echo(struct fixture *fixture, uint64_t number)
{
    if (number < 100) {
        (void)fixture_append(fixture, number + 100);
    }
}

static void records_appended_in_on_record_go_with_the_next_group_even_while_closing(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fixture.on_record = append_echo;
    for (uint64_t i = 0; i < 100; i++) {
        (void)fixture_append(&fixture, i);
    }
    fixture_close(&fixture);
    fixture_expect_numbers(&fixture, 200);
    fixture.on_record = NULL;
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 200);
    fixture_release(&fixture);
}

static void a_full_journal_takes_nothing_until_the_next_group_is_durable(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, PENDING_SMALL);
    fixture_open(&fixture);
    uint64_t end = 0, untouched = 77;
    uint32_t taken = 0;
    while (fixture_try_append(&fixture, taken, &end) == STATUS_OK) {
        taken++;
    }
    assert_int_equal(fixture_try_append(&fixture, taken, &untouched), STATUS_FULL);
    assert_int_equal(untouched, 77);
    fixture_wait_durable(&fixture, end);
    fixture_expect_numbers(&fixture, taken);
    fixture_wait_durable(&fixture, fixture_append(&fixture, taken));
    fixture_expect_numbers(&fixture, taken + 1);
    fixture_release(&fixture);
}

struct large {
    uint32_t count;
    size_t size;
    bool closed;
};

static void on_large(void *context, const struct journal_record *record)
{
    struct large *large = context;
    large->count++;
    large->size = record->size;
    const unsigned char *data = record->data;
    assert_int_equal(data[record->size - 1], 0xab);
}

static void on_large_durable(void *context, uint64_t pos)
{
    (void)context;
    assert_int_equal(pos, JOURNAL_ENTRY_BYTES_MAX);
}

static void on_large_trouble(void *context, enum status status, const struct status_detail *detail)
{
    (void)context;
    (void)status;
    fail_msg("%s", detail->text);
}

static void on_large_closed(void *context)
{
    struct large *large = context;
    large->closed = true;
}

static void a_record_beyond_the_maximum_is_refused_and_one_at_it_is_taken(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 4096, JOURNAL_ENTRY_BYTES_MAX); /* the least that is allowed */
    struct large large = {0};
    struct journal_callbacks callbacks = {&large, on_large, on_large_durable, on_large_trouble};
    unsigned char *data = malloc(JOURNAL_RECORD_MAX + 1);
    assert_non_null(data);
    memset(data, 0xab, JOURNAL_RECORD_MAX + 1);
    for (uint32_t round = 0; round < 2; round++) {
        struct journal *journal;
        assert_int_equal(journal_open(&fixture.loop, &fixture.options, &callbacks, &journal, NULL),
                         STATUS_OK);
        assert_int_equal(large.count, round == 0 ? 0 : 2); /* live, then from the disk */
        uint64_t end = 0;
        assert_int_equal(journal_append(journal, 1, data, JOURNAL_RECORD_MAX + 1, &end),
                         STATUS_TOO_LARGE);
        assert_int_equal(end, 0);
        if (round == 0) {
            assert_int_equal(journal_append(journal, 1, data, JOURNAL_RECORD_MAX, &end), STATUS_OK);
        }
        large.closed = false;
        journal_close(journal, on_large_closed, &large);
        assert_int_equal(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
        assert_true(large.closed);
        assert_int_equal(large.size, JOURNAL_RECORD_MAX);
    }
    free(data);
    fixture_release(&fixture);
}

static void segments_rotate_and_lie_end_to_end(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 4096, 0);
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 400; i++) {
        fixture_wait_durable(&fixture, fixture_append(&fixture, i));
    }
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_true(stats.segments > 10);
    assert_int_equal(stats.segments, fixture_segments(&fixture));
    for (uint32_t i = 0; i < stats.segments; i++) {
        char path[128];
        struct stat info;
        fixture_segment_path(&fixture, i, path, sizeof path);
        assert_int_equal(stat(path, &info), 0);
        assert_true(info.st_size <= 4096);
    }
    fixture_close(&fixture);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 400);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 400));
    fixture_expect_numbers(&fixture, 401);
    fixture_release(&fixture);
}

static void trimming_deletes_whole_segments_below_the_position_and_no_more(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 4096, 0);
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 400; i++) {
        fixture_wait_durable(&fixture, fixture_append(&fixture, i));
    }
    uint32_t before = fixture_segments(&fixture);
    assert_int_equal(journal_trim(fixture.journal, 0), 0);
    uint64_t pos = fixture.ends[199];
    uint32_t taken = journal_trim(fixture.journal, pos);
    assert_true(taken > 0);
    assert_int_equal(journal_trim(fixture.journal, pos), 0); /* one at a time */
    assert_int_equal(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(fixture_segments(&fixture), before - taken);
    uint64_t first = journal_first_pos(fixture.journal);
    assert_true(first > 0 && first <= pos && pos - first < 4096);
    fixture_close(&fixture);
    fixture_open(&fixture);
    assert_int_equal(fixture.numbers[fixture.count - 1], 399);
    assert_int_equal(journal_first_pos(fixture.journal), first);
    /* all of it: the last segment stays, it carries the position */
    uint64_t durable = fixture.durable;
    assert_true(journal_trim(fixture.journal, UINT64_MAX) > 0);
    fixture_close(&fixture); /* waits for the worker */
    assert_int_equal(fixture_segments(&fixture), 1);
    fixture_open(&fixture);
    assert_int_equal(journal_durable_pos(fixture.journal), durable);
    fixture_release(&fixture);
}

static void count_pending(void *context, const struct journal_record *record)
{
    uint64_t *next = context;
    assert_int_equal(numbered_check(record), *next);
    (*next)++;
}

/* Journals what fits below the limit, a record a group; returns how many records. */
static uint64_t fill_to_limit(struct fixture *fixture)
{
    uint64_t count = 0;
    while (fixture->trouble_calls == 0) {
        uint64_t end = fixture_append(fixture, count++);
        while (fixture->durable < end && fixture->trouble_calls == 0) {
            (void)uv_run(&fixture->loop, UV_RUN_ONCE);
        }
        assert_true(count < SEEN_MAX);
    }
    return count;
}

static void at_its_limit_it_is_in_trouble_until_a_trim_made_room(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 4096, 0);
    fixture.options.bytes_max = 20480; /* five segments */
    fixture_open(&fixture);
    uint64_t count = fill_to_limit(&fixture), end = fixture_append(&fixture, count);
    assert_non_null(strstr(fixture.trouble.text, "limit of 20480 bytes"));
    uint64_t durable = fixture.durable;
    assert_true(durable <= 20480 && durable > 12288);
    uint64_t next = fixture.count;
    journal_pending(fixture.journal, count_pending, &next);
    assert_int_equal(next, count + 1); /* what waits, in order */
    assert_true(journal_trim(fixture.journal, durable) > 0);
    fixture_wait_durable(&fixture, end);
    fixture_expect_numbers(&fixture, (uint32_t)count + 1);
    next = 0;
    journal_pending(fixture.journal, count_pending, &next);
    assert_int_equal(next, 0);
    fixture_release(&fixture);
}

static void two_opens_of_one_directory_conflict(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    struct journal *first = fixture.journal;
    assert_int_equal(fixture_try_open(&fixture), STATUS_CONFLICT);
    assert_non_null(strstr(fixture.detail.text, fixture.directory));
    assert_non_null(strstr(fixture.detail.text, "stop it first"));
    fixture.journal = first;
    fixture_close(&fixture);
    fixture_open(&fixture); /* the lock went with the journal */
    fixture_release(&fixture);
}

static void options_that_cannot_work_are_refused_with_the_limit(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, JOURNAL_ENTRY_BYTES_MAX - 1);
    assert_int_equal(fixture_try_open(&fixture), STATUS_INVALID);
    fixture.options =
        (struct journal_options){.directory = fixture.directory, .segment_bytes = UINT64_MAX};
    assert_int_equal(fixture_try_open(&fixture), STATUS_INVALID);
    fixture.options = (struct journal_options){.directory = "/proc/no/such/place"};
    assert_int_equal(fixture_try_open(&fixture), STATUS_IO);
    assert_non_null(strstr(fixture.detail.text, "/proc/no/such/place"));
    fixture_release(&fixture);
}

static void an_empty_journal_closes_and_opens_again_at_the_same_place(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    for (int i = 0; i < 3; i++) {
        fixture_open(&fixture);
        assert_int_equal(fixture.count, 0);
        assert_int_equal(journal_durable_pos(fixture.journal), 0);
        fixture_close(&fixture);
    }
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_comes_back_live_and_at_the_next_open),
        cmocka_unit_test(appends_of_one_loop_turn_share_one_sync),
        cmocka_unit_test(small_groups_do_not_follow_one_another_at_once),
        cmocka_unit_test(records_appended_in_on_record_go_with_the_next_group_even_while_closing),
        cmocka_unit_test(a_full_journal_takes_nothing_until_the_next_group_is_durable),
        cmocka_unit_test(a_record_beyond_the_maximum_is_refused_and_one_at_it_is_taken),
        cmocka_unit_test(segments_rotate_and_lie_end_to_end),
        cmocka_unit_test(trimming_deletes_whole_segments_below_the_position_and_no_more),
        cmocka_unit_test(at_its_limit_it_is_in_trouble_until_a_trim_made_room),
        cmocka_unit_test(two_opens_of_one_directory_conflict),
        cmocka_unit_test(options_that_cannot_work_are_refused_with_the_limit),
        cmocka_unit_test(an_empty_journal_closes_and_opens_again_at_the_same_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
