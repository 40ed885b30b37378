/* pool.c - reads descriptors into the pool. Their fields are walked by number; those not named here mean nothing to JSON, and
 * may be groups: custom options are. What a name refers to is found when linking (pool_link.c).
 */
#include "dynamic/pool.h"

#include "base/errinfo.h"
#include "base/pb.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>

#define MAX_DEPTH 100
#define MAX_FIELD_NUMBER 0x1fffffff
#define LABEL_REQUIRED 2
#define LABEL_REPEATED 3
#define MAP_SEED 1 /* of maps over names; those who could choose them to collide waste their own time */

enum syntax { PROTO2, PROTO3, EDITION };

/* What JSON and the wire format depend on of a FeatureSet; proto2 and proto3 are two sets of them. */
struct features {
    bool implicit, required; /* presence */
    bool packed, delimited;  /* lists of numbers; messages, as groups */
};

struct reader {
    struct rota_pool *pool;
    struct rota_errinfo *info;
    const char *file;
    enum syntax syntax;
    struct features features; /* of the file, or of the message that is being read */
};

void rota_pool_init(struct rota_pool *pool, const struct rota_alloc *alloc)
{
    rota_arena_init(&pool->arena, alloc, 4096);
    rota_map_init(&pool->files, alloc, MAP_SEED);
    rota_map_init(&pool->messages, alloc, MAP_SEED);
    rota_map_init(&pool->enums, alloc, MAP_SEED);
    rota_map_init(&pool->services, alloc, MAP_SEED);
    rota_map_init(&pool->extensions, alloc, MAP_SEED);
    rota_map_init(&pool->numbers, alloc, MAP_SEED);
    rota_map_init(&pool->imports, alloc, MAP_SEED);
    rota_list_init(&pool->new_messages);
    rota_list_init(&pool->new_services);
    rota_list_init(&pool->new_extensions);
    pool->looked_bytes = 0;
}

void rota_pool_fini(struct rota_pool *pool)
{
    rota_map_fini(&pool->imports);
    rota_map_fini(&pool->numbers);
    rota_map_fini(&pool->extensions);
    rota_map_fini(&pool->services);
    rota_map_fini(&pool->enums);
    rota_map_fini(&pool->messages);
    rota_map_fini(&pool->files);
    rota_arena_fini(&pool->arena);
}

static rota_err no_memory(struct reader *r)
{
    return rota_errinfo_set(r->info, ROTA_ENOMEM, "out of memory");
}

static rota_err malformed(struct reader *r, const char *what)
{
    return rota_errinfo_set(r->info, ROTA_EPARSE, "descriptor of %s: %s", r->file, what);
}

/* --- Texts --- */

static bool is_name(struct rota_slice text, bool dotted)
{
    bool first = true;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

        if (c == '.' && dotted && !first)
            first = true;
        else if (letter || c == '_' || (!first && c >= '0' && c <= '9'))
            first = false;
        else
            return false;
    }
    return !first;
}

static rota_err read_name(struct reader *r, struct rota_slice text, const char **ret_name)
{
    if (!is_name(text, false))
        return malformed(r, "a name that is none");
    *ret_name = rota_arena_text(&r->pool->arena, text);
    return *ret_name == NULL ? no_memory(r) : 0;
}

/* ".package.Type" as protoc writes it, or without the dot as seen from where it stands. */
static rota_err read_type_name(struct reader *r, struct rota_slice text, const char **ret_name)
{
    bool full = text.size > 0 && text.data[0] == '.';

    if (!is_name(full ? rota_slice(text.data + 1, text.size - 1) : text, true))
        return malformed(r, "a reference to a type by a name that is none");
    *ret_name = rota_arena_text(&r->pool->arena, text);
    return *ret_name == NULL ? no_memory(r) : 0;
}

static rota_err join_name(struct reader *r, const char *scope, struct rota_slice text, const char **ret_name)
{
    size_t size = strlen(scope) + text.size + 2;
    const char *checked;
    char *name;
    rota_err err = read_name(r, text, &checked);

    if (err < 0)
        return err;
    if (strlen(scope) + text.size >= ROTA_DYN_NAME_BYTES)
        return malformed(r, "a name that is too long");
    name = rota_arena_get(&r->pool->arena, size);
    if (name == NULL)
        return no_memory(r);
    snprintf(name, size, "%s%s%s", scope, scope[0] == '\0' ? "" : ".", checked);
    *ret_name = name;
    return 0;
}

