/* json_write.c - a message's bytes as JSON text.
 *
 * A message's fields may come in any order and any number: they are gathered and sorted by field first, so that a repeated field
 * is one list, the last of a singular one counts, pieces of one message are joined, and the last member set of a oneof is the
 * one that is there. Time grows with n log n of the fields, memory with their number.
 */
#include "dynamic/json_write.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct found {
    const struct rota_dyn_field *field;
    uint32_t sequence;
    struct rota_pb value;
};

struct gathered {
    struct found *all;
    size_t n, cap;
};

static rota_err no_memory(struct rota_dyn_writer *w)
{
    return rota_errinfo_set(w->info, ROTA_ENOMEM, "out of memory");
}

/* --- Scalars --- */

enum rota_pb_wire rota_dyn_wire_of(enum rota_dyn_type type)
{
    switch (type) {
    case ROTA_DYN_DOUBLE:
    case ROTA_DYN_FIXED64:
    case ROTA_DYN_SFIXED64: return ROTA_PB_64;
    case ROTA_DYN_FLOAT:
    case ROTA_DYN_FIXED32:
    case ROTA_DYN_SFIXED32: return ROTA_PB_32;
    case ROTA_DYN_STRING:
    case ROTA_DYN_BYTES:
    case ROTA_DYN_MESSAGE: return ROTA_PB_BYTES;
    case ROTA_DYN_GROUP: return ROTA_PB_GROUP;
    default: return ROTA_PB_VARINT;
    }
}

