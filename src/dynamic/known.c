/* known.c - see known.h. Names, numbers and types are those of protobuf's "Well-Known Types" document.
 *
 * Nothing here is ever written to; fields are no constants because those of a pool, which have the same type, are filled in when
 * it is linked.
 */
#include "dynamic/known.h"

#include "base/assert.h"

#define FIELD(number_, type_, name_, json_name_) \
    {.name = (name_), .json_name = (json_name_), .number = (number_), .index = (number_) - 1, .type = ROTA_DYN_##type_, .oneof = -1}
#define VALUE(type_) FIELD(1, type_, "value", "value")
#define MESSAGE(name_, special_, fields_, by_number_) \
    {.name = "google.protobuf." name_, .fields = (fields_), .by_number = (by_number_), .n_fields = ROTA_COUNT(by_number_), .special = ROTA_DYN_##special_}
#define WRAPPER(name_, i_) \
    {.name = "google.protobuf." name_, .fields = &wrapped[i_], .by_number = &wrapped_by_number[i_], .n_fields = 1, .special = ROTA_DYN_WRAPPER}

static struct rota_dyn_field any_fields[] = {FIELD(1, STRING, "type_url", "typeUrl"), FIELD(2, BYTES, "value", "value")};
static const struct rota_dyn_field *any_by_number[] = {&any_fields[0], &any_fields[1]};

static struct rota_dyn_field time_fields[] = {FIELD(1, INT64, "seconds", "seconds"), FIELD(2, INT32, "nanos", "nanos")};
static const struct rota_dyn_field *time_by_number[] = {&time_fields[0], &time_fields[1]};

static struct rota_dyn_field mask_fields[] = {
    {.name = "paths", .json_name = "paths", .number = 1, .type = ROTA_DYN_STRING, .repeated = true, .oneof = -1}};
static const struct rota_dyn_field *mask_by_number[] = {&mask_fields[0]};

static struct rota_dyn_field wrapped[] = {VALUE(DOUBLE), VALUE(FLOAT), VALUE(INT64), VALUE(UINT64), VALUE(INT32),
                                          VALUE(UINT32), VALUE(BOOL),  VALUE(STRING), VALUE(BYTES)};
static const struct rota_dyn_field *wrapped_by_number[] = {&wrapped[0], &wrapped[1], &wrapped[2], &wrapped[3], &wrapped[4],
                                                           &wrapped[5], &wrapped[6], &wrapped[7], &wrapped[8]};

/* --- Struct, Value and ListValue, which consist of each other --- */

static const struct rota_dyn_message value_type, struct_type, list_type, entry_type;

static struct rota_dyn_enum_value null_values[] = {{"NULL_VALUE", 0}};
static const struct rota_dyn_enum null_type = {.name = "google.protobuf.NullValue", .values = null_values, .n_values = 1, .is_null = true};

#define KIND(number_, type_, name_, json_name_) \
    .name = (name_), .json_name = (json_name_), .number = (number_), .index = (number_) - 1, .type = ROTA_DYN_##type_, .presence = true
static struct rota_dyn_field value_fields[] = {
    {KIND(1, ENUM, "null_value", "nullValue"), .enumeration = &null_type},
    {KIND(2, DOUBLE, "number_value", "numberValue")},
    {KIND(3, STRING, "string_value", "stringValue")},
    {KIND(4, BOOL, "bool_value", "boolValue")},
    {KIND(5, MESSAGE, "struct_value", "structValue"), .message = &struct_type},
    {KIND(6, MESSAGE, "list_value", "listValue"), .message = &list_type},
};
static const struct rota_dyn_field *value_by_number[] = {&value_fields[0], &value_fields[1], &value_fields[2],
                                                         &value_fields[3], &value_fields[4], &value_fields[5]};
static const struct rota_dyn_message value_type = {
    .name = "google.protobuf.Value", .fields = value_fields, .by_number = value_by_number, .n_fields = 6, .n_oneofs = 1, .special = ROTA_DYN_VALUE};

static struct rota_dyn_field entry_fields[] = {
    FIELD(1, STRING, "key", "key"),
    {.name = "value", .json_name = "value", .number = 2, .index = 1, .type = ROTA_DYN_MESSAGE, .presence = true, .oneof = -1, .message = &value_type},
};
static const struct rota_dyn_field *entry_by_number[] = {&entry_fields[0], &entry_fields[1]};
static const struct rota_dyn_message entry_type = {
    .name = "google.protobuf.Struct.FieldsEntry", .fields = entry_fields, .by_number = entry_by_number, .n_fields = 2, .map_entry = true};

static struct rota_dyn_field struct_fields[] = {
    {.name = "fields", .json_name = "fields", .number = 1, .type = ROTA_DYN_MESSAGE, .repeated = true, .oneof = -1, .message = &entry_type}};
static const struct rota_dyn_field *struct_by_number[] = {&struct_fields[0]};
static const struct rota_dyn_message struct_type = MESSAGE("Struct", STRUCT, struct_fields, struct_by_number);

static struct rota_dyn_field list_fields[] = {
    {.name = "values", .json_name = "values", .number = 1, .type = ROTA_DYN_MESSAGE, .repeated = true, .oneof = -1, .message = &value_type}};
static const struct rota_dyn_field *list_by_number[] = {&list_fields[0]};
static const struct rota_dyn_message list_type = MESSAGE("ListValue", LIST, list_fields, list_by_number);

/* --- All the others --- */

static const struct rota_dyn_message others[] = {
    MESSAGE("Any", ANY, any_fields, any_by_number),
    MESSAGE("Timestamp", TIMESTAMP, time_fields, time_by_number),
    MESSAGE("Duration", DURATION, time_fields, time_by_number),
    MESSAGE("FieldMask", FIELD_MASK, mask_fields, mask_by_number),
    WRAPPER("DoubleValue", 0),
    WRAPPER("FloatValue", 1),
    WRAPPER("Int64Value", 2),
    WRAPPER("UInt64Value", 3),
    WRAPPER("Int32Value", 4),
    WRAPPER("UInt32Value", 5),
    WRAPPER("BoolValue", 6),
    WRAPPER("StringValue", 7),
    WRAPPER("BytesValue", 8),
    {.name = "google.protobuf.Empty"},
};

const struct rota_dyn_message *rota_dyn_known(struct rota_slice name)
{
    static const struct rota_dyn_message *const first[] = {&value_type, &struct_type, &list_type};

    for (size_t i = 0; i < ROTA_COUNT(first); i++)
        if (rota_slice_equal(rota_slice_str(first[i]->name), name))
            return first[i];
    for (size_t i = 0; i < ROTA_COUNT(others); i++)
        if (rota_slice_equal(rota_slice_str(others[i].name), name))
            return &others[i];
    return NULL;
}
