#include "cli/campus_sim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"city", sim_command_city, "write the sample city: tables and fences, all invented"},
    {"day", sim_command_day, "let some of its pupils live a school day, into a broker or a file"},
};

enum status sim_option_number(const char *name, const char *text, int64_t low, int64_t high,
                              int64_t otherwise, int64_t *ret)
{
    int64_t value = otherwise;
    if (text != NULL &&
        (text_to_i64(text_of(text), &value) != STATUS_OK || value < low || value > high)) {
        (void)cli_fail("%s: \"%s\" is no whole number from %lld to %lld", name, text,
                       (long long)low, (long long)high);
        return STATUS_INVALID;
    }
    *ret = value;
    return STATUS_OK;
}

/* ---- files ---- */

enum status sim_file_open(struct sim_file *file, const char *folder, const char *name,
                          struct status_detail *detail)
{
    file->file = NULL;
    int length = folder != NULL ? snprintf(file->path, sizeof file->path, "%s/%s", folder, name)
                                : snprintf(file->path, sizeof file->path, "%s", name);
    if (length < 0 || (size_t)length >= sizeof file->path) {
        return status_detail_set(detail, STATUS_INVALID, "%s: too long a path", name);
    }
    (void)snprintf(file->path_new, sizeof file->path_new, "%s.new", file->path);
    file->file = fopen(file->path_new, "we");
    if (file->file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", file->path_new, strerror(errno));
    }
    return STATUS_OK;
}

enum status sim_file_write(struct sim_file *file, struct buffer *bytes,
                           struct status_detail *detail)
{
    enum status status = buffer_status(bytes);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "%s: %s", file->path, status_words(status));
    }
    if (fwrite(buffer_cstr(bytes), 1, bytes->size, file->file) != bytes->size) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", file->path_new, strerror(errno));
    }
    buffer_clear(bytes);
    return STATUS_OK;
}

enum status sim_file_commit(struct sim_file *file, struct status_detail *detail)
{
    int closed = fclose(file->file);
    file->file = NULL;
    if (closed != 0 || rename(file->path_new, file->path) != 0) {
        int error = errno;
        (void)unlink(file->path_new);
        return status_detail_set(detail, STATUS_IO, "%s: %s", file->path, strerror(error));
    }
    return STATUS_OK;
}

void sim_file_abort(struct sim_file *file)
{
    if (file->file != NULL) {
        (void)fclose(file->file);
        (void)unlink(file->path_new);
        file->file = NULL;
    }
}

static void print_help(FILE *out)
{
    (void)fputs("usage: campus-sim COMMAND [...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(out, "  %-6s %s\n", commands[i].name, commands[i].sentence);
    }
    (void)fputs("\ncampus-sim COMMAND --help tells more.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)cli_fail("no command %s", argv[1]);
    print_help(stderr);
    return CLI_USAGE;
}
