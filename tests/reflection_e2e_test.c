/* reflection_e2e_test.c - server reflection over a real connection: who is listed, what is found under which name, what is sent
 * along, what is refused. Both versions speak the same messages, so both are asked with v1's.
 */
#include "base/assert.h"
#include "kinds.rota.h"
#include "optional.rota.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <grpc/reflection/v1/reflection.rota.h>
#include <rota/rota.h>
#include <stdio.h>
#include <stdlib.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

#define BY_NAME GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME
#define BY_SYMBOL GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL
#define NUMBERS GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE
#define LIST GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES

/* common.proto: package shop; message Base { extensions 1 to 99; message Inner { enum Colour { RED = 0; } } oneof which { int32 a = 100; } } */
#define COMMON_BYTES \
    "\x0a\x0c" \
    "common.proto\x12\x04shop\x22\x33\x0a\x04" \
    "Base\x1a\x1a\x0a\x05Inner\x22\x11\x0a\x06" \
    "Colour\x12\x07\x0a\x03RED\x10\x00\x12\x07\x0a\x01" \
    "a\x18\x64\x48\x00\x42\x06\x0a\x04None"
static const struct rota_file common_file = {"common.proto", ROTA_SLICE(COMMON_BYTES), NULL, 0};
/* shop.proto: imports it; extend Base { int32 size = 7; } and, inside message Holder, { int32 depth = 9; }; service Shop. */
static const struct rota_file *const shop_imports[] = {&common_file};
static const struct rota_file shop_file = {
    "shop.proto",
    ROTA_SLICE("\x0a\x0a"
               "shop.proto\x12\x04shop\x1a\x0c"
               "common.proto\x22\x1f\x0a\x06Holder\x32\x15\x0a\x05"
               "depth\x12\x0a.shop.Base\x18\x09\x3a\x14\x0a\x04size\x12\x0a.shop.Base\x18\x07\x32\x06\x0a\x04Shop"),
    shop_imports, 1};
static const struct rota_service shop_service = {.name = "shop.Shop", .file = &shop_file};
static const struct rota_service bare_service = {.name = "by.Hand"};

static const struct rota_method alpha_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .client_streaming = true,
    .server_streaming = true,
    .request = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_request__descriptor},
    .reply = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_response__descriptor},
};

static struct {
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_channel *channel;
} at;

static int set_up(void **unused)
{
    static const struct golden_v1_counter_handlers counter;
    static const struct golden_chooser_handlers chooser;
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    server_options.loop = channel_options.loop = at.loop;
    server_options.send_queue_bytes = 1000;
    assert_int_equal(rota_server_new(&server_options, &at.server, NULL), 0);
    assert_int_equal(golden_v1_counter_add(at.server, &counter, NULL), 0);
    assert_int_equal(rota_reflection_add(at.server), 0);
    assert_int_equal(golden_chooser_add(at.server, &chooser, NULL), 0);
    assert_int_equal(rota_server_add(at.server, &shop_service, NULL, NULL), 0);
    assert_int_equal(rota_server_add(at.server, &bare_service, NULL, NULL), 0);
    assert_int_equal(rota_server_listen(at.server, "127.0.0.1:0", bound, NULL), 0);
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    assert_int_equal(rota_channel_open(target, &channel_options, &at.channel, NULL), 0);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    rota_channel_free(at.channel);
    rota_server_free(at.server);
    rota_loop_free(at.loop);
    return 0;
}

static struct rota_call *open_stream(const struct rota_method *method)
{
    struct rota_call *call = NULL;

    assert_int_equal(rota_call_open(at.channel, method, NULL, &call), 0);
    return call;
}

static response_message *ask(struct rota_call *call, int kind, const char *text)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    void *reply = NULL;

    request.host = (char *)"here";
    request.message_request_case = (Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase)kind;
    request.list_services = (char *)(uintptr_t)text; /* all the texts share one place */
    assert_int_equal(rota_call_send(call, &request), 0);
    assert_true(rota_call_recv(call, &reply));
    return reply;
}

static void forget(response_message *reply)
{
    assert_string_equal(reply->valid_host, "here");
    assert_non_null(reply->original_request);
    grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
}

static void finish(struct rota_call *call)
{
    void *more = NULL;

    assert_int_equal(rota_call_send_end(call), 0);
    assert_false(rota_call_recv(call, &more));
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);
}

