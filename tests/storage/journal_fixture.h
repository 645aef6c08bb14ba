/*
 * journal_fixture.h - a journal in a temporary folder on a loop of its own, and what it called
 * back.
 * Memory: the fixture is the caller's; fixture_release removes the folder.
 * Threads: one.
 */
#ifndef TESTS_STORAGE_JOURNAL_FIXTURE_H
#define TESTS_STORAGE_JOURNAL_FIXTURE_H

#include "storage/journal.h"

#define SEEN_MAX 20000u

struct fixture {
    char directory[64];
    uv_loop_t loop;
    struct journal *journal; /* NULL: not open */
    struct journal_options options;
    struct status_detail detail;
    uint64_t numbers[SEEN_MAX]; /* the records handed over since the last open, checked */
    uint64_t ends[SEEN_MAX];
    uint32_t count;
    uint64_t next_pos; /* where the next record must begin; UINT64_MAX: anywhere */
    uint64_t durable;
    uint32_t durable_calls, trouble_calls;
    struct status_detail trouble;
    bool closed;
    void (*on_record)(struct fixture *fixture, uint64_t number); /* or NULL */
};

/* segment_bytes and pending_bytes_max as in journal_options. */
void fixture_init(struct fixture *fixture, uint64_t segment_bytes, size_t pending_bytes_max);
void fixture_release(struct fixture *fixture);

enum status fixture_try_open(struct fixture *fixture) MUST_CHECK;
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* Record `number` has a size and content of its own (up to 200 bytes), and type 1 + number % 5. */
#define NUMBERED_BYTES_MAX 208u
size_t numbered_make(uint64_t number, unsigned char ret[NUMBERED_BYTES_MAX]);
/* Aborts the test if the record is not a numbered one. Returns the number. */
uint64_t numbered_check(const struct journal_record *record);
enum status fixture_try_append(struct fixture *fixture, uint64_t number,
                               uint64_t *ret_end) MUST_CHECK;
uint64_t fixture_append(struct fixture *fixture, uint64_t number);
/* Runs the loop until on_durable has passed pos. */
void fixture_wait_durable(struct fixture *fixture, uint64_t pos);
/* Asserts that the records handed over are exactly 0, 1, ... count - 1. */
void fixture_expect_numbers(const struct fixture *fixture, uint32_t count);

/* The path of the n-th segment (0 = oldest); how many there are. */
uint32_t fixture_segments(const struct fixture *fixture);
void fixture_segment_path(const struct fixture *fixture, uint32_t n, char *ret, size_t ret_bytes);

/* Whole files in and out. The memory is the caller's. */
unsigned char *file_read(const char *path, size_t *ret_size);
void file_write(const char *path, const void *data, size_t size);

/* SEED= of the environment, else one drawn; printed. */
uint64_t test_seed(void);
uint64_t test_random(uint64_t *state);

#endif
