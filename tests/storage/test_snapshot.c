/* Snapshots on a real disk: the newest whole one counts, and none that is damaged or strange. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/snapshot.h"
#include "tests/check.h"

#define JOURNAL "0123456789abcdef0123456789abcdef"

static char directory[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/campus-snapshot-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command); /* NOLINT(cert-env33-c) */
}

static void path_of(uint64_t pos, char ret[128])
{
    (void)snprintf(ret, 128, "%s/snapshot-%016llx", directory, (unsigned long long)pos);
}

static void make(uint64_t pos, const char *words)
{
    struct status_detail detail;
    struct snapshots_kept kept;
    struct snapshot snapshot = {.pos = pos,
                                .replay_from = pos - 7,
                                .confirmed = pos - 9,
                                .made_ms = 1000 + (int64_t)pos,
                                .tick_ms = 99,
                                .rules = {.revision = pos},
                                .engine = {words, strlen(words)},
                                .ingest = {"windows", 7},
                                .extra = {"", 0}};
    memcpy(snapshot.journal_id, JOURNAL, SNAPSHOT_ID_BYTES);
    if (snapshot_write_aside(directory, &snapshot, &detail) != STATUS_OK ||
        snapshot_publish(directory, pos, &kept, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static enum status read_newest(const char *journal, struct buffer *bytes, struct snapshot *ret,
                               struct snapshots_kept *kept, struct status_detail *detail)
{
    buffer_clear(bytes);
    return snapshot_read_newest(directory, journal, bytes, ret, kept, detail);
}

static void the_newest_comes_back_and_two_are_kept(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot;
    struct snapshots_kept kept;
    struct status_detail detail;
    struct stat info;
    char path[128];
    buffer_init(&bytes, 1 << 20);
    assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_NOT_FOUND);
    assert_string_equal(detail.text, "");
    make(100, "one");
    make(200, "two and more");
    make(4096, "three");
    assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_OK);
    assert_string_equal(detail.text, "");
    assert_int_equal(snapshot.pos, 4096);
    assert_int_equal(snapshot.replay_from, 4089);
    assert_int_equal(snapshot.confirmed, 4087);
    assert_int_equal(snapshot.tick_ms, 99);
    assert_int_equal(snapshot.rules.revision, 4096);
    assert_true(text_is(snapshot.engine, "three") && text_is(snapshot.ingest, "windows"));
    assert_int_equal(kept.count, 2);
    assert_int_equal(kept.items[0].replay_from, 193);
    assert_int_equal(kept.items[1].replay_from, 4089);
    path_of(100, path);
    assert_int_equal(stat(path, &info), -1);
    snapshot_remove_all(directory);
    assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_NOT_FOUND);
    assert_int_equal(kept.count, 0);
    buffer_release(&bytes);
}

/* Any byte of it. */
static void a_damaged_one_is_passed_over(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot;
    struct snapshots_kept kept;
    struct status_detail detail;
    char path[128];
    buffer_init(&bytes, 1 << 20);
    make(100, "one");
    make(200, "two");
    path_of(200, path);
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(fd >= 0 && size > 100);
    for (off_t i = 0; i < size; i++) {
        unsigned char byte, other;
        assert_int_equal(pread(fd, &byte, 1, i), 1);
        other = byte ^ 0x40;
        assert_int_equal(pwrite(fd, &other, 1, i), 1);
        assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_OK);
        assert_int_equal(snapshot.pos, 100);
        assert_non_null(strstr(detail.text, "snapshot-00000000000000c8"));
        assert_int_equal(pwrite(fd, &byte, 1, i), 1);
    }
    for (off_t left = size - 1; left >= 0; left -= 13) { /* cut short */
        assert_int_equal(ftruncate(fd, left), 0);
        assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_OK);
        assert_int_equal(snapshot.pos, 100);
    }
    (void)close(fd);
    buffer_release(&bytes);
}

static void one_of_another_journal_is_passed_over(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot;
    struct snapshots_kept kept;
    struct status_detail detail;
    buffer_init(&bytes, 1 << 20);
    make(100, "one");
    assert_int_equal(
        read_newest("fedcba98765432100123456789abcdef", &bytes, &snapshot, &kept, &detail),
        STATUS_NOT_FOUND);
    assert_non_null(strstr(detail.text, "another journal"));
    buffer_release(&bytes);
}

static void what_was_not_finished_counts_for_nothing(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot = {.pos = 300, .engine = {"x", 1}};
    struct snapshots_kept kept;
    struct status_detail detail;
    buffer_init(&bytes, 1 << 20);
    make(100, "one");
    assert_int_equal(snapshot_write_aside(directory, &snapshot, &detail), STATUS_OK);
    assert_int_equal(read_newest(JOURNAL, &bytes, &snapshot, &kept, &detail), STATUS_OK);
    assert_int_equal(snapshot.pos, 100);
    assert_int_equal(snapshot_write_aside("/nonexistent", &snapshot, &detail), STATUS_IO);
    assert_non_null(strstr(detail.text, "/nonexistent"));
    buffer_release(&bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_newest_comes_back_and_two_are_kept),
        TEST(a_damaged_one_is_passed_over),
        TEST(one_of_another_journal_is_passed_over),
        TEST(what_was_not_finished_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
