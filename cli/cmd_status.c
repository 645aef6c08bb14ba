/* campusctl status: what a running campusd counts. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/control_client.h"

static const char usage[] = "campusctl status [--json] [--key KEY] [--socket PATH]";

static void print_json(struct text answer)
{
    const char *separator = "{";
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (const char *at = answer.at, *end = answer.at + answer.length; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        if (equals != NULL) {
            int64_t number;
            struct text value = {equals + 1, (size_t)(stop - equals - 1)};
            buffer_text(&out, separator);
            buffer_json_string(&out, at, (size_t)(equals - at));
            buffer_text(&out, ":");
            if (text_to_i64(value, &number) == STATUS_OK) {
                buffer_append(&out, value.at, value.length);
            } else {
                buffer_json_string(&out, value.at, value.length);
            }
            separator = ",";
        }
        at = stop + 1;
    }
    (void)printf("%s}\n", buffer_cstr(&out));
    buffer_release(&out);
}

static int print_answer(struct text answer, const char *key, bool json)
{
    if (key != NULL) {
        struct text value = control_value(answer, key);
        if (value.length == 0) {
            return cli_fail("campusd does not report %s", key);
        }
        (void)printf("%.*s\n", TEXT_FMT(value));
    } else if (json) {
        print_json(answer);
    } else {
        (void)fwrite(answer.at, 1, answer.length, stdout);
    }
    return CLI_OK;
}

int cmd_status(int argc, char **argv)
{
    const char *socket = NULL, *key = NULL;
    bool json = false, help = false;
    const struct cli_option options[] = {{"--socket", &socket, NULL},
                                         {"--key", &key, NULL},
                                         {"--json", NULL, &json},
                                         {"--help", NULL, &help},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (help) {
        (void)printf("usage: %s\n", usage);
        return CLI_OK;
    }
    if (words > 1) {
        return cli_usage(usage, "what is %s?", argv[1]);
    }
    struct buffer answer;
    struct status_detail detail = {""};
    buffer_init(&answer, 1 << 20);
    enum status status = control_ask(socket, "status", 5000, &answer, &detail);
    if (status != STATUS_OK) {
        result = cli_fail("%s", detail.text);
    } else {
        result = print_answer((struct text){answer.data, answer.size}, key, json);
    }
    buffer_release(&answer);
    return result;
}