/* The number that a varint stands for: what is cut off of it, and how true is written, makes no difference. */
static uint64_t normal(enum rota_dyn_type type, uint64_t bits)
{
    switch (type) {
    case ROTA_DYN_BOOL: return bits != 0;
    case ROTA_DYN_INT32:
    case ROTA_DYN_UINT32:
    case ROTA_DYN_SINT32:
    case ROTA_DYN_ENUM: return bits & UINT32_MAX;
    default: return bits;
    }
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static rota_err put_number(struct rota_dyn_writer *w, const char *format, int64_t value)
{
    return rota_buffer_printf(w->out, format, value) < 0 ? no_memory(w) : 0;
}

static rota_err put_enum(struct rota_dyn_writer *w, const struct rota_dyn_enum *type, int32_t number)
{
    if (type->is_null)
        return rota_dyn_put(w, "null");
    for (size_t i = 0; i < type->n_values; i++)
        if (type->values[i].number == number)
            return rota_dyn_put_text(w, rota_slice_str(type->values[i].name));
    return put_number(w, "%" PRId64, number);
}

static rota_err put_real(struct rota_dyn_writer *w, enum rota_dyn_type type, uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    double real;
    float single;

    if (type == ROTA_DYN_FLOAT) {
        memcpy(&single, &low, sizeof(single));
        return rota_dyn_put_double(w, (double)single, true);
    }
    memcpy(&real, &bits, sizeof(real));
    return rota_dyn_put_double(w, real, false);
}

static rota_err put_whole(struct rota_dyn_writer *w, enum rota_dyn_type type, uint64_t bits)
{
    switch (type) {
    case ROTA_DYN_INT64:
    case ROTA_DYN_SFIXED64: return put_number(w, "\"%" PRId64 "\"", (int64_t)bits);
    case ROTA_DYN_UINT64:
    case ROTA_DYN_FIXED64: return put_number(w, "\"%" PRIu64 "\"", (int64_t)bits);
    case ROTA_DYN_SINT64: return put_number(w, "\"%" PRId64 "\"", unzigzag(bits));
    case ROTA_DYN_SINT32: return put_number(w, "%" PRId64, (int32_t)unzigzag(bits & UINT32_MAX));
    case ROTA_DYN_INT32:
    case ROTA_DYN_SFIXED32: return put_number(w, "%" PRId64, (int32_t)bits);
    default: return put_number(w, "%" PRId64, (uint32_t)bits);
    }
}

rota_err rota_dyn_write_scalar(struct rota_dyn_writer *w, const struct rota_dyn_field *field, const struct rota_pb *value)
{
    uint64_t bits = value->value;

    switch (field->type) {
    case ROTA_DYN_DOUBLE:
    case ROTA_DYN_FLOAT: return put_real(w, field->type, bits);
    case ROTA_DYN_BOOL: return rota_dyn_put(w, bits != 0 ? "true" : "false");
    case ROTA_DYN_STRING: return rota_dyn_put_text(w, value->bytes);
    case ROTA_DYN_BYTES: return rota_dyn_put_bytes(w, value->bytes);
    case ROTA_DYN_ENUM: return put_enum(w, field->enumeration, (int32_t)bits);
    default: return put_whole(w, field->type, bits);
    }
}

static rota_err write_value(struct rota_dyn_writer *w, const struct rota_dyn_field *field, const struct rota_pb *value)
{
    return field->message != NULL ? rota_dyn_write_message(w, field->message, value->bytes) : rota_dyn_write_scalar(w, field, value);
}

/* --- Lists and maps --- */

static rota_err write_comma(struct rota_dyn_writer *w, bool *first)
{
    bool was_first = *first;

    *first = false;
    return was_first ? 0 : rota_dyn_put(w, ",");
}

static bool take_packed(struct rota_slice *in, enum rota_pb_wire wire, struct rota_pb *ret_value)
{
    *ret_value = (struct rota_pb){.wire = wire};
    if (wire == ROTA_PB_VARINT)
        return rota_pb_take_varint(in, &ret_value->value);
    return rota_pb_take_fixed(in, wire == ROTA_PB_64 ? 8 : 4, &ret_value->value);
}

static rota_err write_packed(struct rota_dyn_writer *w, const struct rota_dyn_field *field, struct rota_slice in, bool *first)
{
    rota_err err = 0;

    while (err == 0 && in.size > 0) {
        struct rota_pb value;

        if (!take_packed(&in, rota_dyn_wire_of(field->type), &value))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: numbers that are malformed or cut off", field->name);
        err = write_comma(w, first);
        if (err == 0)
            err = rota_dyn_write_scalar(w, field, &value);
    }
    return err;
}

static rota_err write_list(struct rota_dyn_writer *w, const struct found *found, size_t n)
{
    const struct rota_dyn_field *field = found[0].field;
    rota_err err = rota_dyn_put(w, "[");
    bool first = true;

    for (size_t i = 0; err == 0 && i < n; i++) {
        if (found[i].value.wire != rota_dyn_wire_of(field->type)) {
            err = write_packed(w, field, found[i].value.bytes, &first);
            continue;
        }
        err = write_comma(w, &first);
        if (err == 0)
            err = write_value(w, field, &found[i].value);
    }
    return err < 0 ? err : rota_dyn_put(w, "]");
}

/* Key and value of an entry; what is not there is the default. */
static rota_err read_entry(struct rota_dyn_writer *w, const struct rota_dyn_message *entry, struct rota_slice in, struct rota_pb *ret_key,
                           struct rota_pb *ret_value)
{
    *ret_key = *ret_value = (struct rota_pb){0};
    while (in.size > 0) {
        struct rota_pb at;

        if (!rota_pb_take_grouped(&in, &at))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: malformed or cut off", entry->name);
        if (at.number == 1 && at.wire == rota_dyn_wire_of(entry->by_number[0]->type))
            *ret_key = at;
        else if (at.number == 2 && at.wire == rota_dyn_wire_of(entry->by_number[1]->type))
            *ret_value = at;
    }
    return 0;
}

/* Keys are always texts. */
static rota_err write_key(struct rota_dyn_writer *w, const struct rota_dyn_field *field, const struct rota_pb *key)
{
    bool quoted = field->type == ROTA_DYN_STRING || rota_dyn_wire_of(field->type) == ROTA_PB_64 || field->type == ROTA_DYN_INT64 ||
                  field->type == ROTA_DYN_UINT64 || field->type == ROTA_DYN_SINT64;
    rota_err err = quoted ? 0 : rota_dyn_put(w, "\"");

    if (err == 0)
        err = rota_dyn_write_scalar(w, field, key);
    if (err == 0)
        err = rota_dyn_put(w, quoted ? ":" : "\":");
    return err;
}

/* Of several entries with one key the last counts. The map's keys are the raw bytes of strings, or the numbers in `numbers`. */
static rota_err find_last_entries(struct rota_dyn_writer *w, const struct found *found, size_t n, struct rota_map *last, uint64_t *numbers)
{
    const struct rota_dyn_message *entry = found[0].field->message;

    for (size_t i = 0; i < n; i++) {
        struct rota_slice name;
        struct rota_pb key, value;
        rota_err err = read_entry(w, entry, found[i].value.bytes, &key, &value);

        if (err < 0)
            return err;
        numbers[i] = normal(entry->by_number[0]->type, key.value);
        name = entry->by_number[0]->type == ROTA_DYN_STRING ? key.bytes : rota_slice(&numbers[i], sizeof(numbers[i]));
        if (rota_map_set(last, name, (void *)(uintptr_t)&found[i]) < 0)
            return no_memory(w);
    }
    return 0;
}

static rota_err write_entries(struct rota_dyn_writer *w, const struct found *found, size_t n, const struct rota_map *last, const uint64_t *numbers)
{
    const struct rota_dyn_message *entry = found[0].field->message;
    rota_err err = rota_dyn_put(w, "{");
    bool first = true;

    for (size_t i = 0; err == 0 && i < n; i++) {
        struct rota_slice name;
        struct rota_pb key, value;

        err = read_entry(w, entry, found[i].value.bytes, &key, &value);
        name = entry->by_number[0]->type == ROTA_DYN_STRING ? key.bytes : rota_slice(&numbers[i], sizeof(numbers[i]));
        if (err < 0 || rota_map_get(last, name) != &found[i])
            continue;
        err = write_comma(w, &first);
        if (err == 0)
            err = write_key(w, entry->by_number[0], &key);
        if (err == 0)
            err = write_value(w, entry->by_number[1], &value);
    }
    return err < 0 ? err : rota_dyn_put(w, "}");
}

static rota_err write_map(struct rota_dyn_writer *w, const struct found *found, size_t n)
{
    uint64_t *numbers = rota_alloc_zero(w->alloc, n, sizeof(*numbers));
    struct rota_map last;
    rota_err err;

    if (numbers == NULL)
        return no_memory(w);
    rota_map_init(&last, w->alloc, 1);
    err = find_last_entries(w, found, n, &last, numbers);
    if (err == 0)
        err = write_entries(w, found, n, &last, numbers);
    rota_map_fini(&last);
    rota_alloc_free(w->alloc, numbers);
    return err;
}

/* --- Messages --- */

/* Pieces of one message are the message when they stand one behind the other. */
static rota_err write_joined(struct rota_dyn_writer *w, const struct found *found, size_t n)
{
    struct rota_buffer joined;
    rota_err err = 0;

    if (n == 1)
        return rota_dyn_write_message(w, found[0].field->message, found[0].value.bytes);
    rota_buffer_init(&joined, w->alloc, 0);
    for (size_t i = 0; err == 0 && i < n; i++)
        err = rota_buffer_append(&joined, found[i].value.bytes);
    err = err < 0 ? no_memory(w) : rota_dyn_write_message(w, found[0].field->message, rota_buffer_peek(&joined));
    rota_buffer_fini(&joined);
    return err;
}

static rota_err write_field(struct rota_dyn_writer *w, const struct found *found, size_t n)
{
    const struct rota_dyn_field *field = found[0].field;

    if (field->repeated && field->message != NULL && field->message->map_entry)
        return write_map(w, found, n);
    if (field->repeated)
        return write_list(w, found, n);
    if (field->message != NULL)
        return write_joined(w, found, n);
    return rota_dyn_write_scalar(w, field, &found[n - 1].value);
}

/* Nothing that JSON shows: the same as absent. */
static bool is_nothing(const struct found *found, size_t n)
{
    const struct rota_dyn_field *field = found[0].field;
    const struct rota_pb *value = &found[n - 1].value;

    if (field->repeated) {
        for (size_t i = 0; i < n; i++)
            if (found[i].value.wire == rota_dyn_wire_of(field->type) || found[i].value.bytes.size > 0)
                return false;
        return true;
    }
    return !field->presence && value->value == 0 && value->bytes.size == 0;
}

/* Numbers of a list come packed or not, whatever the descriptor says. */
static bool fits(const struct rota_dyn_field *field, enum rota_pb_wire wire)
{
    enum rota_pb_wire own = rota_dyn_wire_of(field->type);

    return wire == own || (field->repeated && wire == ROTA_PB_BYTES && own != ROTA_PB_GROUP);
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->field != y->field)
        return x->field->index < y->field->index ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Fields of other numbers, and of another shape than declared, are unknown. */
static rota_err gather(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice in, struct gathered *g)
{
    uint32_t sequence = 0;

    while (in.size > 0) {
        const struct rota_dyn_field *field;
        struct rota_pb value;

        if (!rota_pb_take_grouped(&in, &value))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: malformed or cut off", type->name);
        field = rota_pool_field(w->pool, type, value.number);
        if (field == NULL || !fits(field, value.wire))
            continue;
        if (rota_alloc_reserve(w->alloc, &g->all, &g->cap, g->n + 1, sizeof(*g->all)) < 0)
            return no_memory(w);
        value.value = normal(field->type, value.value);
        g->all[g->n++] = (struct found){field, sequence++, value};
    }
    return 0;
}

/* The member of a oneof that was set last, and since which of all fields: what came before another one is gone. */
struct run {
    const struct rota_dyn_field *field;
    size_t since;
};

/* Leaves out the members of a oneof that another one came after. */
static rota_err settle_oneofs(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct gathered *g)
{
    struct run *last;
    size_t kept = 0;

    if (type->n_oneofs == 0)
        return 0;
    last = rota_alloc_zero(w->alloc, type->n_oneofs, sizeof(*last));
    if (last == NULL)
        return no_memory(w);
    for (size_t i = 0; i < g->n; i++) {
        const struct rota_dyn_field *field = g->all[i].field;

        if (field->oneof >= 0 && last[field->oneof].field != field)
            last[field->oneof] = (struct run){field, i};
    }
    for (size_t i = 0; i < g->n; i++)
        if (g->all[i].field->oneof < 0 || i >= last[g->all[i].field->oneof].since)
            g->all[kept++] = g->all[i];
    g->n = kept;
    rota_alloc_free(w->alloc, last);
    return 0;
}

static rota_err write_gathered(struct rota_dyn_writer *w, const struct gathered *g, bool *first)
{
    rota_err err = 0;

    for (size_t i = 0, end; err == 0 && i < g->n; i = end) {
        const struct rota_dyn_field *field = g->all[i].field;

        for (end = i + 1; end < g->n && g->all[end].field == field;)
            end++;
        if (is_nothing(&g->all[i], end - i))
            continue;
        err = write_comma(w, first);
        if (err == 0)
            err = rota_dyn_put_text(w, rota_slice_str(field->json_name));
        if (err == 0)
            err = rota_dyn_put(w, ":");
        if (err == 0)
            err = write_field(w, &g->all[i], end - i);
    }
    return err;
}

rota_err rota_dyn_write_members(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes, bool *first)
{
    struct gathered g = {0};
    rota_err err = gather(w, type, bytes, &g);

    if (err == 0)
        err = settle_oneofs(w, type, &g);
    if (err == 0 && g.n > 0)
        qsort(g.all, g.n, sizeof(*g.all), compare_found);
    if (err == 0)
        err = write_gathered(w, &g, first);
    rota_alloc_free(w->alloc, g.all);
    return err;
}

/* The one repeated field of a Struct or ListValue, without the message around it. */
static rota_err write_only_field(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes)
{
    struct gathered g = {0};
    rota_err err = gather(w, type, bytes, &g);

    if (err == 0 && g.n > 0)
        err = write_field(w, g.all, g.n);
    else if (err == 0)
        err = rota_dyn_put(w, type->special == ROTA_DYN_STRUCT ? "{}" : "[]");
    rota_alloc_free(w->alloc, g.all);
    return err;
}

/* A Value's NaN or infinity. */
static bool is_no_number(const struct found *found)
{
    double real;

    memcpy(&real, &found->value.value, sizeof(real));
    return found->field->type == ROTA_DYN_DOUBLE && !isfinite(real);
}

/* The last member of a Value that is set, whose pieces are joined; JSON's null is one of them. */
static rota_err write_any_value(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes)
{
    struct gathered g = {0};
    rota_err err = gather(w, type, bytes, &g);
    size_t start = g.n;

    while (start > 0 && g.all[start - 1].field == g.all[g.n - 1].field)
        start--;
    if (err == 0 && (g.n == 0 || g.all[g.n - 1].field->number == 1))
        err = rota_dyn_put(w, "null");
    else if (err == 0 && is_no_number(&g.all[g.n - 1]))
        err = rota_errinfo_set(w->info, ROTA_EPARSE, "a Value that is no number, which JSON would bring back as a text");
    else if (err == 0)
        err = write_field(w, &g.all[start], g.n - start);
    rota_alloc_free(w->alloc, g.all);
    return err;
}

rota_err rota_dyn_write_message(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes)
{
    bool first = true;
    rota_err err;

    if (++w->depth > ROTA_DYN_MAX_DEPTH)
        return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: messages nested deeper than %d", type->name, ROTA_DYN_MAX_DEPTH);
    switch (type->special) {
    case ROTA_DYN_PLAIN:
        err = rota_dyn_put(w, "{");
        if (err == 0)
            err = rota_dyn_write_members(w, type, bytes, &first);
        if (err == 0)
            err = rota_dyn_put(w, "}");
        break;
    case ROTA_DYN_STRUCT:
    case ROTA_DYN_LIST: err = write_only_field(w, type, bytes); break;
    case ROTA_DYN_VALUE: err = write_any_value(w, type, bytes); break;
    default: err = rota_dyn_write_special(w, type, bytes); break;
    }
    w->depth--;
    return err;
}

rota_err rota_dyn_to_json(const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice bytes, struct rota_buffer *out,
                          struct rota_errinfo *info)
{
    struct rota_dyn_writer w = {.pool = pool, .out = out, .alloc = out->alloc, .info = info};

    return rota_dyn_write_message(&w, type, bytes);
}
