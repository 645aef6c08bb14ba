#include "bench/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status bench_folder_make(const char *directory, const char *name, char ret[BENCH_FOLDER_BYTES],
                              struct status_detail *detail)
{
    int length = snprintf(ret, BENCH_FOLDER_BYTES, "%s/%s-XXXXXX", directory, name);
    if (length < 0 || (unsigned)length >= BENCH_FOLDER_BYTES || mkdtemp(ret) == NULL) {
        enum status status = status_detail_set(detail, STATUS_IO,
                                               "no folder in %s: %s; name another with --directory",
                                               directory, strerror(errno));
        ret[0] = '\0';
        return status;
    }
    return STATUS_OK;
}

void bench_folder_remove(const char *path)
{
    DIR *dir = path[0] != '\0' ? opendir(path) : NULL;
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *item; (item = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), item->d_name, 0);
    }
    (void)closedir(dir);
    (void)rmdir(path);
}
