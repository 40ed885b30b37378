/* pool_link.c - from the names of types to the types, what is special about some of them, and looking things up. */
#include "dynamic/pool.h"

#include "base/errinfo.h"
#include "dynamic/known.h"
#include <stdlib.h>

/* Honest files need a few; a short name in a hundred long scopes takes 100 KiB. */
#define MAX_LOOKED_BYTES (UINT64_C(256) << 20)

static bool looked_too_often(const struct rota_pool *pool)
{
    return pool->looked_bytes > MAX_LOOKED_BYTES;
}

static rota_err too_often(struct rota_errinfo *info)
{
    return rota_errinfo_set(info, ROTA_ELIMIT, "names of types are looked for too often");
}

static rota_err unknown(const struct rota_pool *pool, struct rota_errinfo *info, const char *who, const char *name)
{
    if (looked_too_often(pool))
        return too_often(info);
    return rota_errinfo_set(info, ROTA_ENOTFOUND, "%s refers to %s, which no known file declares", who, name + (name[0] == '.'));
}

/* One of the two, or none. */
struct found {
    struct rota_dyn_message *message;
    const struct rota_dyn_enum *enumeration;
};

static bool find_type(struct rota_pool *pool, struct rota_slice name, struct found *ret_found)
{
    ret_found->message = rota_map_get(&pool->messages, name);
    ret_found->enumeration = ret_found->message != NULL ? NULL : rota_map_get(&pool->enums, name);
    pool->looked_bytes += ret_found->message != NULL ? name.size : 2 * name.size;
    return ret_found->message != NULL || ret_found->enumeration != NULL;
}

/* A name without a leading dot is looked for as C++ does (descriptor.proto, type_name): in the scope, then in those around it, the
 * innermost first. A name's parts and size are bounded, and so is this; once all names together were looked for too often, nothing is found. */
static struct found resolve(struct rota_pool *pool, const char *scope, const char *name)
{
    size_t size = strlen(name), prefix = strlen(scope);
    char full[ROTA_DYN_NAME_BYTES];
    struct found found = {NULL, NULL};

    if (looked_too_often(pool))
        return found;
    if (name[0] == '.') {
        find_type(pool, rota_slice(name + 1, size - 1), &found);
        return found;
    }
    memcpy(full, scope, prefix);
    while (prefix > 0) {
        if (prefix + 1 + size <= sizeof(full)) {
            full[prefix] = '.';
            memcpy(full + prefix + 1, name, size);
            if (find_type(pool, rota_slice(full, prefix + 1 + size), &found))
                return found;
        }
        while (prefix > 0 && full[prefix - 1] != '.')
            prefix--;
        prefix -= prefix > 0;
    }
    if (size <= sizeof(full))
        find_type(pool, rota_slice(name, size), &found);
    return found;
}

static bool link_field(struct rota_pool *pool, const char *scope, struct rota_dyn_field *field)
{
    struct found found;

    if (field->type_name == NULL)
        return true;
    found = resolve(pool, scope, field->type_name);
    if (field->by_name && found.message != NULL) {
        field->type = field->delimited ? ROTA_DYN_GROUP : ROTA_DYN_MESSAGE;
        field->packed = false;
        field->presence = !field->repeated;
    }
    if (field->type == ROTA_DYN_ENUM ? found.enumeration == NULL : found.message == NULL)
        return false;
    field->message = found.message;
    field->enumeration = found.enumeration;
    field->type_name = found.message != NULL ? found.message->name : found.enumeration->name;
    return true;
}

static rota_err link_message(struct rota_pool *pool, struct rota_dyn_message *message, struct rota_errinfo *info)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        struct rota_dyn_field *field = &message->fields[i];

        if (!link_field(pool, message->name, field))
            return unknown(pool, info, message->name, field->type_name);
        /* Maps, and what is in them, never are groups, whatever the file's features say. */
        if (field->type == ROTA_DYN_GROUP && (message->map_entry || field->message->map_entry))
            field->type = ROTA_DYN_MESSAGE;
    }
    return 0;
}

/* What an extension is found by: its message and number. */
struct extension_key {
    uint64_t number;
    const struct rota_dyn_message *message;
};

