/*
 * page_parts.h - the files of page/, as the build puts them into the program (page/embed.cmake).
 * Memory: constants, each with a NUL behind it.
 * Threads: any.
 */
#ifndef BENCH_LOAD_PAGE_PARTS_H
#define BENCH_LOAD_PAGE_PARTS_H

struct page_part {
    const char *mark, *text; /* "@page.js@" in the template stands for that file */
};

extern const char *const page_template;
extern const struct page_part page_parts[]; /* ends with a zero entry */

#endif
