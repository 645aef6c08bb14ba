#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { WORDS_MAX = 2048 };

/* Behind zlib's headers clang-tidy 14 does not see va_start: hence the NOLINT below. */
static void print_words(const char *words)
{
    (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, words);
}

int cli_fail(const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, WORDS_MAX, fmt, args); // NOLINT(clang-analyzer-valist.Uninitialized)
    va_end(args);
    print_words(words);
    return CLI_FAILED;
}

int cli_usage(const char *usage, const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, WORDS_MAX, fmt, args); // NOLINT(clang-analyzer-valist.Uninitialized)
    va_end(args);
    print_words(words);
    (void)fprintf(stderr, "usage: %s\n", usage);
    return CLI_USAGE;
}

static void print_commands(const struct cli_command *commands, FILE *out)
{
    (void)fprintf(out, "usage: %s COMMAND [...]\n\n", program_invocation_short_name);
    for (; commands->name != NULL; commands++) {
        (void)fprintf(out, "  %-10s %s\n", commands->name, commands->sentence);
    }
    (void)fprintf(out, "\n%s COMMAND --help tells more.\n", program_invocation_short_name);
}

int cli_main(const struct cli_command *commands, int argc, char **argv)
{
    if (argc < 2) {
        print_commands(commands, stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_commands(commands, stdout);
        return CLI_OK;
    }
    for (const struct cli_command *command = commands; command->name != NULL; command++) {
        if (strcmp(argv[1], command->name) == 0) {
            return command->run(argc - 1, argv + 1);
        }
    }
    (void)cli_fail("no command %s", argv[1]);
    print_commands(commands, stderr);
    return CLI_USAGE;
}

void cli_warn(void *warnings, const char *words)
{
    struct cli_warnings *known = warnings;
    if (known->count++ < CLI_WARNINGS_SHOWN) {
        (void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, known->path, words);
    }
}

void cli_warn_end(const struct cli_warnings *warnings)
{
    if (warnings->count > CLI_WARNINGS_SHOWN) {
        (void)cli_fail("%s: and %u more warnings of this kind", warnings->path,
                       warnings->count - CLI_WARNINGS_SHOWN);
    }
}

static const struct cli_option *find_option(const struct cli_option *options, const char *word,
                                            size_t length)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == length && strncmp(options->name, word, length) == 0) {
            return options;
        }
    }
    return NULL;
}

int cli_options(int argc, char **argv, const struct cli_option *options, const char *usage,
                int *ret_words)
{
    int words = argc > 0 ? 1 : 0;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (strncmp(word, "--", 2) != 0) {
            argv[words++] = word;
            continue;
        }
        const char *equals = strchr(word, '=');
        size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
        const struct cli_option *option = find_option(options, word, length);
        if (option == NULL) {
            return cli_usage(usage, "no option %s", word);
        }
        if (option->flag != NULL) {
            if (equals != NULL) {
                return cli_usage(usage, "%s takes no value", option->name);
            }
            *option->flag = true;
            continue;
        }
        if (equals == NULL && i + 1 >= argc) {
            return cli_usage(usage, "%s needs a value", option->name);
        }
        *option->value = equals != NULL ? equals + 1 : argv[++i];
    }
    *ret_words = words;
    return CLI_OK;
}

static enum status read_all(gzFile file, const char *path, struct buffer *bytes,
                            struct status_detail *detail)
{
    for (;;) {
        char piece[65536];
        int got = gzread(file, piece, sizeof piece);
        if (got < 0) {
            int code;
            return status_detail_set(detail, STATUS_IO, "%s: %s", path, gzerror(file, &code));
        }
        if (got == 0) {
            return STATUS_OK;
        }
        buffer_append(bytes, piece, (size_t)got);
        if (buffer_status(bytes) != STATUS_OK) {
            return status_detail_set(detail, buffer_status(bytes), "%s: larger than %llu bytes",
                                     path, (unsigned long long)CLI_FILE_MAX);
        }
    }
}

enum status cli_read_file(const char *path, struct arena *arena, struct text *ret,
                          struct status_detail *detail)
{
    gzFile file = strcmp(path, "-") == 0 ? gzdopen(0, "rb") : gzopen(path, "rb");
    if (file == NULL) {
        return status_detail_set(detail, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                                 path, strerror(errno));
    }
    struct buffer bytes;
    buffer_init(&bytes, CLI_FILE_MAX);
    enum status status = read_all(file, path, &bytes, detail);
    (void)gzclose(file);
    if (status == STATUS_OK) {
        char *copy = arena_copy_text(arena, bytes.data, bytes.size);
        *ret = (struct text){copy, bytes.size};
        status = copy != NULL ? STATUS_OK
                              : status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
    }
    buffer_release(&bytes);
    return status;
}

const char *cli_setting(const char *name)
{
    char key[64] = "CAMPUS_";
    size_t used = strlen(key), length = strlen(name);
    for (size_t i = 0; i < length && used + 1 < sizeof key; i++) {
        key[used++] = (char)toupper((unsigned char)name[i]);
    }
    const char *value = getenv(key);
    if (value != NULL) {
        return value;
    }
    const char *path = getenv("CAMPUS_ENV");
    FILE *file = fopen(path != NULL ? path : "var/campus.env", "re");
    if (file == NULL) {
        return NULL;
    }
    char line[1024];
    char *found = NULL;
    while (found == NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strncmp(line, key, used) == 0 && line[used] == '=') {
            found = strdup(line + used + 1); /* kept until the program ends */
        }
    }
    (void)fclose(file);
    return found;
}
