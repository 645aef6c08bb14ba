#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_fixture.h"
#include "storage/journal_internal.h"

/* Calls from number `first` (from 1), `count` of them, fail with `error`. Worker and loop thread
 * both call, and a test heals the disk while the worker tries. */
static struct {
    _Atomic uint32_t calls, first, count;
    _Atomic int error;
    bool torn; /* a failing write writes half; a failing sync has lost what was written */
    struct journal_io real;
} fault;

static bool fails(void)
{
    fault.calls++;
    return fault.calls >= fault.first && fault.calls - fault.first < fault.count;
}

static int failing_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
    if (fails()) {
        errno = fault.error;
        return -1;
    }
    return fault.real.openat(dir_fd, name, flags, mode);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (fails()) {
        if (fault.torn) {
            (void)!fault.real.pwrite(fd, data, size / 2, offset);
        }
        errno = fault.error;
        return -1;
    }
    if (fault.torn && size > 16) { /* and short writes are no errors */
        size /= 2;
    }
    return fault.real.pwrite(fd, data, size, offset);
}

static off_t last_bytes(int fd, unsigned char *noise, size_t size)
{
    off_t at = lseek(fd, 0, SEEK_END) - (off_t)size;
    memset(noise, 0xee, size);
    return at > 0 ? at : 0;
}

static int failing_fdatasync(int fd)
{
    if (fails()) {
        if (fault.torn) {
            unsigned char noise[64];
            off_t at = last_bytes(fd, noise, sizeof noise);
            (void)!fault.real.pwrite(fd, noise, sizeof noise, at);
        }
        errno = fault.error;
        return -1;
    }
    return fault.real.fdatasync(fd);
}

static int failing_fsync(int fd)
{
    if (fails()) {
        errno = fault.error;
        return -1;
    }
    return fault.real.fsync(fd);
}

static int failing_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (fails()) {
        errno = fault.error;
        return -1;
    }
    return fault.real.renameat(from_fd, from, to_fd, to);
}

static void fault_arm(uint32_t first, uint32_t count, int error, bool torn)
{
    fault.calls = 0;
    fault.first = first;
    fault.count = count;
    fault.error = error;
    fault.torn = torn;
}

static int install_faults(void **state)
{
    (void)state;
    fault.real = journal_io;
    fault_arm(1, 0, 0, false);
    journal_io = (struct journal_io){.openat = failing_openat,
                                     .pwrite = failing_pwrite,
                                     .fdatasync = failing_fdatasync,
                                     .fsync = failing_fsync,
                                     .renameat = failing_renameat,
                                     .retry_min_ms = 0,
                                     .retry_max_ms = 0};
    return 0;
}

static int remove_faults(void **state)
{
    (void)state;
    journal_io = fault.real;
    return 0;
}

enum { WALK_RECORDS = 60 };

/* Opens (again and again if need be), appends WALK_RECORDS in groups of three over several segments
 * while the armed calls fail, and finds every record once: live, and at the next open. */
static void walk_once(struct fixture *fixture)
{
    uint32_t opens_failed = 0;
    for (; fixture_try_open(fixture) != STATUS_OK; opens_failed++) {
        assert_non_null(strstr(fixture->detail.text, fixture->directory));
    }
    assert_int_equal(fixture->count, 0);
    uint64_t durable_before = 0;
    for (uint32_t i = 0; i < WALK_RECORDS; i += 3) {
        (void)fixture_append(fixture, i);
        (void)fixture_append(fixture, i + 1);
        uint64_t end = fixture_append(fixture, i + 2);
        assert_int_equal(fixture->durable, durable_before); /* not before it is */
        fixture_wait_durable(fixture, end);
        durable_before = end;
    }
    fixture_expect_numbers(fixture, WALK_RECORDS);
    fixture_close(fixture);
    /* no failure goes untold */
    assert_true(fault.calls < fault.first || opens_failed > 0 || fixture->trouble_calls > 0);
    fault.count = 0;
    fixture_open(fixture);
    fixture_expect_numbers(fixture, WALK_RECORDS);
    fixture_close(fixture);
}

static void walk(uint32_t count, int error, bool torn)
{
    bool reached = true;
    uint32_t troubles = 0;
    for (uint32_t first = 1; reached; first++) {
        static struct fixture fixture;
        fixture_init(&fixture, 2048, 0);
        fault_arm(first, count, error, torn);
        walk_once(&fixture);
        troubles += fixture.trouble_calls;
        reached = fault.calls >= first;
        fixture_release(&fixture);
        assert_true(first < 2000);
    }
    assert_true(troubles > 20);
}

static void a_failure_of_any_single_call_loses_and_doubles_nothing(void **state)
{
    (void)state;
    walk(1, EIO, false);
}

static void a_failure_that_tears_the_file_loses_and_doubles_nothing(void **state)
{
    (void)state;
    walk(1, EIO, true);
}

static void a_full_disk_heals_by_itself_wherever_it_begins(void **state)
{
    (void)state;
    walk(7, ENOSPC, true);
}

static void trouble_is_told_once_and_again_only_when_it_changes(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fault_arm(1, 50, ENOSPC, false);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 0));
    assert_non_null(strstr(fixture.trouble.text, "free some space"));
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_true(stats.troubles >= 50);
    assert_true(fixture.trouble_calls <= 2); /* the write, then the making of a fresh segment */
    uint32_t calls = fixture.trouble_calls;
    fault_arm(1, 50, ENOSPC, false);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 1));
    assert_true(fixture.trouble_calls > calls); /* it had healed in between: told anew */
    fixture_release(&fixture);
}