/* One that no message can have, or whose message has a form of its own, is as if it were not there. */
static rota_err link_extension(struct rota_pool *pool, struct rota_dyn_extension *extension, struct rota_errinfo *info)
{
    struct rota_dyn_message *message = resolve(pool, extension->name, extension->extendee_name).message;
    struct rota_dyn_field *field = &extension->field;
    struct extension_key *key;

    if (looked_too_often(pool))
        return too_often(info);
    if (message == NULL || !link_field(pool, extension->name, field) || message->special != ROTA_DYN_PLAIN || message->map_entry ||
        rota_pool_field(pool, message, field->number) != NULL)
        return 0;
    key = rota_arena_zero(&pool->arena, 1, sizeof(*key));
    if (key == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    *key = (struct extension_key){.number = field->number, .message = message};
    if (rota_map_set(&pool->numbers, rota_slice(key, sizeof(*key)), field) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    field->index = (uint32_t)(message->n_fields + message->n_extensions++);
    extension->extendee = message;
    return 0;
}

static bool is_key(enum rota_dyn_type type)
{
    return type != ROTA_DYN_DOUBLE && type != ROTA_DYN_FLOAT && type != ROTA_DYN_BYTES && type != ROTA_DYN_MESSAGE && type != ROTA_DYN_GROUP &&
           type != ROTA_DYN_ENUM;
}

static bool is_map_entry(const struct rota_dyn_message *message)
{
    return message->n_fields == 2 && message->by_number[0]->number == 1 && message->by_number[1]->number == 2 && !message->by_number[0]->repeated &&
           !message->by_number[1]->repeated && is_key(message->by_number[0]->type);
}

static const struct known {
    const char *name;
    enum rota_dyn_special special;
    const char *types; /* a letter a field, numbered from 1: Message, Repeated message, String, strings in Plenty, Bytes, Number of any kind */
} known[] = {
    {"Any", ROTA_DYN_ANY, "SB"},
    {"Timestamp", ROTA_DYN_TIMESTAMP, "NN"},
    {"Duration", ROTA_DYN_DURATION, "NN"},
    {"FieldMask", ROTA_DYN_FIELD_MASK, "P"},
    {"Struct", ROTA_DYN_STRUCT, "R"},
    {"Value", ROTA_DYN_VALUE, "NNSNMM"},
    {"ListValue", ROTA_DYN_LIST, "R"},
    {"DoubleValue", ROTA_DYN_WRAPPER, "N"},
    {"FloatValue", ROTA_DYN_WRAPPER, "N"},
    {"Int64Value", ROTA_DYN_WRAPPER, "N"},
    {"UInt64Value", ROTA_DYN_WRAPPER, "N"},
    {"Int32Value", ROTA_DYN_WRAPPER, "N"},
    {"UInt32Value", ROTA_DYN_WRAPPER, "N"},
    {"BoolValue", ROTA_DYN_WRAPPER, "N"},
    {"StringValue", ROTA_DYN_WRAPPER, "S"},
    {"BytesValue", ROTA_DYN_WRAPPER, "B"},
};

static char letter_of(const struct rota_dyn_field *field)
{
    switch (field->type) {
    case ROTA_DYN_GROUP: return '?';
    case ROTA_DYN_MESSAGE: return field->repeated ? 'R' : 'M';
    case ROTA_DYN_STRING: return field->repeated ? 'P' : 'S';
    case ROTA_DYN_BYTES: return field->repeated ? '?' : 'B';
    default: return field->repeated ? '?' : 'N';
    }
}

static bool looks_like(const struct rota_dyn_message *message, const struct known *k)
{
    if (message->n_fields != strlen(k->types))
        return false;
    for (size_t i = 0; i < message->n_fields; i++)
        if (message->by_number[i]->number != i + 1 || letter_of(message->by_number[i]) != k->types[i])
            return false;
    if (k->special == ROTA_DYN_STRUCT)
        return message->fields[0].message->map_entry && is_map_entry(message->fields[0].message);
    return true;
}

static enum rota_dyn_special special_of(const struct rota_dyn_message *message)
{
    static const char package[] = "google.protobuf.";

    if (strncmp(message->name, package, sizeof(package) - 1) != 0)
        return ROTA_DYN_PLAIN;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(message->name + sizeof(package) - 1, known[i].name) == 0 && looks_like(message, &known[i]))
            return known[i].special;
    return ROTA_DYN_PLAIN;
}

static rota_err link_service(struct rota_pool *pool, struct rota_dyn_service *service, struct rota_errinfo *info)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        struct rota_dyn_method *method = &service->methods[i];

        method->input = resolve(pool, service->name, method->input_name).message;
        method->output = resolve(pool, service->name, method->output_name).message;
        if (method->input == NULL || method->output == NULL)
            return unknown(pool, info, service->name, method->input == NULL ? method->input_name : method->output_name);
        method->input_name = method->input->name;
        method->output_name = method->output->name;
    }
    return 0;
}