static void all_services_are_listed_in_order(void **unused)
{
    static const char *const names[] = {"by.Hand", "golden.Chooser", "golden.v1.Counter", "grpc.reflection.v1.ServerReflection",
                                        "grpc.reflection.v1alpha.ServerReflection", "shop.Shop"};
    const struct rota_method *methods[] = {&grpc_reflection_v1_server_reflection_server_reflection_info_method, &alpha_method};

    (void)unused;
    for (size_t k = 0; k < 2; k++) {
        struct rota_call *call = open_stream(methods[k]);
        response_message *reply = ask(call, LIST, "*");

        assert_int_equal(reply->message_response_case,
                         GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE);
        assert_int_equal(reply->list_services_response->n_service, ROTA_COUNT(names));
        for (size_t i = 0; i < ROTA_COUNT(names); i++)
            assert_string_equal(reply->list_services_response->service[i]->name, names[i]);
        forget(reply);
        finish(call);
    }
}

static const struct find_case {
    const char *rule;
    int kind;
    const char *text;
    const struct rota_file *file; /* the first that is sent; NULL: an error is */
    size_t count;                 /* files sent with it */
} cases[] = {
    {"a file by its name", BY_NAME, "common.proto", &common_file, 1},
    {"with what it imports", BY_NAME, "shop.proto", &shop_file, 2},
    {"no file of that name", BY_NAME, "common", NULL, 0},
    {"a service", BY_SYMBOL, "shop.Shop", &shop_file, 2},
    {"a message", BY_SYMBOL, "shop.Base", &common_file, 1},
    {"a message in a message", BY_SYMBOL, "shop.Base.Inner", &common_file, 1},
    {"an enum", BY_SYMBOL, "shop.Base.Inner.Colour", &common_file, 1},
    {"an enum's value lives beside it", BY_SYMBOL, "shop.Base.Inner.RED", &common_file, 1},
    {"and not in it", BY_SYMBOL, "shop.Base.Inner.Colour.RED", NULL, 0},
    {"a field", BY_SYMBOL, "shop.Base.a", &common_file, 1},
    {"an oneof", BY_SYMBOL, "shop.Base.None", &common_file, 1},
    {"an extension", BY_SYMBOL, "shop.size", &shop_file, 2},
    {"an extension in a message", BY_SYMBOL, "shop.Holder.depth", &shop_file, 2},
    {"a method", BY_SYMBOL, "golden.v1.Counter.Unary", NULL, 1},
    {"no method of that name", BY_SYMBOL, "golden.v1.Counter.Una", NULL, 0},
    {"a package is no symbol", BY_SYMBOL, "shop", NULL, 0},
    {"half a name is none", BY_SYMBOL, "shop.Bas", NULL, 0},
    {"a dot too many", BY_SYMBOL, "shop.Base.", NULL, 0},
    {"no dot before a full name", BY_SYMBOL, ".shop.Base", NULL, 0},
    {"another package", BY_SYMBOL, "shopping.Base", NULL, 0},
    {"nothing", BY_SYMBOL, "", NULL, 0},
    {"a service without a descriptor", BY_SYMBOL, "by.Hand", NULL, 0},
    {"extensions of what is not known", NUMBERS, "shop.Bass", NULL, 0},
};

static void files_are_found_by_what_they_declare(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct find_case *c = &cases[i];
        const struct rota_file *file = c->count == 1 && c->file == NULL ? golden_v1_counter_service.file : c->file;
        struct rota_call *call = open_stream(&grpc_reflection_v1_server_reflection_server_reflection_info_method);
        response_message *reply = ask(call, c->kind, c->text);

        print_message("  %s\n", c->rule);
        if (file == NULL) {
            assert_int_equal(reply->message_response_case, GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE);
            assert_int_equal(reply->error_response->error_code, ROTA_NOT_FOUND);
        } else {
            ProtobufCBinaryData *sent = reply->file_descriptor_response->file_descriptor_proto;
            assert_int_equal(reply->file_descriptor_response->n_file_descriptor_proto, c->count);
            assert_true(rota_slice_equal(rota_slice(sent->data, sent->len), file->descriptor));
        }
        forget(reply);
        finish(call);
    }
}

static void imports_are_sent_once_in_a_stream(void **unused)
{
    static const struct {
        const char *name;
        size_t count;
    } steps[] = {{"common.proto", 1}, {"shop.proto", 1}, {"shop.proto", 1}, {"common.proto", 1}};
    struct rota_call *call = open_stream(&grpc_reflection_v1_server_reflection_server_reflection_info_method);

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(steps); i++) {
        response_message *reply = ask(call, BY_NAME, steps[i].name);
        assert_int_equal(reply->file_descriptor_response->n_file_descriptor_proto, steps[i].count);
        forget(reply);
    }
    finish(call);
}

