/* sides.c - contract in sides.h.
 *
 * Invariants: streams are started and stopped in a task of their own (or stopped with the connection), thus never from inside what they
 * tell; `serving` is what every hold that heeds was told last, UNCHECKED as long as nobody does.
 * A stream's end that says nothing of the server's health, because the connection goes or the server has not seen it, changes nothing.
 * Sources: gRFC A17, A51; doc/health-checking.md in grpc/grpc; xds/service/orca/v3/orca.proto in cncf/xds.
 */
#include "channel/sides.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/pb.h"
#include "channel/side_stream.h"
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define TAG_BYTES(field) ((field) << 3 | ROTA_PB_BYTES)
#define TAG_VARINT(field) ((field) << 3 | ROTA_PB_VARINT)

struct rota_sides {
    struct rota_connection *connection;
    struct rota_host_task review;
    struct rota_side_stream health, load;
    char *service;     /* that the health stream asks for */
    uint8_t serving;   /* enum rota_lb_serving */
    struct rota_status ill; /* with NOT_SERVING */
    int64_t period_ns; /* that the load stream asks for; 0: it does not run */
};

static void run_review(struct rota_host_task *task);

static void lack_memory(const struct rota_connection *connection, const char *what)
{
    rota_log_write(connection->channel->log, ROTA_LOG_ERROR, "channel", "%s: out of memory; %s is asked for in a second", connection->peer, what);
    rota_channel_try_again(connection->channel);
}

/* NULL: no memory; it is tried again. */
static struct rota_sides *get_sides(struct rota_connection *connection)
{
    if (connection->sides != NULL)
        return connection->sides;
    connection->sides = rota_alloc_zero(connection->channel->alloc, 1, sizeof(*connection->sides));
    if (connection->sides == NULL) {
        lack_memory(connection, "what its server says of itself");
        return NULL;
    }
    connection->sides->connection = connection;
    connection->sides->review.run = run_review;
    return connection->sides;
}

static const char *service_of(const struct rota_channel *channel, const struct rota_channel_config *config)
{
    return config == NULL || channel->limits.no_health_checks ? NULL : config->service->health_service;
}

/* --- Health --- */

struct serving_news {
    struct rota_channel *channel;
    enum rota_lb_serving serving;
    struct rota_status ill;
};

static void tell_serving(void *arg, unsigned slot, struct rota_lb_subchannel *hold)
{
    const struct serving_news *news = arg;

    if (hold->heeds)
        rota_balance_serving(news->channel, slot, hold, news->serving, news->serving == ROTA_LB_NOT_SERVING ? &news->ill : NULL);
}

static void set_serving(struct rota_sides *sides, enum rota_lb_serving serving)
{
    struct rota_subchannel *sub = sides->connection->subchannel;
    struct serving_news news = {sides->connection->channel, serving, sides->ill};

    if (sides->serving == serving && serving != ROTA_LB_NOT_SERVING)
        return;
    sides->serving = (uint8_t)serving;
    if (sub == NULL)
        return;
    /* Held attempts may have met this very subchannel when it did not serve. */
    if (!rota_list_empty(&news.channel->waiting))
        rota_channel_note(news.channel, ROTA_TODO_PICK);
    rota_subchannel_each(sub, tell_serving, &news);
}

static const char *name_of(uint64_t status)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

    return status < sizeof(names) / sizeof(names[0]) ? names[status] : "a status of its own";
}

static bool read_health(struct rota_slice message, uint64_t *ret_status)
{
    struct rota_pb field;

    *ret_status = 0;
    while (message.size > 0) {
        if (!rota_pb_take(&message, &field))
            return false;
        if (field.number == 1 && field.wire == ROTA_PB_VARINT)
            *ret_status = field.value;
    }
    return true;
}

