/* journal_dir.h - the directory of a journal: there, ours, and nobody else's at the moment. */
#ifndef ROTA_REGISTRY_JOURNAL_DIR_H
#define ROTA_REGISTRY_JOURNAL_DIR_H

#include <rota/err.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes the directory if it is not there, takes its lock and writes our process id into it; *ret_lock is a file descriptor, to be closed
 * last. ROTA_EEXIST: somebody has the lock; ROTA_EPARSE: something else lives there; ROTA_EIO. */
rota_err rota_journal_dir_take(const char *dir, int *ret_lock, struct rota_errinfo *info);
void rota_journal_dir_leave(int lock);

/* ROTA_EPARSE when the database file is shorter than it says. */
rota_err rota_journal_dir_check_size(const char *dir, size_t need_bytes, struct rota_errinfo *info);

#endif
