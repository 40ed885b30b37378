/* field_test.c - which header fields are known by their names, and which content types are gRPC's. */
#include "wire/field.h"
#include "base/assert.h"
#include "testing/cmocka.h"

static const struct {
    const char *rule, *name;
    enum rota_field want;
} names[] = {
    {"te", "te", ROTA_FIELD_TE},
    {"a path", ":path", ROTA_FIELD_PATH},
    {"a method", ":method", ROTA_FIELD_METHOD},
    {"a status", ":status", ROTA_FIELD_STATUS},
    {"an authority", ":authority", ROTA_FIELD_AUTHORITY},
    {"gRPC's status", "grpc-status", ROTA_FIELD_GRPC_STATUS},
    {"gRPC's message", "grpc-message", ROTA_FIELD_GRPC_MESSAGE},
    {"a content type", "content-type", ROTA_FIELD_CONTENT_TYPE},
    {"a timeout", "grpc-timeout", ROTA_FIELD_TIMEOUT},
    {"an encoding", "grpc-encoding", ROTA_FIELD_ENCODING},
    {"accepted encodings", "grpc-accept-encoding", ROTA_FIELD_ACCEPT_ENCODING},
    {"pushback", "grpc-retry-pushback-ms", ROTA_FIELD_PUSHBACK},
    {"no name is none of them", "", ROTA_FIELD_OTHER},
    {"nor is another one as long", "grpc-statuz", ROTA_FIELD_OTHER},
    {"or with the same letter where they are told apart", "xxxxxnxxxxxx", ROTA_FIELD_OTHER},
    {"or of another length", "grpc-stat", ROTA_FIELD_OTHER},
    {"a pseudo field nobody knows, as long as a known one", ":wethod", ROTA_FIELD_PSEUDO},
    {"and of another length", ":x", ROTA_FIELD_PSEUDO},
};

static void names_are_told_apart(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(names); i++) {
        print_message("  %s\n", names[i].rule);
        assert_int_equal(rota_field_of(rota_slice_str(names[i].name)), names[i].want);
    }
}

static const struct {
    const char *rule, *text;
    bool want;
} types[] = {
    {"gRPC's", "application/grpc", true},
    {"in any case", "Application/GRPC", true},
    {"with a message format", "application/grpc+proto", true},
    {"with a parameter", "application/grpc;charset=utf-8", true},
    {"another one", "text/html", false},
    {"another one as long", "application/json", false},
    {"one that begins alike", "application/grpc-web", false},
    {"cut short", "application/grp", false},
    {"nothing", "", false},
};

static void content_types_are_told_apart(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(types); i++) {
        print_message("  %s\n", types[i].rule);
        assert_int_equal(rota_content_type_is_grpc(rota_slice_str(types[i].text)), types[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(content_types_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