static bool on_health(struct rota_side_stream *side, struct rota_slice message)
{
    enum { SERVING = 1 };
    struct rota_sides *sides = ROTA_CONTAINER(side, struct rota_sides, health);
    struct rota_connection *connection = sides->connection;
    uint64_t status;

    if (!read_health(message, &status))
        return false;
    rota_log_write(connection->channel->log, ROTA_LOG_INFO, "channel", "%s says of \"%s\": %s", connection->peer, sides->service, name_of(status));
    rota_status_set(&sides->ill, ROTA_UNAVAILABLE, "%s says of \"%s\": %s", connection->peer, sides->service, name_of(status));
    set_serving(sides, status == SERVING ? ROTA_LB_SERVING : ROTA_LB_NOT_SERVING);
    return true;
}

static void on_health_end(struct rota_side_stream *side, const struct rota_status *status)
{
    struct rota_sides *sides = ROTA_CONTAINER(side, struct rota_sides, health);
    struct rota_connection *connection = sides->connection;

    if (status->code == ROTA_UNIMPLEMENTED) {
        rota_log_write(connection->channel->log, ROTA_LOG_WARN, "channel", "%s does not tell its health, and is taken to serve: %s", connection->peer,
            status->message);
        set_serving(sides, ROTA_LB_SERVING);
        return;
    }
    rota_status_set(&sides->ill, ROTA_UNAVAILABLE, "%s: the health check of \"%s\" ended with %s: %s", connection->peer, sides->service,
        rota_code_name(status->code), status->message);
    rota_log_write(connection->channel->log, ROTA_LOG_WARN, "channel", "%s", sides->ill.message);
    set_serving(sides, ROTA_LB_NOT_SERVING);
}

static const struct rota_side_class health_class = {
    .path = "/grpc.health.v1.Health/Watch", .on_message = on_health, .on_end = on_health_end,
};

/* Asks for sides->service. ROTA_ENOMEM. */
static rota_err start_health(struct rota_sides *sides)
{
    struct rota_arena *scratch = &sides->connection->channel->scratch;
    size_t size = strlen(sides->service), used = 1;
    uint8_t *bytes;

    rota_arena_reset(scratch);
    bytes = rota_arena_get(scratch, 1 + ROTA_PB_VARINT_SIZE + size);
    if (bytes == NULL)
        return ROTA_ENOMEM;
    bytes[0] = TAG_BYTES(1);
    used += rota_pb_put_varint(bytes + used, size);
    memcpy(bytes + used, sides->service, size);
    return rota_side_stream_start(&sides->health, &health_class, sides->connection, rota_slice(bytes, used + size));
}

static void stop_health(struct rota_sides *sides)
{
    rota_side_stream_stop(&sides->health);
    rota_alloc_free(sides->connection->channel->alloc, sides->service);
    sides->service = NULL;
}

static bool is_heeded(const struct rota_subchannel *sub)
{
    for (unsigned slot = 0; slot < 2; slot++) {
        for (const struct rota_lb_subchannel *hold = sub->told[slot]; hold != NULL; hold = hold->next_hold)
            if (hold->heeds)
                return true;
        for (const struct rota_lb_subchannel *hold = sub->untold[slot]; hold != NULL; hold = hold->next_hold)
            if (hold->heeds)
                return true;
    }
    return false;
}

static void review_health(struct rota_sides *sides, const struct rota_subchannel *sub)
{
    const struct rota_connection *connection = sides->connection;
    struct rota_channel *channel = connection->channel;
    const char *service = is_heeded(sub) ? service_of(channel, channel->config) : NULL;
    bool same = service != NULL && sides->service != NULL && strcmp(service, sides->service) == 0;

    if (service == NULL) {
        stop_health(sides);
        set_serving(sides, ROTA_LB_UNCHECKED);
        return;
    }
    if (sides->health.refused) {
        set_serving(sides, ROTA_LB_SERVING);
        return;
    }
    if (sides->health.running && same)
        return;
    if (!same) { /* else an older connection's stream has told of it */
        stop_health(sides);
        sides->service = rota_alloc_text(channel->alloc, rota_slice_str(service));
        set_serving(sides, ROTA_LB_ASKED);
        if (connection->subchannel == NULL || connection->conn == NULL)
            return; /* those who were told have let it go */
    }
    if (sides->service == NULL || start_health(sides) < 0)
        lack_memory(connection, "its health");
}

