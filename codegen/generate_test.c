/* generate_test.c - requests good and bad, with a scripted protoc-gen-c; what the text looks like is golden/'s matter. */
#include "base/assert.h"
#include "codegen/generate.h"
#include "plugin.pb-c.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/message.h>
#include <stdlib.h>

/* What differs from a file x.proto of package p with a message M, whose only field is `optional`, and a service S of one method. */
struct sample {
    const char *file, *wanted, *package, *c_package, *service, *method, *input, *output, *parameter, *import;
    const char *source; /* a file that comes as its source has it, too: with a package src and nothing else */
};

static char *or_default(const char *given, const char *text)
{
    return (char *)(given != NULL ? given : text);
}

static struct rota_slice pack_sample(const struct sample *s)
{
    Plugin__Field field = PLUGIN__FIELD__INIT, *fields[] = {&field};
    Plugin__Message inner = PLUGIN__MESSAGE__INIT, message = PLUGIN__MESSAGE__INIT;
    Plugin__Message *inners[] = {&inner}, *messages[] = {&message};
    Plugin__Method method = PLUGIN__METHOD__INIT, *methods[] = {&method};
    Plugin__Service service = PLUGIN__SERVICE__INIT, *services[] = {&service};
    Plugin__CFileOptions c_options = PLUGIN__CFILE_OPTIONS__INIT;
    Plugin__FileOptions options = PLUGIN__FILE_OPTIONS__INIT;
    Plugin__File file = PLUGIN__FILE__INIT, *files[] = {&file}, source = PLUGIN__FILE__INIT, *sources[] = {&source};
    Plugin__SourceInfo comments = PLUGIN__SOURCE_INFO__INIT;
    Plugin__Request request = PLUGIN__REQUEST__INIT;
    char *wanted[] = {or_default(s->wanted, "x.proto")}, *imports[] = {or_default(s->import, "")};
    uint8_t *bytes;

    field.proto3_optional = true;
    inner.name = or_default(NULL, "In");
    message.name = or_default(NULL, "M");
    inner.field = message.field = message.extension = file.extension = fields;
    inner.n_field = message.n_field = message.n_extension = file.n_extension = 1;
    message.nested_type = inners;
    message.n_nested_type = 1;
    method.name = or_default(s->method, "Do");
    method.input_type = or_default(s->input, ".p.M");
    method.output_type = or_default(s->output, ".p.M");
    service.name = or_default(s->service, "S");
    service.method = methods;
    service.n_method = 1;
    file.name = or_default(s->file, "x.proto");
    file.package = or_default(s->package, "p");
    file.message_type = messages;
    file.service = services;
    file.n_message_type = file.n_service = 1;
    file.dependency = imports;
    file.n_dependency = s->import == NULL ? 0 : 1;
    if (s->c_package != NULL) {
        c_options.naming_case = PLUGIN__CFILE_OPTIONS__NAMING_C_PACKAGE;
        c_options.c_package = (char *)s->c_package;
        options.pb_c_file = &c_options;
        file.options = &options;
    }
    source.name = or_default(s->source, "");
    source.package = or_default(NULL, "src");
    source.source_code_info = &comments;
    request.source_file_descriptors = sources;
    request.n_source_file_descriptors = s->source == NULL ? 0 : 1;
    request.file_to_generate = wanted;
    request.proto_file = files;
    request.n_file_to_generate = request.n_proto_file = 1;
    request.parameter = or_default(s->parameter, "");
    bytes = malloc(plugin__request__get_packed_size(&request));
    assert_non_null(bytes);
    return rota_slice(bytes, plugin__request__pack(&request, bytes));
}

/* protoc-gen-c's part: what it answers, and what it was asked. */
static struct {
    struct rota_slice answer;
    rota_err err;
    Plugin__Request *asked;
} child;

static rota_err fake_messages(struct rota_slice request, struct rota_buffer *out, struct rota_errinfo *info)
{
    (void)info;
    if (child.asked != NULL)
        plugin__request__free_unpacked(child.asked, NULL);
    child.asked = plugin__request__unpack(NULL, request.size, request.data);
    assert_non_null(child.asked);
    return child.err < 0 ? child.err : rota_buffer_append(out, child.answer);
}

static int forget_child(void **unused)
{
    (void)unused;
    if (child.asked != NULL)
        plugin__request__free_unpacked(child.asked, NULL);
    memset(&child, 0, sizeof(child));
    return 0;
}

