/*
 * replay FOLDER: every file of the folder, then some thousand seeded mutations of them, through the
 * fuzz target that this is linked with. SEED= picks other mutations, ROUNDS= how many. Each input
 * lies in memory of its own size, so that AddressSanitizer sees a byte read beyond it, and in the
 * file <program>.last while it runs: what is there after a crash belongs into the folder.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/core/random.h"
#include "tests/fuzz/fuzz.h"

enum { FILES_MAX = 1024, INPUT_MAX = 1 << 17, ROUNDS = 3000 };

struct input {
    size_t size;
    uint8_t bytes[INPUT_MAX];
};

static struct {
    uint8_t *at;
    size_t size;
} files[FILES_MAX];
static uint32_t file_count;
static uint64_t state;
static int last = -1;

static void die(const char *words, const char *name)
{
    (void)fprintf(stderr, "%s %s\n", words, name);
    exit(1);
}

static void run(const uint8_t *bytes, size_t size)
{
    if (ftruncate(last, 0) != 0 || pwrite(last, bytes, size, 0) != (ssize_t)size) {
        die("cannot write", "the file of the last input");
    }
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        die("no memory for", "an input");
    }
    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* ---- the folder ---- */

static void read_file(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX);
    if (file == NULL || bytes == NULL || file_count == FILES_MAX) {
        die("cannot take", path);
    }
    files[file_count].at = bytes;
    files[file_count++].size = fread(bytes, 1, INPUT_MAX, file);
    (void)fclose(file);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_input, alphasort);
    if (count <= 0) {
        die("no inputs in", folder);
    }
    for (int i = 0; i < count; i++) {
        read_file(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* ---- mutations ---- */

static size_t any_place(const struct input *input)
{
    return random_below(&state, (uint32_t)input->size);
}

static void insert_bytes(struct input *input, const uint8_t *bytes, size_t size)
{
    size_t at = random_below(&state, (uint32_t)input->size + 1);
    if (size > INPUT_MAX - input->size) {
        return;
    }
    memmove(input->bytes + at + size, input->bytes + at, input->size - at);
    memcpy(input->bytes + at, bytes, size);
    input->size += size;
}

static void insert_noise(struct input *input)
{
    static const uint8_t odd[] = {0,   1,   0x7f, 0x80, 0xff, '"',  '{',  '}',
                                  '[', ']', ',',  ';',  '\n', '\r', '/',  '0',
                                  '9', '-', 0x08, 0x12, 0x1a, 0x32, 0x3a, 0x42};
    uint8_t bytes[16];
    size_t size = 1 + random_below(&state, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = random_below(&state, 2) ? odd[random_below(&state, sizeof odd)]
                                           : (uint8_t)random_next(&state);
    }
    insert_bytes(input, bytes, size);
}

/* A piece of the input twice, or a piece of another file. */
static void insert_piece(struct input *input)
{
    static struct input piece;
    uint32_t other = random_below(&state, file_count);
    const uint8_t *from = random_below(&state, 2) ? input->bytes : files[other].at;
    size_t most = from == input->bytes ? input->size : files[other].size;
    size_t begin = random_below(&state, (uint32_t)most);
    piece.size = random_below(&state, (uint32_t)(most - begin) + 1);
    memcpy(piece.bytes, from + begin, piece.size);
    insert_bytes(input, piece.bytes, piece.size);
}

static void remove_piece(struct input *input)
{
    size_t at = any_place(input);
    size_t size = 1 + random_below(&state, (uint32_t)(input->size - at));
    memmove(input->bytes + at, input->bytes + at + size, input->size - at - size);
    input->size -= size;
}

static void mutate(struct input *input)
{
    uint32_t way = random_below(&state, 6);
    if (input->size == 0 || way == 0) {
        insert_noise(input);
    } else if (way == 1) {
        insert_piece(input);
    } else if (way == 2) {
        remove_piece(input);
    } else if (way == 3) {
        input->size = any_place(input);
    } else if (way == 4) {
        input->bytes[any_place(input)] ^= (uint8_t)(1u << random_below(&state, 8));
    } else {
        input->bytes[any_place(input)] = (uint8_t)random_next(&state);
    }
}

int main(int argc, char **argv)
{
    static struct input input;
    char path[4096];
    if (argc != 2) {
        die("usage:", "PROGRAM FOLDER");
    }
    (void)snprintf(path, sizeof path, "%s.last", argv[0]);
    last = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (last < 0) {
        die("cannot open", path);
    }
    state = random_seed();
    read_folder(argv[1]);
    for (uint32_t i = 0; i < file_count; i++) {
        run(files[i].at, files[i].size);
    }
    const char *text = getenv("ROUNDS");
    long rounds = text != NULL ? strtol(text, NULL, 10) : ROUNDS;
    for (long round = 0; round < rounds; round++) {
        uint32_t from = random_below(&state, file_count);
        memcpy(input.bytes, files[from].at, files[from].size);
        input.size = files[from].size;
        for (uint32_t i = 0; i <= random_below(&state, 6); i++) {
            mutate(&input);
        }
        run(input.bytes, input.size);
    }
    printf("%u files, %ld mutations\n", file_count, rounds);
    for (uint32_t i = 0; i < file_count; i++) {
        free(files[i].at);
    }
    (void)close(last);
    (void)unlink(path);
    return 0;
}