/* --- Load --- */

struct load_news {
    struct rota_channel *channel;
    struct rota_load_report report;
};

static void tell_report(void *arg, unsigned slot, struct rota_lb_subchannel *hold)
{
    const struct load_news *news = arg;

    if (hold->report_ns != 0)
        rota_balance_report(news->channel, slot, hold, &news->report);
}

static bool on_load(struct rota_side_stream *side, struct rota_slice message)
{
    struct rota_connection *connection = ROTA_CONTAINER(side, struct rota_sides, load)->connection;
    struct load_news news = {.channel = connection->channel};

    if (!rota_load_report_read(message, &news.report))
        return false;
    if (connection->subchannel != NULL)
        rota_subchannel_each(connection->subchannel, tell_report, &news);
    return true;
}

static void on_load_end(struct rota_side_stream *side, const struct rota_status *status)
{
    const struct rota_connection *connection = side->connection;

    if (status->code == ROTA_UNIMPLEMENTED)
        rota_log_write(connection->channel->log, ROTA_LOG_WARN, "channel", "%s does not tell its load out of band: %s", connection->peer, status->message);
    else
        rota_log_write(connection->channel->log, ROTA_LOG_INFO, "channel", "%s: load reports ended with %s: %s; they are asked for again",
            connection->peer, rota_code_name(status->code), status->message);
}

static const struct rota_side_class load_class = {
    .path = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics", .on_message = on_load, .on_end = on_load_end,
};

static rota_err start_load(struct rota_sides *sides, int64_t period_ns)
{
    uint8_t bytes[2 + 2 * (1 + ROTA_PB_VARINT_SIZE)] = {TAG_BYTES(1)}; /* a google.protobuf.Duration */
    size_t size = 2;

    bytes[size++] = TAG_VARINT(1);
    size += rota_pb_put_varint(bytes + size, (uint64_t)(period_ns / NS_PER_S));
    bytes[size++] = TAG_VARINT(2);
    size += rota_pb_put_varint(bytes + size, (uint64_t)(period_ns % NS_PER_S));
    bytes[1] = (uint8_t)(size - 2);
    return rota_side_stream_start(&sides->load, &load_class, sides->connection, rota_slice(bytes, size));
}

static int64_t shortest(const struct rota_lb_subchannel *hold, int64_t period_ns)
{
    for (; hold != NULL; hold = hold->next_hold)
        if (hold->report_ns != 0 && (period_ns == 0 || hold->report_ns < period_ns))
            period_ns = hold->report_ns;
    return period_ns;
}

static int64_t period_of(const struct rota_subchannel *sub)
{
    int64_t period_ns = 0;

    for (unsigned slot = 0; slot < 2; slot++)
        period_ns = shortest(sub->untold[slot], shortest(sub->told[slot], period_ns));
    return period_ns;
}

static void review_load(struct rota_sides *sides, const struct rota_subchannel *sub)
{
    int64_t period_ns = period_of(sub);

    if (period_ns == sides->period_ns || sides->load.refused)
        return;
    rota_side_stream_stop(&sides->load);
    sides->period_ns = period_ns;
    if (period_ns == 0 || start_load(sides, period_ns) == 0)
        return;
    sides->period_ns = 0;
    lack_memory(sides->connection, "its load");
}

/* --- Both --- */

static void run_review(struct rota_host_task *task)
{
    struct rota_sides *sides = ROTA_CONTAINER(task, struct rota_sides, review);
    struct rota_connection *connection = sides->connection;

    /* Telling of health may make it nobody's connection. */
    if (connection->subchannel != NULL && connection->conn != NULL)
        review_load(sides, connection->subchannel);
    if (connection->subchannel != NULL && connection->conn != NULL)
        review_health(sides, connection->subchannel);
}