/* NULL: rota_generate failed with *ret_err. */
static Plugin__Response *generate(struct rota_slice request, rota_err *ret_err, struct rota_errinfo *info)
{
    struct rota_leak_alloc alloc;
    struct rota_buffer out;
    Plugin__Response *response = NULL;

    rota_leak_alloc_init(&alloc);
    rota_buffer_init(&out, &alloc.alloc, 0);
    *ret_err = rota_generate(&alloc.alloc, request, fake_messages, &out, info);
    if (*ret_err == 0) {
        struct rota_slice bytes = rota_buffer_peek(&out);
        response = plugin__response__unpack(NULL, bytes.size, bytes.data);
        assert_non_null(response);
    }
    rota_buffer_fini(&out);
    rota_leak_alloc_fini(&alloc);
    return response;
}

static const struct bad_case {
    const char *rule;
    struct sample sample;
    rota_err err; /* 0: told in the response */
    const char *text;
} bad[] = {
    {"a service whose name is C", {.service = "S; evil"}, ROTA_EPARSE, "\"S; evil\" is no name of a service"},
    {"an import that is not there", {.import = "y.proto"}, ROTA_EPARSE, "imports y.proto, which the request does not have before it"},
    {"an import of itself", {.import = "x.proto"}, ROTA_EPARSE, "imports x.proto, which the request does not have before it"},
    {"a method without a name", {.method = ""}, ROTA_EPARSE, "\"\" is no name of a method"},
    {"a package with a quote", {.package = "p\"q"}, ROTA_EPARSE, "is no name of a package"},
    {"a C package with a blank", {.c_package = "p q"}, ROTA_EPARSE, "\"p q\" is no name of a package"},
    {"a type with a blank", {.input = ".p.M x"}, ROTA_EPARSE, "is no name of a message"},
    {"a type that nobody declares", {.output = ".p.None"}, ROTA_EPARSE, "declares the message .p.None"},
    {"a nested type that is not there", {.input = ".p.M.In.Deep"}, ROTA_EPARSE, "declares the message .p.M.In.Deep"},
    {"a type of a package that only begins alike", {.package = "pp"}, ROTA_EPARSE, "declares the message .p.M"},
    {"a type without its leading dot", {.package = "", .input = "M"}, ROTA_EPARSE, "declares the message M"},
    {"a path with a quote", {.file = "a\"b.proto", .wanted = "a\"b.proto"}, ROTA_EPARSE, "no path"},
    {"a path with a line break", {.file = "a\nb.proto", .wanted = "a\nb.proto"}, ROTA_EPARSE, "no path"},
    {"a path that ends a comment", {.file = "a*/b.proto", .wanted = "a*/b.proto"}, ROTA_EPARSE, "no path"},
    {"a file that is not in the request", {.wanted = "y.proto"}, ROTA_EPARSE, "y.proto: to be generated, but not in the request"},
    {"functions that the library has", {.package = "rota", .service = "Server", .input = ".rota.M", .output = ".rota.M"}, 0,
     "x.proto: the functions of service Server would begin with rota_server, as the library's own do; the option (pb_c_file).c_package"},
    {"or may have one day", {.package = "rota.v1", .input = ".rota.v1.M", .output = ".rota.v1.M"}, 0, "begin with rota_v1_s, as"},
    {"also without a package", {.package = "", .service = "Rota", .input = ".M", .output = ".M"}, 0, "begin with rota, as"},
    {"and by a C package", {.c_package = "ROTA"}, 0, "begin with rota_s, as"},
    {"an unknown parameter", {.parameter = "messages=on,mesages=off"}, 0, "unknown parameter \"mesages=off\": expected messages=on"},
};

static void bad_requests_name_the_culprit(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(bad); i++) {
        struct rota_slice request = pack_sample(&bad[i].sample);
        struct rota_errinfo info = {{0}};
        rota_err err;
        Plugin__Response *response = generate(request, &err, &info);

        print_message("  %s\n", bad[i].rule);
        assert_int_equal(err, bad[i].err);
        assert_non_null(strstr(info.text, bad[i].text));
        if (response != NULL) {
            assert_string_equal(response->error, info.text);
            assert_int_equal(response->n_file, 0);
            plugin__response__free_unpacked(response, NULL);
        }
        free((void *)request.data);
    }
}