static void sources_are_told_full_while_the_disk_is_in_trouble_and_go_on_after(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, JOURNAL_ENTRY_BYTES_MAX);
    fixture_open(&fixture);
    fault_arm(1, UINT32_MAX, EIO, false);
    uint64_t end = fixture_append(&fixture, 0);
    uint32_t taken = 1;
    while (fixture.trouble_calls == 0) {
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    while (fixture_try_append(&fixture, taken, &end) == STATUS_OK) {
        taken++;
        if (taken % 100 == 0) {
            (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        }
    }
    assert_int_equal(fixture.durable_calls, 0);
    assert_int_equal(fixture.count, 0);
    struct journal_stats stats;
    journal_stats(fixture.journal, &stats);
    assert_true(stats.pending_bytes <= JOURNAL_ENTRY_BYTES_MAX); /* both halves together */
    fault.count = 0;
    fixture_wait_durable(&fixture, end);
    fixture_expect_numbers(&fixture, taken);
    fixture_release(&fixture);
}

static void a_close_in_trouble_gives_up_after_one_more_try_and_what_was_durable_stays(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 0));
    fault_arm(1, UINT32_MAX, EIO, false);
    (void)fixture_append(&fixture, 1);
    fixture_close(&fixture);
    fixture_expect_numbers(&fixture, 1);
    fault.count = 0;
    fixture_open(&fixture);
    assert_true(fixture.count >= 1); /* the second may be found; it was never said to be durable */
    fixture_expect_numbers(&fixture, fixture.count);
    fixture_release(&fixture);
}

static void a_close_right_after_a_single_failure_still_saves_the_group(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fault_arm(1, 1, EIO, true);
    (void)fixture_append(&fixture, 0);
    fixture_close(&fixture);
    fixture_expect_numbers(&fixture, 1);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 1);
    fixture_release(&fixture);
}

static void after_a_failed_sync_the_group_goes_to_a_fresh_file(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 0));
    uint64_t torn_at = fixture.durable;
    fault_arm(2, 1, EIO, false); /* 1 = write, 2 = sync */
    fixture_wait_durable(&fixture, fixture_append(&fixture, 1));
    assert_int_equal(fixture_segments(&fixture), 2);
    char path[128], name[JOURNAL_NAME_BYTES];
    fixture_segment_path(&fixture, 1, path, sizeof path);
    journal_segment_name(torn_at, name);
    assert_non_null(strstr(path, name));
    /* and the torn one ends where it was durable */
    size_t size;
    fixture_segment_path(&fixture, 0, path, sizeof path);
    free(file_read(path, &size));
    assert_int_equal(size, JOURNAL_HEAD_BYTES + torn_at);
    fixture_release(&fixture);
}

/* The bytes may be in the page cache only, and even look clean there. */
static void an_open_writes_the_last_group_again_and_fails_where_it_cannot(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 0));
    fixture_wait_durable(&fixture, fixture_append(&fixture, 1));
    fixture_close(&fixture);
    for (uint32_t first = 1; first <= 3; first++) { /* write, sync of the file, of the directory */
        fault_arm(first, 1, EIO, false);
        assert_int_equal(fixture_try_open(&fixture), STATUS_IO);
        assert_int_equal(fault.calls, first);
    }
    fault_arm(4, 1, EIO, false);
    fixture_open(&fixture);
    fixture_expect_numbers(&fixture, 2);
    assert_int_equal(fault.calls, 3);
    fault.count = 0;
    fixture_release(&fixture);
}

static void a_trim_never_counts_on_a_segment_that_is_still_being_made(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_init(&fixture, 0, 0);
    fixture_open(&fixture);
    fixture_wait_durable(&fixture, fixture_append(&fixture, 0));
    fault_arm(1, UINT32_MAX, EIO, false);
    uint64_t end = fixture_append(&fixture, 1);
    while (fixture.trouble_calls == 0) {
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(journal_trim(fixture.journal, UINT64_MAX), 0);
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
    fault.count = 0;
    fixture_wait_durable(&fixture, end);
    assert_int_equal(journal_trim(fixture.journal, UINT64_MAX), 1);
    fixture_release(&fixture);
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, install_faults, remove_faults)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_failure_of_any_single_call_loses_and_doubles_nothing),
        FAULT_TEST(a_failure_that_tears_the_file_loses_and_doubles_nothing),
        FAULT_TEST(a_full_disk_heals_by_itself_wherever_it_begins),
        FAULT_TEST(trouble_is_told_once_and_again_only_when_it_changes),
        FAULT_TEST(sources_are_told_full_while_the_disk_is_in_trouble_and_go_on_after),
        FAULT_TEST(a_close_in_trouble_gives_up_after_one_more_try_and_what_was_durable_stays),
        FAULT_TEST(a_close_right_after_a_single_failure_still_saves_the_group),
        FAULT_TEST(after_a_failed_sync_the_group_goes_to_a_fresh_file),
        FAULT_TEST(an_open_writes_the_last_group_again_and_fails_where_it_cannot),
        FAULT_TEST(a_trim_never_counts_on_a_segment_that_is_still_being_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
