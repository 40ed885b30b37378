/* json_read.c - JSON into a message's bytes.
 *
 * A message inside another is written behind what is there, and moved when its length is known: content is moved once a level.
 */
#include "dynamic/json_read.h"

#include "base/alloc.h"
#include "base/errinfo.h"

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, END_GROUP = 4, FIXED32 = 5 };

/* --- Bytes --- */

rota_err rota_dyn_no_memory(struct rota_dyn_reader *r)
{
    return rota_errinfo_set(r->place.info, ROTA_ENOMEM, "out of memory");
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;

    do {
        out[n++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
    return n;
}

static rota_err append(struct rota_dyn_reader *r, const void *data, size_t size)
{
    return rota_buffer_append(r->out, rota_slice(data, size)) < 0 ? rota_dyn_no_memory(r) : 0;
}

rota_err rota_dyn_add_varint(struct rota_dyn_reader *r, uint64_t value)
{
    uint8_t bytes[10];

    return append(r, bytes, put_varint(bytes, value));
}

static rota_err add_tag(struct rota_dyn_reader *r, uint32_t number, enum wire wire)
{
    return rota_dyn_add_varint(r, (uint64_t)number << 3 | wire);
}

rota_err rota_dyn_add_bytes(struct rota_dyn_reader *r, uint32_t number, struct rota_slice bytes)
{
    rota_err err = add_tag(r, number, BYTES);

    if (err == 0)
        err = rota_dyn_add_varint(r, bytes.size);
    if (err == 0 && bytes.size > 0)
        err = append(r, bytes.data, bytes.size);
    return err;
}

static rota_err add_fixed(struct rota_dyn_reader *r, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return append(r, bytes, size);
}

size_t rota_dyn_begin(struct rota_dyn_reader *r)
{
    return rota_buffer_peek(r->out).size;
}

rota_err rota_dyn_end(struct rota_dyn_reader *r, size_t start, uint32_t number)
{
    size_t size = rota_buffer_peek(r->out).size - start, n;
    uint8_t head[20], *content;

    n = put_varint(head, (uint64_t)number << 3 | BYTES);
    n += put_varint(head + n, size);
    content = rota_buffer_reserve(r->out, n);
    if (content == NULL)
        return rota_dyn_no_memory(r);
    content -= size;
    memmove(content + n, content, size);
    memcpy(content, head, n);
    rota_buffer_commit(r->out, n);
    return 0;
}

/* --- Scalars --- */

struct scalar {
    enum wire wire;
    uint64_t bits;
};

static rota_err expected(struct rota_dyn_reader *r, const char *what)
{
    return rota_json_bad(&r->place, "expected %s", what);
}

static rota_err read_signed(struct rota_dyn_reader *r, const struct rota_dyn_json *json, bool is_32, int64_t *ret_value)
{
    if (rota_dyn_parse_signed(json, is_32 ? INT32_MIN : INT64_MIN, is_32 ? INT32_MAX : INT64_MAX, ret_value))
        return 0;
    return expected(r, is_32 ? "a whole number of 32 bits" : "a whole number of 64 bits");
}

static rota_err read_unsigned(struct rota_dyn_reader *r, const struct rota_dyn_json *json, bool is_32, uint64_t *ret_value)
{
    if (rota_dyn_parse_unsigned(json, is_32 ? UINT32_MAX : UINT64_MAX, ret_value))
        return 0;
    return expected(r, is_32 ? "a whole number of 32 bits, not negative" : "a whole number of 64 bits, not negative");
}

static rota_err read_real(struct rota_dyn_reader *r, const struct rota_dyn_json *json, bool is_float, uint64_t *ret_bits)
{
    uint32_t low;
    double value;
    float single;

    if (!rota_dyn_parse_real(json, is_float, &value))
        return expected(r, json->kind != ROTA_DYN_NUMBER ? "a number" : is_float ? "a number that a float can hold" : "a number that a double can hold");
    memcpy(ret_bits, &value, sizeof(value));
    if (!is_float)
        return 0;
    single = (float)value;
    memcpy(&low, &single, sizeof(low));
    *ret_bits = low;
    return 0;
}

static rota_err read_bool(struct rota_dyn_reader *r, const struct rota_dyn_json *json, uint64_t *ret_bits)
{
    if (json->kind != ROTA_DYN_TRUE && json->kind != ROTA_DYN_FALSE)
        return expected(r, "true or false");
    *ret_bits = json->kind == ROTA_DYN_TRUE;
    return 0;
}

static bool parse_enum(const struct rota_dyn_enum *type, const struct rota_dyn_json *json, int64_t *ret_number)
{
    *ret_number = 0;
    if (type->is_null && json->kind == ROTA_DYN_NULL)
        return true;
    for (size_t i = 0; json->kind == ROTA_DYN_TEXT && i < type->n_values; i++) {
        if (!rota_slice_equal(rota_slice_str(type->values[i].name), json->text))
            continue;
        *ret_number = type->values[i].number;
        return true;
    }
    return rota_dyn_parse_signed(json, INT32_MIN, INT32_MAX, ret_number);
}

static rota_err read_enum(struct rota_dyn_reader *r, const struct rota_dyn_enum *type, const struct rota_dyn_json *json, uint64_t *ret_bits)
{
    int64_t number;

    if (!parse_enum(type, json, &number))
        return rota_json_bad(&r->place, "expected a value of the enum %s, by name or number", type->name);
    *ret_bits = (uint64_t)number;
    return 0;
}

/* A name that the enum does not have, where such are to be ignored. */
static bool is_ignored(const struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json)
{
    int64_t number;

    return r->unknown == ROTA_DYN_IGNORE && field->type == ROTA_DYN_ENUM && json->kind == ROTA_DYN_TEXT &&
           !parse_enum(field->enumeration, json, &number);
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* A whole number of any type. */
static rota_err read_whole(struct rota_dyn_reader *r, enum rota_dyn_type type, const struct rota_dyn_json *json, struct scalar *ret)
{
    int64_t number = 0;
    rota_err err;

    switch (type) {
    case ROTA_DYN_UINT32:
    case ROTA_DYN_UINT64: return read_unsigned(r, json, type == ROTA_DYN_UINT32, &ret->bits);
    case ROTA_DYN_FIXED32:
    case ROTA_DYN_FIXED64:
        ret->wire = type == ROTA_DYN_FIXED32 ? FIXED32 : FIXED64;
        return read_unsigned(r, json, type == ROTA_DYN_FIXED32, &ret->bits);
    default: break;
    }
    err = read_signed(r, json, type == ROTA_DYN_INT32 || type == ROTA_DYN_SINT32 || type == ROTA_DYN_SFIXED32, &number);
    ret->bits = type == ROTA_DYN_SINT32 || type == ROTA_DYN_SINT64 ? zigzag(number) : (uint64_t)number;
    if (type == ROTA_DYN_SFIXED32 || type == ROTA_DYN_SFIXED64)
        ret->wire = type == ROTA_DYN_SFIXED32 ? FIXED32 : FIXED64;
    return err;
}

/* All but texts and bytes. */
static rota_err read_number(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json, struct scalar *ret)
{
    *ret = (struct scalar){.wire = VARINT};
    switch (field->type) {
    case ROTA_DYN_DOUBLE:
    case ROTA_DYN_FLOAT:
        ret->wire = field->type == ROTA_DYN_FLOAT ? FIXED32 : FIXED64;
        return read_real(r, json, field->type == ROTA_DYN_FLOAT, &ret->bits);
    case ROTA_DYN_BOOL: return read_bool(r, json, &ret->bits);
    case ROTA_DYN_ENUM: return read_enum(r, field->enumeration, json, &ret->bits);
    default: return read_whole(r, field->type, json, ret);
    }
}

static rota_err add_number(struct rota_dyn_reader *r, const struct scalar *scalar)
{
    if (scalar->wire == VARINT)
        return rota_dyn_add_varint(r, scalar->bits);
    return add_fixed(r, scalar->bits, scalar->wire == FIXED64 ? 8 : 4);
}

static rota_err read_bytes(struct rota_dyn_reader *r, const struct rota_dyn_field *field, struct rota_slice text, bool always)
{
    uint8_t *bytes = rota_alloc_get(r->alloc, text.size);
    size_t size;
    rota_err err = 0;

    if (bytes == NULL)
        return rota_dyn_no_memory(r);
    if (!rota_dyn_parse_base64(text, bytes, &size))
        err = expected(r, "bytes in base64");
    else if (size > 0 || always)
        err = rota_dyn_add_bytes(r, field->number, rota_slice(bytes, size));
    rota_alloc_free(r->alloc, bytes);
    return err;
}

rota_err rota_dyn_read_scalar(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json, bool always)
{
    struct scalar scalar;
    rota_err err;

    if (field->type == ROTA_DYN_STRING || field->type == ROTA_DYN_BYTES) {
        if (json->kind != ROTA_DYN_TEXT)
            return expected(r, field->type == ROTA_DYN_STRING ? "a text" : "bytes in base64");
        if (field->type == ROTA_DYN_BYTES)
            return read_bytes(r, field, json->text, always);
        return json->text.size > 0 || always ? rota_dyn_add_bytes(r, field->number, json->text) : 0;
    }
    err = read_number(r, field, json, &scalar);
    if (err < 0 || (scalar.bits == 0 && !always))
        return err;
    err = add_tag(r, field->number, scalar.wire);
    return err < 0 ? err : add_number(r, &scalar);
}

/* --- Fields --- */

/* A value as an element of a list or map, or alone: always written. */
static rota_err read_value(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json)
{
    size_t start;
    rota_err err;

    if (field->message == NULL)
        return rota_dyn_read_scalar(r, field, json, true);
    if (field->type == ROTA_DYN_GROUP) {
        err = add_tag(r, field->number, GROUP);
        if (err == 0)
            err = rota_dyn_read_message(r, field->message, json);
        return err < 0 ? err : add_tag(r, field->number, END_GROUP);
    }
    start = rota_dyn_begin(r);
    err = rota_dyn_read_message(r, field->message, json);
    return err < 0 ? err : rota_dyn_end(r, start, field->number);
}

static rota_err read_list(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json)
{
    const struct rota_dyn_json *item = json->first;
    size_t start = rota_dyn_begin(r), mark;
    rota_err err = 0;

    if (json->kind != ROTA_DYN_ARRAY)
        return expected(r, "a list");
    for (size_t i = 0; err == 0 && item != NULL; i++, item = item->next) {
        struct scalar scalar;

        if (is_ignored(r, field, item))
            continue;
        mark = rota_json_enter_index(&r->place, i);
        if (!field->packed) {
            err = read_value(r, field, item);
        } else {
            err = read_number(r, field, item, &scalar);
            if (err == 0)
                err = add_number(r, &scalar);
        }
        if (err == 0)
            rota_json_leave(&r->place, mark);
    }
    return err == 0 && field->packed && rota_dyn_begin(r) > start ? rota_dyn_end(r, start, field->number) : err;
}

/* A key is a text in JSON, whatever it is in the map. */
static rota_err read_key(struct rota_dyn_reader *r, const struct rota_dyn_field *field, struct rota_slice key)
{
    struct rota_dyn_json json = {.kind = ROTA_DYN_TEXT, .text = key};

    if (field->type == ROTA_DYN_BOOL) {
        json.kind = rota_slice_equal(key, ROTA_SLICE("true")) ? ROTA_DYN_TRUE : ROTA_DYN_FALSE;
        if (json.kind == ROTA_DYN_FALSE && !rota_slice_equal(key, ROTA_SLICE("false")))
            return expected(r, "true or false as the key");
    }
    return rota_dyn_read_scalar(r, field, &json, true);
}

static rota_err read_map(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json)
{
    const struct rota_dyn_message *entry = field->message;
    rota_err err = 0;

    if (json->kind != ROTA_DYN_OBJECT)
        return expected(r, "an object, for a map");
    for (const struct rota_dyn_json *item = json->first; err == 0 && item != NULL; item = item->next) {
        size_t start = rota_dyn_begin(r), mark;

        if (is_ignored(r, entry->by_number[1], item))
            continue;
        mark = rota_json_enter(&r->place, (const char *)item->key.data);
        err = read_key(r, entry->by_number[0], item->key);
        if (err == 0)
            err = read_value(r, entry->by_number[1], item);
        if (err == 0)
            err = rota_dyn_end(r, start, field->number);
        if (err == 0)
            rota_json_leave(&r->place, mark);
    }
    return err;
}

/* JSON's null is an absent field, but for those that can say null themselves. */
static bool says_null(const struct rota_dyn_field *field)
{
    if (field->repeated)
        return false;
    if (field->type == ROTA_DYN_ENUM)
        return field->enumeration->is_null;
    return field->message != NULL && field->message->special == ROTA_DYN_VALUE;
}

static rota_err read_field(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json)
{
    if (field->repeated && field->message != NULL && field->message->map_entry)
        return read_map(r, field, json);
    if (field->repeated)
        return read_list(r, field, json);
    if (field->message != NULL)
        return read_value(r, field, json);
    return rota_dyn_read_scalar(r, field, json, field->presence);
}

/* --- Messages --- */

static const struct rota_dyn_field *find_field(const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice key)
{
    for (size_t i = 0; i < type->n_fields; i++)
        if (rota_slice_equal(rota_slice_str(type->fields[i].json_name), key))
            return &type->fields[i];
    for (size_t i = 0; i < type->n_fields; i++)
        if (rota_slice_equal(rota_slice_str(type->fields[i].name), key))
            return &type->fields[i];
    if (key.size > 2 && key.data[0] == '[' && key.data[key.size - 1] == ']')
        return rota_pool_extension(pool, type, rota_slice(key.data + 1, key.size - 2));
    return NULL;
}

/* Marks the field and its oneof; each may come once. seen: the oneofs, then the fields, then the extensions. */
static rota_err see(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_field *field, bool *seen)
{
    if (seen[type->n_oneofs + field->index])
        return rota_json_bad(&r->place, "comes twice, by both its names");
    seen[type->n_oneofs + field->index] = true;
    if (field->oneof < 0)
        return 0;
    if (seen[field->oneof])
        return rota_json_bad(&r->place, "another member of the same oneof is set");
    seen[field->oneof] = true;
    return 0;
}

static rota_err read_member(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json, bool *seen)
{
    const struct rota_dyn_field *field = find_field(r->pool, type, json->key);
    size_t mark;
    rota_err err;

    if (r->unknown == ROTA_DYN_IGNORE && (field == NULL || is_ignored(r, field, json)))
        return 0;
    mark = rota_json_enter(&r->place, (const char *)json->key.data);
    if (field == NULL)
        return rota_json_bad(&r->place, "%s has no such field", type->name);
    if (json->kind == ROTA_DYN_NULL && !says_null(field)) {
        rota_json_leave(&r->place, mark);
        return 0;
    }
    err = see(r, type, field, seen);
    if (err == 0)
        err = read_field(r, field, json);
    if (err == 0)
        rota_json_leave(&r->place, mark);
    return err;
}

rota_err rota_dyn_read_members(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *object, const char *except)
{
    bool *seen = rota_alloc_zero(r->alloc, type->n_oneofs + type->n_fields + type->n_extensions, sizeof(*seen));
    rota_err err = 0;

    if (seen == NULL)
        return rota_dyn_no_memory(r);
    for (const struct rota_dyn_json *member = object->first; err == 0 && member != NULL; member = member->next)
        if (except == NULL || !rota_slice_equal(member->key, rota_slice_str(except)))
            err = read_member(r, type, member, seen);
    for (size_t i = 0; err == 0 && i < type->n_fields; i++)
        if (type->fields[i].required && !seen[type->n_oneofs + i])
            err = rota_json_bad_member(&r->place, type->fields[i].json_name, "is required, and missing");
    rota_alloc_free(r->alloc, seen);
    return err;
}

/* A Value: the member that is of the JSON's own kind. */
static rota_err read_any_value(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json)
{
    switch (json->kind) {
    case ROTA_DYN_NULL: return rota_dyn_read_scalar(r, type->by_number[0], json, true);
    case ROTA_DYN_NUMBER: return rota_dyn_read_scalar(r, type->by_number[1], json, true);
    case ROTA_DYN_TEXT: return rota_dyn_read_scalar(r, type->by_number[2], json, true);
    case ROTA_DYN_TRUE:
    case ROTA_DYN_FALSE: return rota_dyn_read_scalar(r, type->by_number[3], json, true);
    case ROTA_DYN_OBJECT: return read_value(r, type->by_number[4], json);
    default: return read_value(r, type->by_number[5], json);
    }
}

rota_err rota_dyn_read_message(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json)
{
    rota_err err;

    if (++r->depth > ROTA_DYN_MAX_DEPTH)
        return rota_json_bad(&r->place, "messages nested deeper than %d", ROTA_DYN_MAX_DEPTH);
    switch (type->special) {
    case ROTA_DYN_PLAIN: err = json->kind == ROTA_DYN_OBJECT ? rota_dyn_read_members(r, type, json, NULL) : expected(r, "an object"); break;
    case ROTA_DYN_STRUCT: err = read_map(r, &type->fields[0], json); break;
    case ROTA_DYN_LIST: err = read_list(r, &type->fields[0], json); break;
    case ROTA_DYN_VALUE: err = read_any_value(r, type, json); break;
    case ROTA_DYN_WRAPPER: err = rota_dyn_read_scalar(r, &type->fields[0], json, false); break;
    default: err = rota_dyn_read_special(r, type, json); break;
    }
    r->depth--;
    return err;
}

rota_err rota_dyn_from_json(const struct rota_pool *pool, const struct rota_dyn_message *type, const struct rota_dyn_json *json,
                            enum rota_dyn_unknown unknown, struct rota_buffer *out, struct rota_errinfo *info)
{
    struct rota_dyn_reader r = {.pool = pool, .out = out, .alloc = out->alloc, .unknown = unknown, .place = {.info = info}};

    return rota_dyn_read_message(&r, type, json);
}