static const struct good_case {
    const char *rule;
    struct sample sample;
    const char *text; /* in x.rota.h */
} good[] = {
    {"a package is part of every name", {0}, "rota_err p_s_do_start("},
    {"a C package replaces it", {.c_package = "q.R"}, "struct rota_status q_r_s_do("},
    {"an empty C package is none", {.c_package = ""}, "const M *request"},
    {"no package", {.package = "", .input = ".M", .output = ".M.In"}, "const M__In *reply"},
    {"a package that only begins as the library's names do", {.package = "rotary", .input = ".rotary.M", .output = ".rotary.M"}, "rotary_s_do("},
    {"the library's name with a C package", {.package = "rota", .c_package = "q", .input = ".rota.M", .output = ".rota.M"}, "q_s_do("},
    {"a nested type", {.input = ".p.M.In"}, "const P__M__In *request"},
};

static void good_requests_make_two_files(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(good); i++) {
        struct rota_slice request = pack_sample(&good[i].sample);
        rota_err err;
        Plugin__Response *response = generate(request, &err, NULL);

        print_message("  %s\n", good[i].rule);
        assert_int_equal(err, 0);
        assert_int_equal(response->supported_features, 1);
        assert_int_equal(response->n_file, 2);
        assert_string_equal(response->file[0]->name, "x.rota.h");
        assert_string_equal(response->file[1]->name, "x.rota.c");
        assert_non_null(memmem(response->file[0]->content.data, response->file[0]->content.len, good[i].text, strlen(good[i].text)));
        plugin__response__free_unpacked(response, NULL);
        free((void *)request.data);
    }
}

static const struct source_case {
    const char *rule;
    struct sample sample;
    const char *text; /* in x.rota.c */
} sources[] = {
    {"a file as its source has it, without comments", {.source = "x.proto"}, "= {\n    10, 7, 120, 46, 112, 114, 111, 116, 111, 18, 3, 115, 114, 99,\n}"},
    {"another's source", {.source = "y.proto"}, "= {\n    10, 7, 120, 46, 112, 114, 111, 116, 111, 18, 1, 112, 34, "},
};

/* Where that differs from the file itself: newer releases of protoc leave options out of what is to be generated, but not out of imports. */
static void reflection_is_given_the_source(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(sources); i++) {
        struct rota_slice request = pack_sample(&sources[i].sample);
        rota_err err;
        Plugin__Response *response = generate(request, &err, NULL);
        const ProtobufCBinaryData *text;

        print_message("  %s\n", sources[i].rule);
        assert_int_equal(err, 0);
        text = &response->file[1]->content;
        assert_non_null(memmem(text->data, text->len, sources[i].text, strlen(sources[i].text)));
        plugin__response__free_unpacked(response, NULL);
        free((void *)request.data);
    }
}

static void protoc_gen_c_sees_no_marks_and_no_services(void **unused)
{
    static const struct sample sample = {.parameter = "messages=on"};
    struct rota_slice request = pack_sample(&sample);
    rota_err err;
    Plugin__Response *response = generate(request, &err, NULL);
    const Plugin__File *file;

    (void)unused;
    assert_int_equal(err, 0);
    file = child.asked->proto_file[0];
    assert_int_equal(file->n_service, 0);
    assert_string_equal(child.asked->parameter, "");
    assert_false(file->extension[0]->proto3_optional);
    assert_false(file->message_type[0]->field[0]->proto3_optional);
    assert_false(file->message_type[0]->extension[0]->proto3_optional);
    assert_false(file->message_type[0]->nested_type[0]->field[0]->proto3_optional);
    plugin__response__free_unpacked(response, NULL);
    free((void *)request.data);
}

static const struct child_case {
    const char *rule;
    const char *parameter;
    struct rota_slice answer;
    rota_err child_err, err;
    size_t n_files;
    const char *error; /* of the response */
} children[] = {
    {"its files come before ours", "", ROTA_SLICE("\x7a\x05\x0a\x03" "a.c"), 0, 0, 3, ""},
    {"it is not asked with messages=off", "messages=off", ROTA_SLICE("\x7a\x05\x0a\x03" "a.c"), ROTA_EIO, 0, 2, ""},
    {"its error is passed on", "", ROTA_SLICE("\x0a\x03" "bad"), 0, 0, 0, "protoc-gen-c: bad"},
    {"it could not be run", "", {0}, ROTA_EUNSUPPORTED, ROTA_EUNSUPPORTED, 0, NULL},
    {"it answers with garbage", "", ROTA_SLICE("\xff\xff garbage"), 0, ROTA_EPARSE, 0, NULL},
    {"its answer is cut off", "", ROTA_SLICE("\x7a\x05\x0a\x03" "a"), 0, ROTA_EPARSE, 0, NULL},
};