void rota_sides_welcome(struct rota_subchannel *sub, struct rota_lb_subchannel *hold)
{
    struct rota_connection *connection = sub->connection;
    struct rota_channel *channel = sub->channel;
    bool heeds = hold->heeds && service_of(channel, channel->config) != NULL;
    struct rota_sides *sides = heeds || hold->report_ns != 0 ? get_sides(connection) : NULL;

    if (sides == NULL) {
        if (heeds)
            rota_lb_hold_serving(hold, ROTA_LB_ASKED, NULL);
        return;
    }
    rota_host_post(channel->host, &sides->review);
    if (!heeds)
        return;
    if (sides->serving == ROTA_LB_UNCHECKED)
        sides->serving = sides->health.refused ? ROTA_LB_SERVING : ROTA_LB_ASKED;
    rota_lb_hold_serving(hold, sides->serving, sides->serving == ROTA_LB_NOT_SERVING ? &sides->ill : NULL);
}

void rota_sides_review(struct rota_subchannel *sub)
{
    if (sub->state != ROTA_CONN_READY)
        return;
    if (sub->connection->sides != NULL || service_of(sub->channel, sub->channel->config) != NULL || period_of(sub) != 0) {
        if (get_sides(sub->connection) != NULL)
            rota_host_post(sub->channel->host, &sub->connection->sides->review);
    }
}

static void review_all(struct rota_channel *channel)
{
    for (struct rota_link *link = channel->connections.next; link != &channel->connections; link = link->next) {
        struct rota_connection *connection = ROTA_CONTAINER(link, struct rota_connection, link);
        if (connection->subchannel != NULL)
            rota_sides_review(connection->subchannel);
    }
}

void rota_sides_take_config(struct rota_channel *channel, const struct rota_channel_config *old)
{
    const char *was = service_of(channel, old), *is = service_of(channel, channel->config);

    if (was != is && (was == NULL || is == NULL || strcmp(was, is) != 0))
        review_all(channel);
}

void rota_sides_try_again(struct rota_channel *channel)
{
    struct serving_news news = {.channel = channel, .serving = ROTA_LB_UNCHECKED};

    for (struct rota_link *link = channel->connections.next; link != &channel->connections; link = link->next) {
        struct rota_connection *connection = ROTA_CONTAINER(link, struct rota_connection, link);
        /* Its holds may wait for an answer to what is no question any more. */
        if (connection->subchannel != NULL && connection->sides == NULL && service_of(channel, channel->config) == NULL)
            rota_subchannel_each(connection->subchannel, tell_serving, &news);
    }
    review_all(channel);
}

void rota_sides_move(struct rota_connection *gone, struct rota_connection *oldest)
{
    struct rota_sides *sides = gone->sides;

    if (sides == NULL)
        return;
    ROTA_ASSERT("only the oldest has any" && oldest->sides == NULL && !sides->health.running && !sides->load.running);
    gone->sides = NULL;
    oldest->sides = sides;
    sides->connection = oldest;
    sides->period_ns = 0;
    rota_host_post(oldest->channel->host, &sides->review);
}

void rota_sides_on_room(struct rota_connection *connection)
{
    struct rota_sides *sides = connection->sides;

    if (sides == NULL)
        return;
    rota_side_stream_on_room(&sides->health);
    rota_side_stream_on_room(&sides->load);
}

void rota_sides_stop(struct rota_connection *connection)
{
    struct rota_sides *sides = connection->sides;

    if (sides == NULL)
        return;
    rota_host_unpost(connection->channel->host, &sides->review);
    rota_side_stream_stop(&sides->health);
    rota_side_stream_stop(&sides->load);
}

void rota_sides_free(struct rota_connection *connection)
{
    struct rota_sides *sides = connection->sides;

    if (sides == NULL)
        return;
    rota_side_stream_fini(&sides->health);
    rota_side_stream_fini(&sides->load);
    rota_alloc_free(connection->channel->alloc, sides->service);
    rota_alloc_free(connection->channel->alloc, sides);
}