static void extensions_are_found_wherever_they_stand(void **unused)
{
    struct rota_call *call = open_stream(&grpc_reflection_v1_server_reflection_server_reflection_info_method);
    response_message *reply = ask(call, NUMBERS, "shop.Base");
    Grpc__Reflection__V1__ExtensionNumberResponse *numbers = reply->all_extension_numbers_response;

    (void)unused;
    assert_string_equal(numbers->base_type_name, "shop.Base");
    assert_int_equal(numbers->n_extension_number, 2);
    assert_int_equal(numbers->extension_number[0], 9);
    assert_int_equal(numbers->extension_number[1], 7);
    forget(reply);
    for (int number = 6; number <= 9; number++) {
        Grpc__Reflection__V1__ExtensionRequest extension = GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
        request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;

        extension.containing_type = (char *)"shop.Base";
        extension.extension_number = number;
        request.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION;
        request.file_containing_extension = &extension;
        assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_send(call, &request), 0);
        assert_true(grpc_reflection_v1_server_reflection_server_reflection_info_recv(call, &reply));
        assert_int_equal(reply->message_response_case == GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE,
                         number % 2 == 1);
        grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
    }
    finish(call);
}

/* More answers than the queue of 1000 bytes holds, asked for before one of them is read. */
static void a_reader_that_is_slow_gets_every_answer(void **unused)
{
    struct rota_call *call = open_stream(&grpc_reflection_v1_server_reflection_server_reflection_info_method);
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    response_message *reply = NULL;

    (void)unused;
    request.message_request_case = BY_NAME;
    request.file_by_filename = (char *)"kinds.proto";
    for (int i = 0; i < 500; i++)
        assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_send(call, &request), 0);
    for (int i = 0; i < 500; i++) {
        assert_true(grpc_reflection_v1_server_reflection_server_reflection_info_recv(call, &reply));
        assert_int_equal(reply->file_descriptor_response->n_file_descriptor_proto, 1);
        grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
    }
    finish(call);
}

static void asking_for_nothing_is_refused(void **unused)
{
    struct rota_call *call = open_stream(&grpc_reflection_v1_server_reflection_server_reflection_info_method);
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    response_message *reply = NULL;

    (void)unused;
    assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_send(call, &request), 0);
    assert_false(grpc_reflection_v1_server_reflection_server_reflection_info_recv(call, &reply));
    assert_int_equal(rota_call_finish(call).code, ROTA_INVALID_ARGUMENT);
}

static void a_second_one_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(rota_reflection_add(at.server), ROTA_EEXIST);
    all_services_are_listed_in_order(NULL);
}

/* common.proto once more, without the message in it. */
static const struct rota_file other_common_file = {
    "common.proto",
    ROTA_SLICE("\x0a\x0c"
               "common.proto\x12\x04shop\x22\x06\x0a\x04"
               "Base"),
    NULL, 0};
static const struct rota_file *const other_imports[] = {&other_common_file};

static size_t n_logged;

static void note_log(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)ctx, (void)area;
    n_logged += level == ROTA_LOG_ERROR && strcmp(text, "reflection: there are two files common.proto, and they differ") == 0;
}

/* The second service comes before reflection, or behind it. */
static void check_two(const struct rota_file *file, rota_err want, bool before)
{
    const struct rota_log log = {.write = note_log};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    const struct rota_service other_service = {.name = "shop.Other", .file = file};
    struct rota_server *server = NULL;

    n_logged = 0;
    options.loop = at.loop;
    options.log = &log;
    assert_int_equal(rota_server_new(&options, &server, NULL), 0);
    assert_int_equal(rota_server_add(server, &shop_service, NULL, NULL), 0);
    if (before)
        assert_int_equal(rota_server_add(server, &other_service, NULL, NULL), 0);
    assert_int_equal(rota_reflection_add(server), before ? want : 0);
    if (!before)
        assert_int_equal(rota_server_add(server, &other_service, NULL, NULL), want);
    assert_int_equal(n_logged, want < 0);
    if (!before && want < 0) { /* nothing of it is kept */
        const struct rota_service mended_service = {.name = "shop.Other", .file = &shop_file};
        assert_int_equal(rota_server_add(server, &mended_service, NULL, NULL), 0);
    }
    rota_server_free(server);
}

static void two_files_of_one_name_must_be_the_same(void **unused)
{
    const struct rota_file same_common = common_file, odd_file = {"odd.proto", ROTA_SLICE("\x0a\x09odd.proto"), other_imports, 1};
    const struct rota_file *const same_imports[] = {&same_common};
    const struct rota_file same_file = {"shop.proto", shop_file.descriptor, same_imports, 1};
    const struct rota_file half_file = {"shop.proto", shop_file.descriptor, other_imports, 1};
    const struct {
        const char *rule;
        const struct rota_file *file;
        rota_err want;
    } files[] = {
        {"the same file", &shop_file, 0},
        {"a copy of it", &same_file, 0},
        {"another file", &other_common_file, ROTA_EEXIST},
        {"a copy that imports another file", &half_file, ROTA_EEXIST},
        {"a file of another name that does", &odd_file, ROTA_EEXIST},
        {"no file", NULL, 0},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(files); i++) {
        print_message("  %s\n", files[i].rule);
        check_two(files[i].file, files[i].want, false);
        check_two(files[i].file, files[i].want, true);
    }
}