rota_err rota_pool_link(struct rota_pool *pool, struct rota_errinfo *info)
{
    struct rota_link *link;
    rota_err err = 0;

    /* What is special of a message depends on those it refers to, so each of them is linked first. */
    for (link = pool->new_messages.next; err == 0 && link != &pool->new_messages; link = link->next)
        err = link_message(pool, ROTA_CONTAINER(link, struct rota_dyn_message, link), info);
    while (err == 0 && (link = rota_list_pop(&pool->new_messages)) != NULL) {
        struct rota_dyn_message *message = ROTA_CONTAINER(link, struct rota_dyn_message, link);
        if (message->map_entry && !is_map_entry(message))
            return rota_errinfo_set(info, ROTA_EPARSE, "%s is no entry of a map", message->name);
        message->special = special_of(message);
    }
    while (err == 0 && (link = rota_list_pop(&pool->new_extensions)) != NULL)
        err = link_extension(pool, ROTA_CONTAINER(link, struct rota_dyn_extension, link), info);
    while (err == 0 && (link = rota_list_pop(&pool->new_services)) != NULL)
        err = link_service(pool, ROTA_CONTAINER(link, struct rota_dyn_service, link), info);
    return err;
}

/* --- Looking up --- */

const struct rota_dyn_message *rota_pool_message(const struct rota_pool *pool, struct rota_slice name)
{
    return rota_map_get(&pool->messages, name);
}

const struct rota_dyn_message *rota_pool_any_type(const struct rota_pool *pool, struct rota_slice url)
{
    const struct rota_dyn_message *type;
    struct rota_slice name;
    size_t start = url.size;

    while (start > 0 && url.data[start - 1] != '/')
        start--;
    if (start == 0)
        return NULL;
    name = rota_slice(url.data + start, url.size - start);
    type = rota_pool_message(pool, name);
    return type != NULL ? type : rota_dyn_known(name);
}

const struct rota_dyn_service *rota_pool_service(const struct rota_pool *pool, struct rota_slice name)
{
    return rota_map_get(&pool->services, name);
}

const struct rota_dyn_method *rota_dyn_service_method(const struct rota_dyn_service *service, struct rota_slice name)
{
    for (size_t i = 0; i < service->n_methods; i++)
        if (rota_slice_equal(rota_slice_str(service->methods[i].name), name))
            return &service->methods[i];
    return NULL;
}

static int compare_number(const void *key, const void *element)
{
    uint32_t number = *(const uint32_t *)key, other = (*(const struct rota_dyn_field *const *)element)->number;

    return number < other ? -1 : number > other;
}

const struct rota_dyn_field *rota_dyn_field_numbered(const struct rota_dyn_message *message, uint32_t number)
{
    const struct rota_dyn_field *const *found =
        message->n_fields == 0 ? NULL : bsearch(&number, message->by_number, message->n_fields, sizeof(*message->by_number), compare_number);

    return found == NULL ? NULL : *found;
}

const struct rota_dyn_field *rota_pool_field(const struct rota_pool *pool, const struct rota_dyn_message *message, uint32_t number)
{
    const struct rota_dyn_field *field = rota_dyn_field_numbered(message, number);
    struct extension_key key = {.number = number, .message = message};

    if (field != NULL || message->n_extensions == 0)
        return field;
    return rota_map_get(&pool->numbers, rota_slice(&key, sizeof(key)));
}

const struct rota_dyn_field *rota_pool_extension(const struct rota_pool *pool, const struct rota_dyn_message *message, struct rota_slice name)
{
    const struct rota_dyn_extension *extension = rota_map_get(&pool->extensions, name);

    return extension == NULL || extension->extendee != message ? NULL : &extension->field;
}