static rota_err keep(struct reader *r, struct rota_map *map, const char *name, void *value)
{
    struct rota_slice key = rota_slice_str(name);

    if (rota_map_get(&r->pool->messages, key) != NULL || rota_map_get(&r->pool->enums, key) != NULL ||
        rota_map_get(&r->pool->services, key) != NULL || rota_map_get(&r->pool->extensions, key) != NULL)
        return rota_errinfo_set(r->info, ROTA_EEXIST, "%s: %s is declared twice", r->file, name);
    return rota_map_set(map, key, value) < 0 ? no_memory(r) : 0;
}

/* --- Walking --- */

/* How many fields of that number there are, or -1 for malformed bytes. */
static long count_fields(struct rota_slice in, uint32_t number)
{
    struct rota_pb field;
    long n = 0;

    while (in.size > 0) {
        if (!rota_pb_take_grouped(&in, &field))
            return -1;
        n += field.number == number && field.wire == ROTA_PB_BYTES;
    }
    return n;
}

/* The last field of that number and shape, or an empty one; the bytes have been counted before and are well-formed. */
static struct rota_pb find(struct rota_slice in, uint32_t number, enum rota_pb_wire wire)
{
    struct rota_pb field, found = {0};

    while (in.size > 0 && rota_pb_take_grouped(&in, &field))
        if (field.number == number && field.wire == wire)
            found = field;
    return found;
}

static struct rota_slice find_bytes(struct rota_slice in, uint32_t number)
{
    return find(in, number, ROTA_PB_BYTES).bytes;
}

static uint64_t find_number(struct rota_slice in, uint32_t number)
{
    return find(in, number, ROTA_PB_VARINT).value;
}

/* An array for the fields of that number; ROTA_EPARSE: the bytes are malformed. */
static rota_err make_array(struct reader *r, struct rota_slice in, uint32_t number, size_t size, void *ret_array)
{
    long n = count_fields(in, number);
    void *array;

    if (n < 0)
        return malformed(r, "malformed or cut off");
    array = rota_arena_zero(&r->pool->arena, (size_t)n + 1, size);
    if (array == NULL)
        return no_memory(r);
    memcpy(ret_array, &array, sizeof(array));
    return 0;
}

/* --- Enums --- */

static rota_err read_enum(struct reader *r, const char *scope, struct rota_slice in)
{
    struct rota_dyn_enum *e = rota_arena_zero(&r->pool->arena, 1, sizeof(*e));
    struct rota_pb field;
    rota_err err = e == NULL ? no_memory(r) : make_array(r, in, 2, sizeof(*e->values), &e->values);

    if (err == 0)
        err = join_name(r, scope, find_bytes(in, 1), &e->name);
    while (err == 0 && in.size > 0 && rota_pb_take_grouped(&in, &field)) {
        struct rota_dyn_enum_value *value;

        if (field.number != 2 || field.wire != ROTA_PB_BYTES)
            continue;
        value = &e->values[e->n_values++];
        if (count_fields(field.bytes, 1) < 0)
            return malformed(r, "an enum value is malformed");
        value->number = (int32_t)find_number(field.bytes, 2);
        err = read_name(r, find_bytes(field.bytes, 1), &value->name);
    }
    if (err < 0)
        return err;
    e->is_null = strcmp(e->name, "google.protobuf.NullValue") == 0;
    return keep(r, &r->pool->enums, e->name, e);
}

/* --- Messages --- */

/* "foo_bar" is fooBar. */
static const char *camel(struct reader *r, const char *name)
{
    char *out = rota_arena_text(&r->pool->arena, rota_slice_str(name));
    size_t n = 0;
    bool up = false;

    if (out == NULL)
        return NULL;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            up = true;
            continue;
        }
        out[n++] = up && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        up = false;
    }
    out[n] = '\0';
    return out;
}

static bool packs(enum rota_dyn_type type)
{
    return type != ROTA_DYN_STRING && type != ROTA_DYN_BYTES && type != ROTA_DYN_MESSAGE && type != ROTA_DYN_GROUP;
}

static bool feature(struct rota_slice set, uint32_t number, uint64_t yes, bool inherited)
{
    uint64_t value = find_number(set, number);

    return value == 0 ? inherited : value == yes;
}

