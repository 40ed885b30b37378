/* files.h - the .proto files that a file's services are described by: itself and all it imports, as protoc gave them.
 *
 * What is kept are the request's own bytes, since the request unpacked here knows only a part of their fields.
 */
#ifndef ROTA_CODEGEN_FILES_H
#define ROTA_CODEGEN_FILES_H

#include "base/arena.h"
#include "plugin.pb-c.h"
#include <rota/err.h>
#include <rota/slice.h>

struct rota_model_file {
    const char *path;
    const char *name;             /* the path as part of an identifier */
    struct rota_slice descriptor; /* a FileDescriptorProto without source_code_info */
    const struct rota_model_file **imports;
    size_t n_imports;
};

/* All files of the request, in its order, as their sources have them where it has that too; `bytes` is what it was unpacked from.
 * ROTA_EPARSE: an import that is not there, or not before the file that imports it; a path that generated code could not name. ROTA_ENOMEM. */
rota_err rota_files_read(struct rota_arena *arena, const Plugin__Request *request, struct rota_slice bytes, struct rota_model_file **ret_files,
                         struct rota_errinfo *info);

/* Sets which[i] of the file of that index and of all it imports, however indirectly. */
void rota_files_mark(const struct rota_model_file *files, size_t index, bool *which);

#endif