/* Two services whose files import two releases of one. */
static void check_releases(const char *name, rota_err want)
{
    const struct rota_file older = {name, ROTA_SLICE("\x12\x01p"), NULL, 0}, newer = {name, ROTA_SLICE("\x12\x01p\x42\x02\x08\x00"), NULL, 0};
    const struct rota_file *const older_imports[] = {&older}, *const newer_imports[] = {&newer};
    const struct rota_file one = {"one.proto", ROTA_SLICE("\x0a\x09one.proto"), older_imports, 1};
    const struct rota_file two = {"two.proto", ROTA_SLICE("\x0a\x09two.proto"), newer_imports, 1};
    const struct rota_service first = {.name = "shop.One", .file = &one}, second = {.name = "shop.Two", .file = &two};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server *server = NULL;

    options.loop = at.loop;
    assert_int_equal(rota_server_new(&options, &server, NULL), 0);
    assert_int_equal(rota_reflection_add(server), 0);
    assert_int_equal(rota_server_add(server, &first, NULL, NULL), 0);
    assert_int_equal(rota_server_add(server, &second, NULL, NULL), want);
    rota_server_free(server);
}

/* What protoc brings along differs from one release to the next, and what we have of gRPC's is not its text. */
static void files_of_protobufs_and_grpcs_may_differ(void **unused)
{
    static const struct {
        const char *name;
        rota_err want;
    } files[] = {
        {"google/protobuf/any.proto", 0},
        {"grpc/health/v1/health.proto", 0},
        {"grpc/reflection/v1/reflection.proto", 0},
        {"grpc/reflection/v1alpha/reflection.proto", 0},
        {"xds/data/orca/v3/orca_load_report.proto", 0},
        {"xds/service/orca/v3/orca.proto", 0},
        {"google/rpc/status.proto", ROTA_EEXIST},
        {"grpc/health.proto", ROTA_EEXIST},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(files); i++) {
        print_message("  %s\n", files[i].name);
        check_releases(files[i].name, files[i].want);
    }
}

/* The program's services go by gRPC's own text of what librota serves beside them. */
static void health_stands_beside_a_service_that_imports_it(void **unused)
{
    static const struct rota_file grpcs = {"grpc/health/v1/health.proto", ROTA_SLICE("\x0a\x1bgrpc/health/v1/health.proto"), NULL, 0};
    static const struct rota_file *const imports[] = {&grpcs};
    static const struct rota_file file = {"one.proto", ROTA_SLICE("\x0a\x09one.proto"), imports, 1};
    static const struct rota_service service = {.name = "shop.One", .file = &file};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_health *health;
    struct rota_server *server = NULL;

    (void)unused;
    options.loop = at.loop;
    for (int last = 0; last < 2; last++) {
        assert_int_equal(rota_server_new(&options, &server, NULL), 0);
        assert_int_equal(rota_reflection_add(server), 0);
        if (last == 0)
            assert_int_equal(rota_server_add(server, &service, NULL, NULL), 0);
        assert_int_equal(rota_health_add(server, NULL, &health), 0);
        if (last == 1)
            assert_int_equal(rota_server_add(server, &service, NULL, NULL), 0);
        rota_server_free(server);
    }
}

/* Its file is a copy of common.proto. */
static const struct rota_file copy_file = {"common.proto", ROTA_SLICE(COMMON_BYTES), NULL, 0};
static const struct rota_service copy_service = {.name = "shop.Copy", .file = &copy_file};

static rota_err add(const struct rota_alloc *alloc, void *unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server *server = NULL;
    rota_err err;

    (void)unused;
    options.loop = at.loop;
    options.alloc = alloc;
    err = rota_server_new(&options, &server, NULL);
    if (err == 0)
        err = rota_server_add(server, &shop_service, NULL, NULL);
    if (err == 0)
        err = rota_reflection_add(server);
    if (err == 0)
        err = rota_server_add(server, &copy_service, NULL, NULL);
    rota_server_free(server);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(add, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_services_are_listed_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_are_found_by_what_they_declare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(imports_are_sent_once_in_a_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(extensions_are_found_wherever_they_stand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_slow_gets_every_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_for_nothing_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_one_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_files_of_one_name_must_be_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_protobufs_and_grpcs_may_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(health_stands_beside_a_service_that_imports_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
