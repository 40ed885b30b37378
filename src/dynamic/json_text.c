/* json_text.c - the pieces of JSON text: quoted strings, base64, numbers in the fewest digits that give them back. */
#include "dynamic/json_write.h"

#include "base/errinfo.h"
#include "base/text.h"
#include "wire/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static rota_err append(struct rota_dyn_writer *w, const void *data, size_t size)
{
    return rota_buffer_append(w->out, rota_slice(data, size)) < 0 ? rota_errinfo_set(w->info, ROTA_ENOMEM, "out of memory") : 0;
}

rota_err rota_dyn_put(struct rota_dyn_writer *w, const char *text)
{
    return append(w, text, strlen(text));
}

/* What may not stand in a string as it is; "" when it may. DEL and C1 controls may, but not on a terminal. */
static void escape(const uint8_t *at, size_t left, char *out)
{
    uint8_t c = at[0];

    out[0] = '\0';
    if (c == '"' || c == '\\')
        snprintf(out, 8, "\\%c", c);
    else if (c == '\n' || c == '\t' || c == '\r')
        snprintf(out, 8, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (c < ' ' || c == 0x7f)
        snprintf(out, 8, "\\u%04x", c);
    else if (c == 0xc2 && left > 1 && at[1] < 0xa0)
        snprintf(out, 8, "\\u%04x", at[1]);
}

rota_err rota_dyn_put_text(struct rota_dyn_writer *w, struct rota_slice text)
{
    size_t from = 0;
    rota_err err;

    if (!rota_text_is_utf8(text))
        return rota_errinfo_set(w->info, ROTA_EPARSE, "a string that is not UTF-8");
    err = rota_dyn_put(w, "\"");
    for (size_t i = 0; err == 0 && i < text.size; i++) {
        char escaped[8];

        escape(text.data + i, text.size - i, escaped);
        if (escaped[0] == '\0')
            continue;
        err = append(w, text.data + from, i - from);
        if (err == 0)
            err = rota_dyn_put(w, escaped);
        i += text.data[i] == 0xc2;
        from = i + 1;
    }
    if (err == 0 && text.size > from)
        err = append(w, text.data + from, text.size - from);
    return err < 0 ? err : rota_dyn_put(w, "\"");
}

rota_err rota_dyn_put_bytes(struct rota_dyn_writer *w, struct rota_slice bytes)
{
    size_t size = rota_base64_encoded_size(bytes.size);
    uint8_t *room = rota_buffer_reserve(w->out, size + 4);
    size_t used = 0;

    if (room == NULL)
        return rota_errinfo_set(w->info, ROTA_ENOMEM, "out of memory");
    room[used++] = '"';
    rota_base64_encode(bytes, (char *)room + 1);
    used += size;
    for (; (used - 1) % 4 != 0; used++)
        room[used] = '=';
    room[used++] = '"';
    rota_buffer_commit(w->out, used);
    return 0;
}

rota_err rota_dyn_put_double(struct rota_dyn_writer *w, double value, bool is_float)
{
    char text[40];

    if (isnan(value))
        return rota_dyn_put(w, "\"NaN\"");
    if (isinf(value))
        return rota_dyn_put(w, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    if (value == 0 && signbit(value))
        return rota_dyn_put(w, "-0.0"); /* -0 is a whole number to many readers, and those have no sign at zero */
    for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    return rota_dyn_put(w, text);
}
