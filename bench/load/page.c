#include "bench/load/page.h"

#include <stdlib.h>
#include <string.h>

#include "bench/load/page_parts.h"
#include "bench/load/run_file.h"
#include "cli/cli.h"

static const char usage[] = "campus-load page RUN.json --out FILE.html\n"
                            "  RUN.json           what --json wrote; - for standard input\n"
                            "  --out FILE.html    one file: opens from disk, needs no network";

static void append_run(struct buffer *html, const json_t *run)
{
    char *dump = json_dumps(run, RUN_FILE_DUMP | JSON_COMPACT);
    if (dump == NULL) {
        html->failed = STATUS_NO_MEMORY;
        return;
    }
    /* outside of strings JSON has none of them */
    for (const char *at = dump; *at != '\0';) {
        size_t plain = strcspn(at, "<>&");
        buffer_append(html, at, plain);
        at += plain;
        if (*at != '\0') {
            buffer_printf(html, "\\u%04x", (unsigned)(unsigned char)*at++);
        }
    }
    free(dump);
}

/* template.html names the parts as @part@ */
enum status load_page_make(const json_t *run, struct buffer *html, struct status_detail *detail)
{
    const char *at = page_template;
    for (const char *mark; (mark = strchr(at, '@')) != NULL;) {
        buffer_append(html, at, (size_t)(mark - at));
        if (strncmp(mark, "@run@", 5) == 0) {
            append_run(html, run);
            at = mark + 5;
            continue;
        }
        const struct page_part *part = page_parts;
        while (part->mark != NULL && strncmp(mark, part->mark, strlen(part->mark)) != 0) {
            part++;
        }
        if (part->mark != NULL) {
            buffer_text(html, part->text);
            at = mark + strlen(part->mark);
        } else {
            buffer_text(html, "@");
            at = mark + 1;
        }
    }
    buffer_text(html, at);
    enum status status = buffer_status(html);
    return status == STATUS_OK
               ? STATUS_OK
               : status_detail_set(detail, status, "the page: %s", status_words(status));
}

int load_page(int argc, char **argv)
{
    const char *out = NULL;
    const struct cli_option options[] = {{"--out", &out, NULL}, {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (words != 2 || out == NULL) {
        return cli_usage(usage, "page needs one RUN.json and --out FILE.html");
    }
    struct status_detail detail;
    json_t *run = NULL;
    if (run_file_read(argv[1], &run, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    struct buffer html;
    buffer_init(&html, CLI_FILE_MAX);
    enum status status = load_page_make(run, &html, &detail);
    if (status == STATUS_OK) {
        status = run_file_replace(out, html.data, html.size, &detail);
    }
    buffer_release(&html);
    json_decref(run);
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", detail.text);
}