/* Options set what they name, in editions only; the rest is inherited. */
static struct features features_of(const struct reader *r, struct rota_slice options, uint32_t number)
{
    struct rota_slice set = find_bytes(options, number);

    if (r->syntax != EDITION)
        return r->features;
    return (struct features){
        .implicit = feature(set, 1, 2, r->features.implicit),
        .required = feature(set, 1, 3, r->features.required),
        .packed = feature(set, 3, 1, r->features.packed),
        .delimited = feature(set, 5, 2, r->features.delimited),
    };
}

/* What follows from features and label, once the type is known. */
static void read_presence(struct rota_slice in, struct features features, struct rota_dyn_field *field)
{
    struct rota_pb packed = find(find_bytes(in, 8), 2, ROTA_PB_VARINT), oneof = find(in, 9, ROTA_PB_VARINT);
    bool own_oneof = find_number(in, 17) != 0; /* proto3_optional */
    bool in_oneof = oneof.number != 0 && !own_oneof, message = field->type == ROTA_DYN_MESSAGE || field->type == ROTA_DYN_GROUP;

    field->oneof = -1;
    if (field->repeated) {
        field->packed = packs(field->type) && (packed.number != 0 ? packed.value != 0 : features.packed);
        return;
    }
    if (in_oneof)
        field->oneof = (int32_t)(oneof.value & INT32_MAX);
    field->required = find_number(in, 4) == LABEL_REQUIRED || (features.required && !in_oneof);
    field->presence = !features.implicit || in_oneof || own_oneof || message;
}

static rota_err read_shape(struct reader *r, struct rota_slice in, struct rota_dyn_field *field)
{
    struct features features = features_of(r, find_bytes(in, 8), 21);
    uint64_t type = find_number(in, 5), number = find_number(in, 3);

    if (number == 0 || number > MAX_FIELD_NUMBER)
        return malformed(r, "a field whose number is none");
    field->by_name = type == 0 && find_bytes(in, 6).size > 0;
    if (field->by_name)
        type = ROTA_DYN_ENUM;
    if (type < ROTA_DYN_DOUBLE || type > ROTA_DYN_SINT64)
        return malformed(r, "a field whose type is none");
    field->number = (uint32_t)number;
    field->delimited = features.delimited;
    field->type = type == ROTA_DYN_MESSAGE && features.delimited ? ROTA_DYN_GROUP : (enum rota_dyn_type)type;
    field->repeated = find_number(in, 4) == LABEL_REPEATED;
    read_presence(in, features, field);
    return 0;
}

/* All but its place in a message and its JSON name. */
static rota_err read_any_field(struct reader *r, struct rota_slice in, struct rota_dyn_field *field)
{
    rota_err err;

    if (count_fields(in, 1) < 0 || count_fields(find_bytes(in, 8), 2) < 0)
        return malformed(r, "a field is malformed");
    err = read_name(r, find_bytes(in, 1), &field->name);
    if (err == 0)
        err = read_shape(r, in, field);
    if (err == 0 && (field->type == ROTA_DYN_MESSAGE || field->type == ROTA_DYN_GROUP || field->type == ROTA_DYN_ENUM))
        err = read_type_name(r, find_bytes(in, 6), &field->type_name);
    return err;
}

static rota_err read_extension(struct reader *r, const char *scope, struct rota_slice in)
{
    struct rota_dyn_extension *extension = rota_arena_zero(&r->pool->arena, 1, sizeof(*extension));
    rota_err err = extension == NULL ? no_memory(r) : read_any_field(r, in, &extension->field);
    char *json_name;
    size_t size;

    if (err == 0)
        err = join_name(r, scope, find_bytes(in, 1), &extension->name);
    if (err == 0)
        err = read_type_name(r, find_bytes(in, 2), &extension->extendee_name);
    if (err < 0)
        return err;
    size = strlen(extension->name) + 3;
    json_name = rota_arena_get(&r->pool->arena, size);
    if (json_name == NULL)
        return no_memory(r);
    snprintf(json_name, size, "[%s]", extension->name);
    extension->field.json_name = json_name;
    extension->field.oneof = -1;
    /* Whatever the file's features say. */
    extension->field.presence = !extension->field.repeated;
    extension->field.required = false;
    rota_list_append(&r->pool->new_extensions, &extension->link);
    return keep(r, &r->pool->extensions, extension->name, extension);
}