static void answers_of_protoc_gen_c_are_merged(void **state)
{
    for (size_t i = 0; i < ROTA_COUNT(children); i++) {
        struct sample sample = {0};
        struct rota_slice request;
        rota_err err;
        Plugin__Response *response;

        print_message("  %s\n", children[i].rule);
        sample.parameter = children[i].parameter;
        request = pack_sample(&sample);
        child.answer = children[i].answer;
        child.err = children[i].child_err;
        response = generate(request, &err, NULL);
        assert_int_equal(err, children[i].err);
        if (response != NULL) {
            assert_int_equal(response->n_file, children[i].n_files);
            assert_string_equal(response->error, children[i].error);
            if (children[i].n_files == 3)
                assert_string_equal(response->file[0]->name, "a.c");
            plugin__response__free_unpacked(response, NULL);
        }
        free((void *)request.data);
        forget_child(state);
    }
}

/* Every cut of a good request is refused or, where the cut is between two fields, a smaller request. */
static void a_request_cut_anywhere_does_no_harm(void **unused)
{
    static const struct sample sample = {0};
    struct rota_slice request = pack_sample(&sample);
    size_t refused = 0;

    (void)unused;
    for (size_t size = 0; size < request.size; size++) {
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        struct rota_errinfo info = {{0}};
        rota_err err;
        Plugin__Response *response;

        assert_non_null(exact);
        memcpy(exact, request.data, size);
        response = generate(rota_slice(exact, size), &err, &info);
        assert_true(err == 0 || err == ROTA_EPARSE);
        assert_int_equal(err == 0, info.text[0] == '\0');
        refused += err < 0;
        if (response != NULL)
            plugin__response__free_unpacked(response, NULL);
        free(exact);
    }
    assert_true(refused > request.size / 2);
    free((void *)request.data);
}

static void messages_nested_too_deep_are_refused(void **unused)
{
    enum { DEPTH = 400 };
    Plugin__Message messages[DEPTH], *nested[DEPTH];
    Plugin__File file = PLUGIN__FILE__INIT, *files[] = {&file};
    Plugin__Request request = PLUGIN__REQUEST__INIT;
    struct rota_errinfo info = {{0}};
    uint8_t bytes[8192];
    rota_err err;

    (void)unused;
    for (size_t i = 0; i < DEPTH; i++) {
        plugin__message__init(&messages[i]);
        nested[i] = &messages[i];
        if (i > 0) {
            messages[i - 1].nested_type = &nested[i];
            messages[i - 1].n_nested_type = 1;
        }
    }
    file.message_type = nested;
    file.n_message_type = 1;
    request.proto_file = files;
    request.n_proto_file = 1;
    assert_true(plugin__request__get_packed_size(&request) <= sizeof(bytes));
    assert_null(generate(rota_slice(bytes, plugin__request__pack(&request, bytes)), &err, &info));
    assert_int_equal(err, ROTA_EPARSE);
    assert_non_null(strstr(info.text, "deeper"));
}

static rota_err generate_with(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_buffer out;
    rota_err err;

    rota_buffer_init(&out, alloc, 0);
    err = rota_generate(alloc, *(struct rota_slice *)ctx, fake_messages, &out, NULL);
    rota_buffer_fini(&out);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    static const struct sample sample = {.c_package = "q"};
    struct rota_slice request = pack_sample(&sample);

    (void)unused;
    child.answer = ROTA_SLICE("\x7a\x05\x0a\x03" "a.c");
    assert_true(rota_alloc_sweep(generate_with, &request) > 5);
    free((void *)request.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bad_requests_name_the_culprit, forget_child),
        cmocka_unit_test_teardown(good_requests_make_two_files, forget_child),
        cmocka_unit_test_teardown(reflection_is_given_the_source, forget_child),
        cmocka_unit_test_teardown(protoc_gen_c_sees_no_marks_and_no_services, forget_child),
        cmocka_unit_test_teardown(answers_of_protoc_gen_c_are_merged, forget_child),
        cmocka_unit_test_teardown(a_request_cut_anywhere_does_no_harm, forget_child),
        cmocka_unit_test_teardown(messages_nested_too_deep_are_refused, forget_child),
        cmocka_unit_test_teardown(out_of_memory_is_an_error, forget_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
