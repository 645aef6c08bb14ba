/*
 * folder.h - a folder of its own for what a benchmark writes, gone afterwards.
 * Threads: any.
 */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include "base/status.h"

#define BENCH_FOLDER_BYTES 4096u

/* Makes DIRECTORY/NAME-XXXXXX. STATUS_IO: why, in detail; ret is "" then. */
enum status bench_folder_make(const char *directory, const char *name, char ret[BENCH_FOLDER_BYTES],
                              struct status_detail *detail) MUST_CHECK;
/* The files in it and the folder; it has no folders in it. "" is fine. */
void bench_folder_remove(const char *path);

#endif