static rota_err read_field(struct reader *r, struct rota_slice in, struct rota_dyn_message *message)
{
    struct rota_dyn_field *field = &message->fields[message->n_fields];
    struct rota_slice json_name;
    rota_err err;

    /* protobufjs lists extensions, declared elsewhere, a second time among the fields: under their full name, dot and all. */
    if (count_fields(in, 1) > 0 && find_bytes(in, 1).size > 0 && find_bytes(in, 1).data[0] == '.')
        return 0;
    err = read_any_field(r, in, field);
    if (err < 0)
        return err;
    field->index = (uint32_t)message->n_fields++;
    json_name = find_bytes(in, 10);
    if (!rota_text_is_utf8(json_name) || memchr(json_name.size == 0 ? "x" : (const char *)json_name.data, '\0', json_name.size) != NULL)
        return malformed(r, "a field's name in JSON is no text");
    field->json_name = json_name.size == 0 ? camel(r, field->name) : rota_arena_text(&r->pool->arena, json_name);
    return field->json_name == NULL ? no_memory(r) : 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct rota_dyn_field *x = *(const struct rota_dyn_field *const *)a, *y = *(const struct rota_dyn_field *const *)b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static rota_err finish_message(struct reader *r, struct rota_dyn_message *message)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        message->by_number[i] = &message->fields[i];
        if (message->fields[i].oneof >= (int32_t)message->n_oneofs)
            return malformed(r, "a field of a oneof that is not there");
    }
    qsort(message->by_number, message->n_fields, sizeof(*message->by_number), compare_numbers);
    for (size_t i = 1; i < message->n_fields; i++)
        if (message->by_number[i]->number == message->by_number[i - 1]->number)
            return malformed(r, "two fields of one number");
    rota_list_append(&r->pool->new_messages, &message->link);
    return keep(r, &r->pool->messages, message->name, message);
}

static rota_err read_message(struct reader *r, const char *scope, struct rota_slice in, int depth);

static rota_err read_part(struct reader *r, struct rota_dyn_message *message, const struct rota_pb *part, int depth)
{
    if (part->wire != ROTA_PB_BYTES)
        return 0;
    switch (part->number) {
    case 2: return read_field(r, part->bytes, message);
    case 3: return read_message(r, message->name, part->bytes, depth + 1);
    case 4: return read_enum(r, message->name, part->bytes);
    case 6: return read_extension(r, message->name, part->bytes);
    case 8: message->n_oneofs++; return 0;
    default: return 0;
    }
}

static rota_err read_message(struct reader *r, const char *scope, struct rota_slice in, int depth)
{
    struct rota_dyn_message *message = rota_arena_zero(&r->pool->arena, 1, sizeof(*message));
    struct features outer = r->features;
    struct rota_slice all = in;
    struct rota_pb field;
    rota_err err = message == NULL ? no_memory(r) : make_array(r, in, 2, sizeof(*message->fields), &message->fields);

    if (err == 0)
        err = make_array(r, in, 2, sizeof(*message->by_number), &message->by_number);
    if (err == 0)
        err = join_name(r, scope, find_bytes(in, 1), &message->name);
    if (err == 0 && depth >= MAX_DEPTH)
        err = malformed(r, "messages are nested too deep");
    r->features = features_of(r, find_bytes(all, 7), 12);
    while (err == 0 && in.size > 0 && rota_pb_take_grouped(&in, &field))
        err = read_part(r, message, &field, depth);
    r->features = outer;
    if (err < 0)
        return err;
    message->map_entry = find_number(find_bytes(all, 7), 7) != 0;
    return finish_message(r, message);
}

/* --- Services --- */

static rota_err read_method(struct reader *r, struct rota_slice in, struct rota_dyn_method *method)
{
    rota_err err = count_fields(in, 1) < 0 ? malformed(r, "a method is malformed") : read_name(r, find_bytes(in, 1), &method->name);

    if (err == 0)
        err = read_type_name(r, find_bytes(in, 2), &method->input_name);
    if (err == 0)
        err = read_type_name(r, find_bytes(in, 3), &method->output_name);
    method->client_streaming = find_number(in, 5) != 0;
    method->server_streaming = find_number(in, 6) != 0;
    return err;
}

