/* channel_fixture.c - the parts of a channel, each played by the test. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <rota/lb.h>
#include <rota/message.h>
#include <stdio.h>

const struct rota_method rota_fixture_unary = {
    .path = "/test.Echo/Say",
    .request = {&rota_codec_bytes, NULL},
    .reply = {&rota_codec_bytes, NULL},
};
const struct rota_method rota_fixture_stream = {
    .path = "/test.Echo/Chat",
    .client_streaming = true,
    .server_streaming = true,
    .request = {&rota_codec_bytes, NULL},
    .reply = {&rota_codec_bytes, NULL},
};

/* --- A resolver of the test's --- */

/* A class has no context of its own, and one test runs at a time. */
static struct rota_channel_fixture *fixture;
static struct rota_resolver_sink *sink;

static rota_err resolver_start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *to)
{
    (void)state;
    (void)loop;
    assert_string_equal(target->path, "x");
    sink = to;
    fixture->started++;
    return 0;
}

static void resolver_refresh(void *state)
{
    (void)state;
    fixture->refreshed++;
}

static void resolver_stop(void *state)
{
    (void)state;
    sink = NULL;
    fixture->stopped++;
}

static const struct rota_resolver_class resolver = {.scheme = "test", .start = resolver_start, .refresh = resolver_refresh, .stop = resolver_stop};
static const struct rota_resolver_class following = {
    .scheme = "test", .start = resolver_start, .refresh = resolver_refresh, .stop = resolver_stop, .follows = true};
static const struct rota_resolver_class *const resolvers[] = {&resolver, NULL};
const struct rota_resolver_class *const rota_fixture_following[] = {&following, NULL};
static const struct rota_lb_class *const default_policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};

static void publish(struct rota_channel_fixture *f, const char *const *texts, size_t count)
{
    const struct rota_endpoint *endpoints[4] = {NULL};
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    size_t made = 0;

    if (sink == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t size = strcspn(texts[i], "#");
        struct rota_endpoint endpoint = {.addresses = &address, .n_addresses = 1, .version = texts[i][size] == '#' ? texts[i] + size + 1 : NULL};
        assert_int_equal(rota_address_parse(rota_slice(texts[i], size), text, &address, NULL), 0);
        if (rota_endpoint_new(f->endpoint_alloc, &endpoint, &endpoints[made]) == 0)
            made++;
    }
    f->v.host.in_turn = true;
    rota_resolver_sink_endpoints(sink, endpoints, made, NULL);
    f->v.host.in_turn = false;
    for (size_t i = 0; i < made; i++)
        rota_endpoint_unref(endpoints[i]);
    rota_virtual_host_run(&f->v);
}

void rota_fixture_publish(struct rota_channel_fixture *f, const char *a, const char *b, const char *c)
{
    const char *texts[] = {a, b, c};
    size_t count = 0;

    while (count < ROTA_COUNT(texts) && texts[count] != NULL)
        count++;
    publish(f, texts, count);
}

void rota_fixture_resolver_error(struct rota_channel_fixture *f, enum rota_code code, const char *message)
{
    struct rota_status why;

    if (sink == NULL)
        return;
    rota_status_set(&why, code, "%s", message);
    f->v.host.in_turn = true;
    rota_resolver_sink_error(sink, &why);
    f->v.host.in_turn = false;
    rota_virtual_host_run(&f->v);
}

void rota_fixture_service_config(struct rota_channel_fixture *f, const char *json)
{
    if (sink == NULL)
        return;
    rota_resolver_sink_service_config(sink, rota_slice_str(json));
    rota_virtual_host_run(&f->v);
}

void rota_fixture_update(struct rota_channel_fixture *f, const char *json, const char *address)
{
    assert_non_null(sink);
    rota_resolver_sink_service_config(sink, rota_slice_str(json));
    rota_fixture_publish(f, address, NULL, NULL);
}

/* --- The channel --- */

static rota_err open_channel(struct rota_channel_fixture *f, const struct rota_alloc *alloc, const struct rota_alloc *transport_alloc,
                             const struct rota_channel_options *options)
{
    struct rota_channel_parts parts = {
        .host = &f->v.host,
        .dialer = &f->transport.dialer,
        .policies = options == NULL || options->policies == NULL ? default_policies : options->policies,
        .resolvers = options == NULL || options->resolvers == NULL ? resolvers : options->resolvers,
    };
    struct rota_errinfo info = {{0}};
    rota_err err;

    f->closed = f->started = f->stopped = f->refreshed = 0;
    f->channel = NULL;
    f->endpoint_alloc = alloc;
    fixture = f;
    sink = NULL;
    rota_virtual_host_init(&f->v, alloc, 1);
    rota_fake_transport_init(&f->transport, &f->v, transport_alloc);
    err = rota_channel_make("test:x", options, &parts, &f->channel, &info);
    if (err < 0 && err != ROTA_ENOMEM)
        print_message("%s\n", info.text);
    return err;
}

rota_err rota_channel_fixture_open(struct rota_channel_fixture *f, const struct rota_alloc *alloc, const struct rota_channel_options *options)
{
    return open_channel(f, alloc, alloc, options);
}

static void note_closed(void *arg)
{
    struct rota_channel_fixture *f = arg;

    f->closed++;
}

