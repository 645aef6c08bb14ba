#include "cli/campus_sim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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
