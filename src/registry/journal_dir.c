/* journal_dir.c - see journal_dir.h. */
#include "registry/journal_dir.h"

#include "base/errinfo.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "registry.lock"
#define DATA_NAME "data.mdb" /* LMDB's */

static rota_err system_error(struct rota_errinfo *info, const char *dir, const char *what)
{
    return rota_errinfo_set(info, ROTA_EIO, "%s: %s: %s", dir, what, strerror(errno));
}

static bool is_ours(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, LOCK_NAME) == 0 || strcmp(name, DATA_NAME) == 0 ||
           strcmp(name, "lost+found") == 0;
}

/* A directory that another program uses is not to be written into. */
static rota_err look_around(const char *dir, struct rota_errinfo *info)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    char stranger[NAME_MAX + 1] = "";
    bool data = false;

    if (stream == NULL)
        return system_error(info, dir, "cannot be read as a data directory");
    while ((entry = readdir(stream)) != NULL) {
        data |= strcmp(entry->d_name, DATA_NAME) == 0;
        if (!is_ours(entry->d_name))
            snprintf(stranger, sizeof(stranger), "%s", entry->d_name);
    }
    closedir(stream);
    if (!data && stranger[0] != '\0')
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: not a registry's data directory: it holds %s; expected an empty or new one", dir, stranger);
    return 0;
}

static rota_err held_by(const char *dir, int lock, struct rota_errinfo *info)
{
    char pid[24] = "";
    ssize_t n = pread(lock, pid, sizeof(pid) - 1, 0);

    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return rota_errinfo_set(info, ROTA_EEXIST, "%s: in use by another registry (process %s)", dir, pid[0] != '\0' ? pid : "unknown");
}

static rota_err take_lock(const char *dir, int *ret_lock, struct rota_errinfo *info)
{
    char path[PATH_MAX];
    int lock, n;
    rota_err err = 0;

    if ((size_t)snprintf(path, sizeof(path), "%s/" LOCK_NAME, dir) >= sizeof(path))
        return rota_errinfo_set(info, ROTA_EIO, "%s: the path is too long", dir);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return system_error(info, path, "cannot be opened");
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        err = errno == EWOULDBLOCK ? held_by(dir, lock, info) : system_error(info, path, "cannot be locked");
    } else {
        n = snprintf(path, sizeof(path), "%ld\n", (long)getpid());
        if (ftruncate(lock, 0) < 0 || pwrite(lock, path, (size_t)n, 0) != n)
            err = system_error(info, dir, "cannot be written to");
    }
    if (err < 0)
        close(lock);
    else
        *ret_lock = lock;
    return err;
}

rota_err rota_journal_dir_take(const char *dir, int *ret_lock, struct rota_errinfo *info)
{
    rota_err err;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return system_error(info, dir, "cannot be made");
    err = look_around(dir, info);
    return err < 0 ? err : take_lock(dir, ret_lock, info);
}

void rota_journal_dir_leave(int lock)
{
    close(lock);
}

rota_err rota_journal_dir_check_size(const char *dir, size_t need_bytes, struct rota_errinfo *info)
{
    char path[PATH_MAX];
    struct stat found;

    snprintf(path, sizeof(path), "%s/" DATA_NAME, dir);
    if (stat(path, &found) < 0)
        return system_error(info, path, "cannot be looked at");
    if ((uint64_t)found.st_size < need_bytes)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: damaged: %lld bytes long, expected %zu", path, (long long)found.st_size, need_bytes);
    return 0;
}
