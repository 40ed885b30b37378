/* emit_files.c - the descriptors that reflection serves, as constants at the head of x.rota.c.
 *
 * Each source has all that its services need, also files that other sources have too: what a program imports may have been
 * generated without services, elsewhere or not at all.
 */
#include "emit.h"

#include <ctype.h>
#include <stdio.h>

#define BYTES_A_LINE 28

static void emit_bytes(struct rota_emit *e, struct rota_slice bytes)
{
    char line[5 * BYTES_A_LINE + 8];

    for (size_t i = 0; i < bytes.size;) {
        size_t used = (size_t)snprintf(line, sizeof(line), "   ");

        do
            used += (size_t)snprintf(line + used, sizeof(line) - used, " %u,", bytes.data[i]);
        while (++i % BYTES_A_LINE != 0 && i < bytes.size);
        rota_emit_text(e, line);
        rota_emit_text(e, "\n");
    }
    if (bytes.size == 0)
        rota_emit_text(e, "    0,\n");
}

/* A path may hold anything that a file name may. */
static void emit_text_literal(struct rota_emit *e, const char *text)
{
    char one[8];

    rota_emit_text(e, "\"");
    for (; *text != '\0'; text++) {
        bool plain = isalnum((unsigned char)*text) || strchr("/._- ", *text) != NULL;
        snprintf(one, sizeof(one), plain ? "%c" : "\\%03o", (unsigned char)*text);
        rota_emit_text(e, one);
    }
    rota_emit_text(e, "\"");
}

static void emit_imports(struct rota_emit *e, const struct rota_model_file *file)
{
    if (file->n_imports == 0)
        return;
    rota_emit_text(e, "static const struct rota_file *const imports_of_$f$_LOCAL[] = {\n");
    for (size_t i = 0; i < file->n_imports; i++) {
        rota_emit_set(e, "import", file->imports[i]->name);
        rota_emit_text(e, "    &file_$import$_LOCAL,\n");
    }
    rota_emit_text(e, "};\n");
}

static void emit_file(struct rota_emit *e, const struct rota_model_file *file)
{
    rota_emit_set(e, "f", file->name);
    rota_emit_text(e, "\nstatic const uint8_t bytes_of_$f$_LOCAL[] = {\n");
    emit_bytes(e, file->descriptor);
    rota_emit_text(e, "};\n");
    emit_imports(e, file);
    rota_emit_text(e, "static const struct rota_file file_$f$_LOCAL = {\n"
                      "    .name = ");
    emit_text_literal(e, file->path);
    rota_emit_text(e, ",\n"
                      "    .descriptor = {bytes_of_$f$_LOCAL, sizeof(bytes_of_$f$_LOCAL)},\n");
    if (file->n_imports > 0)
        rota_emit_text(e, "    .imports = imports_of_$f$_LOCAL,\n"
                          "    .n_imports = sizeof(imports_of_$f$_LOCAL) / sizeof(imports_of_$f$_LOCAL[0]),\n");
    rota_emit_text(e, "};\n");
}

void rota_emit_files(struct rota_emit *e, const struct rota_model *model)
{
    if (model->n_services == 0)
        return;
    for (size_t i = 0; i < model->n_files; i++)
        emit_file(e, model->files[i]);
}
