/* symbols.c - see symbols.h. The numbers are the fields of google/protobuf/descriptor.proto. */
#include "services/symbols.h"

#include "base/pb.h"

#define FIELD_NAME 1    /* of all that has a name */
#define FILE_PACKAGE 2
#define FIELD_EXTENDEE 2
#define FIELD_NUMBER 3
#define ENUM_VALUE 2

enum kind { END, FILE_, MESSAGE, ENUM, SERVICE, LEAF, EXTENSION };

/* Which fields of a descriptor hold descriptors with names of their own. */
static const struct child {
    uint32_t number;
    enum kind kind;
} children[][6] = {
    [FILE_] = {{4, MESSAGE}, {5, ENUM}, {6, SERVICE}, {7, EXTENSION}},
    [MESSAGE] = {{2, LEAF}, {3, MESSAGE}, {4, ENUM}, {6, EXTENSION}, {8, LEAF}},
    [ENUM] = {{0}}, /* its values live beside it */
    [SERVICE] = {{2, LEAF}},
    [LEAF] = {{0}},
    [EXTENSION] = {{0}},
};

static enum kind kind_of(enum kind parent, const struct rota_pb *field)
{
    for (const struct child *child = children[parent]; child->kind != END; child++)
        if (child->number == field->number && field->wire == ROTA_PB_BYTES)
            return child->kind;
    return END;
}

/* The last field of that number, or an empty one. */
static struct rota_pb field_of(struct rota_slice in, uint32_t number)
{
    struct rota_pb field, found = {0};

    while (in.size > 0 && rota_pb_take(&in, &field))
        if (field.number == number)
            found = field;
    return found;
}

/* Takes `part` and the dot behind it, or the whole, off the front of a name. */
static bool take_part(struct rota_slice *name, struct rota_slice part)
{
    if (part.size > name->size || memcmp(part.data, name->data, part.size) != 0)
        return false;
    if (part.size < name->size && (name->data[part.size] != '.' || part.size + 1 == name->size))
        return false;
    *name = part.size == name->size ? rota_slice(NULL, 0) : rota_slice(name->data + part.size + 1, name->size - part.size - 1);
    return true;
}

static bool has_value(struct rota_slice in, struct rota_slice name)
{
    struct rota_pb field;

    while (in.size > 0 && rota_pb_take(&in, &field))
        if (field.number == ENUM_VALUE && rota_slice_equal(field_of(field.bytes, FIELD_NAME).bytes, name))
            return true;
    return false;
}

static bool declares(enum kind kind, struct rota_slice in, struct rota_slice name)
{
    struct rota_pb field;

    while (in.size > 0 && rota_pb_take(&in, &field)) {
        enum kind child = kind_of(kind, &field);
        struct rota_slice rest = name, own;

        if (child == END)
            continue;
        own = field_of(field.bytes, FIELD_NAME).bytes;
        if (own.size > 0 && take_part(&rest, own) && (rest.size == 0 || declares(child, field.bytes, rest)))
            return true;
        if (child == ENUM && has_value(field.bytes, name))
            return true;
    }
    return false;
}

bool rota_symbols_declare(const struct rota_file *file, struct rota_slice name)
{
    struct rota_slice package = field_of(file->descriptor, FILE_PACKAGE).bytes;

    if (package.size > 0 && !take_part(&name, package))
        return false;
    return name.size > 0 && declares(FILE_, file->descriptor, name);
}

struct search {
    struct rota_slice message;
    void (*found)(void *arg, int32_t number);
    void *arg;
};

static void find_extensions(const struct search *search, enum kind kind, struct rota_slice in)
{
    struct rota_pb field;

    while (in.size > 0 && rota_pb_take(&in, &field)) {
        enum kind child = kind_of(kind, &field);

        if (child == MESSAGE) {
            find_extensions(search, MESSAGE, field.bytes);
        } else if (child == EXTENSION) {
            struct rota_slice extended = field_of(field.bytes, FIELD_EXTENDEE).bytes;
            if (extended.size > 0 && rota_slice_equal(rota_slice(extended.data + 1, extended.size - 1), search->message))
                search->found(search->arg, (int32_t)field_of(field.bytes, FIELD_NUMBER).value);
        }
    }
}

void rota_symbols_extensions(const struct rota_file *file, struct rota_slice message, void (*found)(void *arg, int32_t number), void *arg)
{
    struct search search = {message, found, arg};

    find_extensions(&search, FILE_, file->descriptor);
}
