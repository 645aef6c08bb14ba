/*
 * page.h - the report of a run: one HTML file that needs nothing else, neither a network nor a
 * server.
 * Know: the parts (page/) are built into the program; the run is embedded as JSON whose "<", ">"
 * and "&" are escaped, so no text in it can end its element.
 * Memory: the caller's.
 * Threads: one.
 */
#ifndef BENCH_LOAD_PAGE_H
#define BENCH_LOAD_PAGE_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/status.h"

/* Appends the page of the run. STATUS_NO_MEMORY, STATUS_TOO_LARGE. */
enum status load_page_make(const json_t *run, struct buffer *html,
                           struct status_detail *detail) MUST_CHECK;

/* campus-load page RUN.json --out FILE.html. argv[0] is the command's name; returns the exit
 * status. */
int load_page(int argc, char **argv);

#endif
