/* describe.c - see describe.h. */
#include "describe.h"

#include <stdio.h>

static const char *scalar_name(enum rota_dyn_type type)
{
    static const char *const names[] = {"?",     "double", "float", "int64", "uint64", "int32",    "fixed64",  "fixed32", "bool",  "string",
                                        "group", "?",      "bytes", "uint32", "?",     "sfixed32", "sfixed64", "sint32",  "sint64"};

    return names[type];
}

static const char *type_name(const struct rota_dyn_field *field)
{
    return field->type_name != NULL ? field->type_name : scalar_name(field->type);
}

static const char *label(const struct rota_dyn_field *field)
{
    if (field->repeated || field->required)
        return field->repeated ? "repeated " : "required ";
    return field->presence && field->message == NULL && field->oneof < 0 ? "optional " : "";
}

static void describe_field(const struct rota_dyn_field *field, const char *indent)
{
    if (field->message != NULL && field->message->map_entry && field->repeated)
        printf("%smap<%s, %s>", indent, type_name(field->message->by_number[0]), type_name(field->message->by_number[1]));
    else
        printf("%s%s%s", indent, label(field), type_name(field));
    printf(" %s = %u;\n", field->name, field->number);
}

static void describe_message(const struct rota_dyn_message *message)
{
    printf("message %s {\n", message->name);
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct rota_dyn_field *field = &message->fields[i];
        bool opens = field->oneof >= 0 && (i == 0 || message->fields[i - 1].oneof != field->oneof);
        bool closes = field->oneof >= 0 && (i + 1 == message->n_fields || message->fields[i + 1].oneof != field->oneof);

        if (opens)
            puts("  oneof {");
        describe_field(field, field->oneof >= 0 ? "    " : "  ");
        if (closes)
            puts("  }");
    }
    puts("}");
}

static void describe_enum(const struct rota_dyn_enum *e)
{
    printf("enum %s {\n", e->name);
    for (size_t i = 0; i < e->n_values; i++)
        printf("  %s = %d;\n", e->values[i].name, e->values[i].number);
    puts("}");
}

void rota_describe_service(const struct rota_dyn_service *service)
{
    printf("service %s {\n", service->name);
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct rota_dyn_method *m = &service->methods[i];
        printf("  rpc %s(%s%s) returns (%s%s);\n", m->name, m->client_streaming ? "stream " : "", m->input_name, m->server_streaming ? "stream " : "",
               m->output_name);
    }
    puts("}");
}

bool rota_describe_type(const struct rota_pool *pool, const char *name)
{
    const struct rota_dyn_message *message = rota_pool_message(pool, rota_slice_str(name));
    const struct rota_dyn_enum *e = rota_map_get(&pool->enums, rota_slice_str(name));

    if (message != NULL)
        describe_message(message);
    else if (e != NULL)
        describe_enum(e);
    return message != NULL || e != NULL;
}
