/* emit.h - the model written out as C: one header and one source for each .proto file.
 *
 * Text is made from templates in which $name$ stands for a variable. Errors stick: after the first one nothing more is
 * written, and rota_emit_header or rota_emit_source return it.
 */
#ifndef ROTA_CODEGEN_EMIT_H
#define ROTA_CODEGEN_EMIT_H

#include "base/buffer.h"
#include "model.h"

/* ROTA_ENOMEM, ROTA_ELIMIT (the buffer's). */
rota_err rota_emit_header(struct rota_buffer *out, const struct rota_model *model);
rota_err rota_emit_source(struct rota_buffer *out, const struct rota_model *model);

/* --- Between the emitters --- */

struct rota_emit_var {
    const char *name, *value;
};

struct rota_emit {
    struct rota_buffer *out;
    rota_err err;
    struct rota_emit_var vars[20];
    size_t n_vars;
};

/* Replaces the variable of that name, if there is one. */
void rota_emit_set(struct rota_emit *e, const char *name, const char *value);
/* Sets $file$, $stem$ and $guard$; $service$ and $s$ (its prefix); $method$, $path$, $m$ (its prefix), $member$, and $Request$,
 * $Reply$, $request_type$, $reply_type$. */
void rota_emit_set_file(struct rota_emit *e, const struct rota_model *model);
void rota_emit_set_service(struct rota_emit *e, const struct rota_model_service *service);
void rota_emit_set_method(struct rota_emit *e, const struct rota_model_method *method);
/* A variable that is not set aborts. */
void rota_emit_text(struct rota_emit *e, const char *template);
/* The lines of a comment that has been opened, each as " * line". */
void rota_emit_comment(struct rota_emit *e, struct rota_slice text);

void rota_emit_files(struct rota_emit *e, const struct rota_model *model);
void rota_emit_client(struct rota_emit *e, const struct rota_model *model);
void rota_emit_server(struct rota_emit *e, const struct rota_model_service *service);

#endif