static rota_err read_service(struct reader *r, const char *scope, struct rota_slice in)
{
    struct rota_dyn_service *service = rota_arena_zero(&r->pool->arena, 1, sizeof(*service));
    struct rota_pb field;
    rota_err err = service == NULL ? no_memory(r) : make_array(r, in, 2, sizeof(*service->methods), &service->methods);

    if (err == 0)
        err = join_name(r, scope, find_bytes(in, 1), &service->name);
    while (err == 0 && in.size > 0 && rota_pb_take_grouped(&in, &field))
        if (field.number == 2 && field.wire == ROTA_PB_BYTES)
            err = read_method(r, field.bytes, &service->methods[service->n_methods++]);
    if (err < 0)
        return err;
    rota_list_append(&r->pool->new_services, &service->link);
    return keep(r, &r->pool->services, service->name, service);
}

/* --- Files --- */

static rota_err read_import(struct reader *r, struct rota_slice name)
{
    char *text = rota_arena_text(&r->pool->arena, name);

    if (text == NULL || rota_map_set(&r->pool->imports, rota_slice_str(text), text) < 0)
        return no_memory(r);
    return 0;
}

static rota_err read_file_part(struct reader *r, const char *scope, const struct rota_pb *part)
{
    if (part->wire != ROTA_PB_BYTES)
        return 0;
    switch (part->number) {
    case 3: return read_import(r, part->bytes);
    case 4: return read_message(r, scope, part->bytes, 1);
    case 5: return read_enum(r, scope, part->bytes);
    case 6: return read_service(r, scope, part->bytes);
    case 7: return read_extension(r, scope, part->bytes);
    default: return 0;
    }
}

/* How many lookups a reference may cost depends on it. */
static bool is_package(struct rota_slice text)
{
    size_t n_parts = 1;

    for (size_t i = 0; i < text.size; i++)
        n_parts += text.data[i] == '.';
    return n_parts < MAX_DEPTH && is_name(text, true);
}

static rota_err read_file(struct reader *r, struct rota_slice in)
{
    struct rota_slice package = find_bytes(in, 2), syntax = find_bytes(in, 12);
    struct rota_pb field;
    const char *scope = "";
    rota_err err = 0;

    if (package.size > 0 && !is_package(package))
        return malformed(r, "a package whose name is none");
    r->syntax = rota_slice_equal(syntax, ROTA_SLICE("proto3")) ? PROTO3 : rota_slice_equal(syntax, ROTA_SLICE("editions")) ? EDITION : PROTO2;
    r->features = (struct features){.implicit = r->syntax == PROTO3, .packed = r->syntax != PROTO2};
    r->features = features_of(r, find_bytes(in, 8), 50);
    if (package.size > 0 && (scope = rota_arena_text(&r->pool->arena, package)) == NULL)
        return no_memory(r);
    while (err == 0 && in.size > 0 && rota_pb_take_grouped(&in, &field))
        err = read_file_part(r, scope, &field);
    return err;
}

static bool is_path(struct rota_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.size > 0 && rota_text_is_utf8(text);
}

rota_err rota_pool_add(struct rota_pool *pool, struct rota_slice file, struct rota_errinfo *info)
{
    struct reader r = {.pool = pool, .info = info, .file = "a file"};
    struct rota_slice name;
    char *text;

    if (count_fields(file, 1) < 0)
        return malformed(&r, "malformed or cut off");
    name = find_bytes(file, 1);
    if (!is_path(name))
        return malformed(&r, "its path is none");
    if (rota_map_get(&pool->files, name) != NULL)
        return 0;
    text = rota_arena_text(&pool->arena, name);
    if (text == NULL || rota_map_set(&pool->files, rota_slice_str(text), text) < 0)
        return no_memory(&r);
    r.file = text;
    return read_file(&r, file);
}

rota_err rota_pool_add_set(struct rota_pool *pool, struct rota_slice set, struct rota_errinfo *info)
{
    rota_err err = 0;

    while (err == 0 && set.size > 0) {
        struct rota_pb field;

        if (!rota_pb_take_grouped(&set, &field) || field.number != 1 || field.wire != ROTA_PB_BYTES)
            return rota_errinfo_set(info, ROTA_EPARSE, "no set of file descriptors");
        err = rota_pool_add(pool, field.bytes, info);
    }
    return err;
}

const char *rota_pool_missing(const struct rota_pool *pool)
{
    struct rota_map_entry *at = NULL;

    while ((at = rota_map_next(&pool->imports, at)) != NULL)
        if (rota_map_get(&pool->files, at->key) == NULL)
            return at->value;
    return NULL;
}
