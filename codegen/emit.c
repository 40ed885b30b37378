/* emit.c - templates and comments, with the variables that they are filled in with. */
#include "emit.h"

#include "base/assert.h"

void rota_emit_set(struct rota_emit *e, const char *name, const char *value)
{
    size_t i = 0;

    while (i < e->n_vars && strcmp(e->vars[i].name, name) != 0)
        i++;
    ROTA_ASSERT(i < sizeof(e->vars) / sizeof(e->vars[0]));
    e->vars[i] = (struct rota_emit_var){name, value};
    if (i == e->n_vars)
        e->n_vars++;
}

void rota_emit_set_file(struct rota_emit *e, const struct rota_model *model)
{
    rota_emit_set(e, "file", model->path);
    rota_emit_set(e, "stem", model->stem);
    rota_emit_set(e, "guard", model->name);
}

void rota_emit_set_service(struct rota_emit *e, const struct rota_model_service *service)
{
    rota_emit_set(e, "service", service->name);
    rota_emit_set(e, "s", service->prefix);
}

void rota_emit_set_method(struct rota_emit *e, const struct rota_model_method *method)
{
    rota_emit_set(e, "method", method->name);
    rota_emit_set(e, "path", method->path);
    rota_emit_set(e, "m", method->prefix);
    rota_emit_set(e, "member", method->member);
    rota_emit_set(e, "Request", method->request.type);
    rota_emit_set(e, "Reply", method->reply.type);
    rota_emit_set(e, "request_type", method->request.descriptor);
    rota_emit_set(e, "reply_type", method->reply.descriptor);
}

static void append(struct rota_emit *e, const char *data, size_t size)
{
    if (e->err == 0)
        e->err = rota_buffer_append(e->out, rota_slice(data, size));
}

static const char *value_of(const struct rota_emit *e, const char *name, size_t size)
{
    const char *value = NULL;

    for (size_t i = 0; value == NULL && i < e->n_vars; i++)
        if (strlen(e->vars[i].name) == size && memcmp(e->vars[i].name, name, size) == 0)
            value = e->vars[i].value;
    ROTA_ASSERT(value != NULL);
    return value;
}

void rota_emit_text(struct rota_emit *e, const char *template)
{
    while (*template != '\0') {
        size_t size = strcspn(template, "$");
        const char *value;

        append(e, template, size);
        template += size;
        if (*template == '\0')
            return;
        size = strcspn(++template, "$");
        value = value_of(e, template, size);
        append(e, value, strlen(value));
        template += size + 1;
    }
}

/* A line of a comment must not end the comment, nor seem to open another. */
static void emit_comment_line(struct rota_emit *e, const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\r' || line[size - 1] == '\t'))
        size--;
    append(e, " *", 2);
    if (size > 0 && line[0] != ' ' && line[0] != '\t')
        append(e, " ", 1);
    for (size_t i = 0; i < size; i++) {
        bool joins = i > 0 && ((line[i - 1] == '*' && line[i] == '/') || (line[i - 1] == '/' && line[i] == '*'));
        if (joins)
            append(e, " ", 1);
        append(e, line[i] == '\0' ? " " : line + i, 1);
    }
    append(e, "\n", 1);
}

void rota_emit_comment(struct rota_emit *e, struct rota_slice text)
{
    const char *line = (const char *)text.data, *end = line + text.size;

    while (text.size > 0 && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        emit_comment_line(e, line, (size_t)(stop - line));
        line = stop + 1;
    }
}
