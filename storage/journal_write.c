#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/journal_internal.h"

static int call_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
    return openat(dir_fd, name, flags, mode);
}

struct journal_io journal_io = {.openat = call_openat,
                                .pwrite = pwrite,
                                .fdatasync = fdatasync,
                                .fsync = fsync,
                                .renameat = renameat,
                                .retry_min_ms = 100,
                                .retry_max_ms = 5000};

static enum status failed(struct journal_job *job, int error, const char *what)
{
    const char *way_out = error == ENOSPC || error == EDQUOT
                              ? "; free some space, the journal goes on by itself"
                              : "";
    char name[JOURNAL_NAME_BYTES];
    journal_segment_name(job->fresh ? job->pos : job->base, name);
    return status_detail_set(&job->detail, STATUS_IO, "journal segment %s: %s: %s%s", name, what,
                             strerror(error), way_out);
}

void journal_preallocate(int fd, uint64_t bytes)
{
    if (fallocate(fd, 0, 0, (off_t)bytes) != 0) {
        /* No room for all of it, or the file system cannot: give back what it may have taken and
         * let the file grow as it is written. The write will tell if there is no room at all. */
        (void)!ftruncate(fd, 0);
    }
}

static int sync_timed(struct journal_job *job, int fd)
{
    int64_t before = clock_mono_us();
    int error = journal_io.fdatasync(fd) == 0 ? 0 : errno;
    job->sync_us = (uint64_t)(clock_mono_us() - before);
    return error;
}

static enum status write_here(struct journal_job *job)
{
    int error = journal_write_at(job->fd, job->data, job->size,
                                 JOURNAL_HEAD_BYTES + (job->pos - job->base));
    if (error != 0) {
        return failed(job, error, "write");
    }
    error = sync_timed(job, job->fd);
    return error == 0 ? STATUS_OK : failed(job, error, "sync");
}

static enum status fill_fresh(struct journal_job *job, int fd)
{
    uint64_t bytes = JOURNAL_HEAD_BYTES + job->size;
    journal_preallocate(fd, bytes > job->segment_bytes ? bytes : job->segment_bytes);
    struct journal_segment_head head;
    journal_head_make(&head, job->pos, job->id);
    int error = journal_write_at(fd, &head, sizeof head, 0);
    if (error == 0) {
        error = journal_write_at(fd, job->data, job->size, JOURNAL_HEAD_BYTES);
    }
    if (error != 0) {
        return failed(job, error, "write");
    }
    error = sync_timed(job, fd);
    return error == 0 ? STATUS_OK : failed(job, error, "sync");
}

/* The segment gets its name only when all that is in it is on disk, so a named segment is whole.
 * Where the present one holds nothing durable the new one has its name and takes its place. */
static enum status write_fresh(struct journal_job *job)
{
    if (job->fd >= 0) {
        /* Behind pos the present segment holds room made in advance, or a group that failed. Giving
         * it back is a courtesy: the next segment's base bounds this one either way. */
        (void)!ftruncate(job->fd, (off_t)(JOURNAL_HEAD_BYTES + (job->pos - job->base)));
    }
    /* A file whose sync failed may look clean in the page cache: never written again. */
    (void)unlinkat(job->dir_fd, JOURNAL_UNFINISHED, 0);
    int fd = journal_io.openat(job->dir_fd, JOURNAL_UNFINISHED,
                               O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed(job, errno, "create");
    }
    enum status status = fill_fresh(job, fd);
    if (status != STATUS_OK) {
        (void)unlinkat(job->dir_fd, JOURNAL_UNFINISHED, 0); /* its room is wanted */
        goto fail;
    }
    char name[JOURNAL_NAME_BYTES];
    journal_segment_name(job->pos, name);
    if (journal_io.renameat(job->dir_fd, JOURNAL_UNFINISHED, job->dir_fd, name) != 0) {
        status = failed(job, errno, "rename");
        goto fail;
    }
    if (journal_io.fsync(job->dir_fd) != 0) {
        status = failed(job, errno, "sync of the directory");
        goto fail;
    }
    if (job->fd >= 0) {
        (void)close(job->fd);
    }
    job->fd = fd;
    job->base = job->pos;
    return STATUS_OK;
fail:
    (void)close(fd);
    return status;
}

void journal_write(struct journal_job *job)
{
    job->sync_us = 0;
    job->status = job->fresh ? write_fresh(job) : write_here(job);
}