void rota_channel_fixture_close(struct rota_channel_fixture *f)
{
    if (f->channel != NULL) {
        rota_channel_shut(f->channel, note_closed, f);
        rota_virtual_host_run(&f->v);
        assert_int_equal(f->closed, 1);
        f->channel = NULL;
    }
    rota_fake_transport_fini(&f->transport);
    rota_virtual_host_assert_idle(&f->v);
    rota_virtual_host_fini(&f->v);
}

void rota_channel_fixture_init(struct rota_channel_fixture *f, const struct rota_channel_options *options)
{
    rota_leak_alloc_init(&f->leaks);
    assert_int_equal(open_channel(f, &f->leaks.alloc, NULL, options), 0);
}

void rota_channel_fixture_fini(struct rota_channel_fixture *f)
{
    rota_channel_fixture_close(f);
    rota_leak_alloc_fini(&f->leaks);
}

/* --- Calls --- */

static void note_message(struct rota_seen_call *seen, const struct rota_slice *message)
{
    size_t used = strlen(seen->messages);

    seen->n_messages++;
    snprintf(seen->messages + used, sizeof(seen->messages) - used, "%.*s|", (int)message->size, (const char *)message->data);
}

static void note_end(struct rota_seen_call *seen, const struct rota_status *status)
{
    seen->status = *status;
    seen->dones++;
    seen->call = NULL;
}

void rota_fixture_unary_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct rota_seen_call *seen = arg;

    assert_int_equal(reply != NULL, status->code == ROTA_OK);
    if (reply != NULL)
        note_message(seen, reply);
    note_end(seen, status);
}

static void on_headers(struct rota_call *call, void *arg)
{
    struct rota_slice value;

    assert_true(rota_metadata_get(rota_call_initial_metadata(call), "x-initial", &value));
    ((struct rota_seen_call *)arg)->headers++;
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    struct rota_seen_call *seen = arg;

    assert_int_equal(seen->dones, 0);
    note_message(seen, message);
    if (seen->hold)
        rota_call_hold(call);
    if (seen->cancel_in_message)
        rota_call_cancel(call);
}

static void on_writable(struct rota_call *call, void *arg)
{
    (void)call;
    ((struct rota_seen_call *)arg)->writables++;
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_seen_call *seen = arg;
    struct rota_slice value = {0};

    if (rota_metadata_get(rota_call_trailing_metadata(call), "x-trailing", &value))
        snprintf(seen->trailing, sizeof(seen->trailing), "%.*s", (int)value.size, (const char *)value.data);
    if (rota_call_peer(call) != NULL)
        snprintf(seen->peer, sizeof(seen->peer), "%s", rota_call_peer(call));
    note_end(seen, status);
}

const struct rota_call_events rota_fixture_events = {.on_headers = on_headers, .on_message = on_message, .on_writable = on_writable, .on_done = on_done};

void rota_fixture_unary_start(struct rota_channel_fixture *f, const char *request, const struct rota_call_options *options, struct rota_seen_call *seen)
{
    struct rota_slice bytes = rota_slice_str(request);

    *seen = (struct rota_seen_call){0};
    assert_int_equal(rota_unary_start(f->channel, &rota_fixture_unary, options, &bytes, rota_fixture_unary_done, seen, &seen->call), 0);
    assert_int_equal(seen->dones, 0); /* never before the starting call has returned */
    rota_virtual_host_run(&f->v);
}

void rota_fixture_stream_start(struct rota_channel_fixture *f, const struct rota_call_options *options, struct rota_seen_call *seen)
{
    *seen = (struct rota_seen_call){0};
    assert_int_equal(rota_call_start(f->channel, &rota_fixture_stream, options, &rota_fixture_events, seen, &seen->call), 0);
    assert_int_equal(seen->dones, 0);
    rota_virtual_host_run(&f->v);
}

rota_err rota_fixture_write(struct rota_seen_call *seen, const char *text)
{
    struct rota_slice bytes = rota_slice_str(text);

    return rota_call_write(seen->call, &bytes);
}

struct rota_fake_conn *rota_fixture_conn(struct rota_channel_fixture *f, const char *address)
{
    return rota_fake_conn_to(&f->transport, address);
}

struct rota_fake_conn *rota_fixture_ready(struct rota_channel_fixture *f, const char *address)
{
    rota_channel_connect(f->channel);
    rota_fixture_publish(f, address, NULL, NULL);
    rota_fake_up(rota_fixture_conn(f, address));
    assert_int_equal(rota_channel_state(f->channel), ROTA_CONN_READY);
    return rota_fixture_conn(f, address);
}

void rota_assert_ended(const struct rota_seen_call *seen, enum rota_code code, const char *words)
{
    assert_int_equal(seen->dones, 1);
    if (seen->status.code != code || strstr(seen->status.message, words) == NULL)
        print_message("  ended %s: %s\n", rota_code_name(seen->status.code), seen->status.message);
    assert_int_equal(seen->status.code, code);
    assert_non_null(strstr(seen->status.message, words));
}

void rota_assert_running(const struct rota_seen_call *seen)
{
    if (seen->dones > 0)
        print_message("  ended %s: %s\n", rota_code_name(seen->status.code), seen->status.message);
    assert_int_equal(seen->dones, 0);
}
