/*
 * score_files.h - the truth and the alerts that campusctl score compares, read from their files.
 * Know: who is who goes by card where the truth has that column, else by pupil. What is true of a
 * fence of kind danger or place is scored as such; without a kind the word of the event decides.
 * Memory: all in its arena.
 * Threads: one.
 */
#ifndef CLI_SCORE_FILES_H
#define CLI_SCORE_FILES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "cli/names.h"
#include "sim/score.h"

struct score_files {
    const char *truth_path, *alerts_path; /* "-": standard input */
    struct arena arena;
    const char *who_key; /* "card" or "pupil" */
    struct names who, fences;
    uint8_t *kinds; /* enum fence_kind by fence number; 0: the truth tells none */
    struct score_mark *crossings, *alerts;
    uint32_t crossing_count, alert_count;
    uint32_t skipped;    /* alerts of other types */
    uint32_t unforeseen; /* danger alerts at fences that the truth has, but not as danger zones */
};

/* Reads both. STATUS_INVALID, and what cli_read_file returns: the file, the line and what is wanted
 * there are in detail. Release it in any case. */
enum status score_files_read(struct score_files *files, const char *truth_path,
                             const char *alerts_path, struct status_detail *detail) MUST_CHECK;
void score_files_release(struct score_files *files);

#endif
