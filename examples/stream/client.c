/* client.c - reads a stream of example.Numbers, then talks both ways at once. usage: client TARGET LIMIT [TAKE]
 *
 * Counts to LIMIT, or takes TAKE numbers and leaves the rest: finishing a call cancels what is still open. Then sends 1, 2 and 3 and reads
 * the sum after each. Each call has a deadline, and metadata that says who asks.
 */
#include "numbers.rota.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CALL_MS 10000 /* for a whole stream */

static bool read_count(struct rota_channel *channel, const struct rota_call_options *options, uint64_t limit, uint64_t take)
{
    Example__Number request = EXAMPLE__NUMBER__INIT, *number;
    struct rota_slice sent = {0};
    struct rota_status status;
    struct rota_call *call;
    uint64_t taken = 0;

    request.value = limit;
    if (example_numbers_count_open(channel, options, &request, &call) < 0) {
        fprintf(stderr, "client: no call can be made\n");
        return false;
    }
    while (taken < take && example_numbers_count_recv(call, &number)) {
        printf("%" PRIu64 "\n", number->value);
        example__number__free_unpacked(number, NULL);
        taken++;
    }
    /* Trailers come with the end of the stream. */
    if (taken < take && rota_metadata_get(rota_call_trailing_metadata(call), "x-sent", &sent))
        printf("that were %.*s\n", (int)sent.size, (const char *)sent.data);
    status = rota_call_finish(call);
    if (taken == take || rota_status_ok(&status))
        return true;
    fprintf(stderr, "client: count: %s: %s\n", rota_code_name(status.code), status.message);
    return false;
}

static bool converse(struct rota_channel *channel, const struct rota_call_options *options)
{
    Example__Number number = EXAMPLE__NUMBER__INIT, *sum;
    struct rota_status status;
    struct rota_call *call;

    if (example_numbers_sum_open(channel, options, &call) < 0) {
        fprintf(stderr, "client: no call can be made\n");
        return false;
    }
    for (number.value = 1; number.value <= 3; number.value++) {
        if (example_numbers_sum_send(call, &number) < 0 || !example_numbers_sum_recv(call, &sum))
            break; /* the call has ended: finish says why */
        printf("sum %" PRIu64 "\n", sum->value);
        example__number__free_unpacked(sum, NULL);
    }
    rota_call_send_end(call);
    while (example_numbers_sum_recv(call, &sum)) /* until the status is there */
        example__number__free_unpacked(sum, NULL);
    status = rota_call_finish(call);
    if (!rota_status_ok(&status))
        fprintf(stderr, "client: sum: %s: %s\n", rota_code_name(status.code), status.message);
    return rota_status_ok(&status);
}

int main(int argc, char **argv)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_errinfo info = {"out of memory"};
    struct rota_metadata *metadata = NULL;
    struct rota_channel *channel = NULL;
    uint64_t limit, take;
    bool ok = false;

    if (argc < 3) {
        fprintf(stderr, "usage: client TARGET LIMIT [TAKE]\n");
        return 2;
    }
    limit = strtoull(argv[2], NULL, 10);
    take = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;
    if (rota_metadata_new(NULL, &metadata) < 0 || rota_metadata_add_text(metadata, "x-reader", "the example") < 0 ||
        rota_channel_open(argv[1], NULL, &channel, &info) < 0) {
        fprintf(stderr, "client: %s\n", info.text);
    } else {
        options.timeout_ms = CALL_MS;
        options.metadata = metadata;
        ok = read_count(channel, &options, limit, take) && converse(channel, &options);
    }
    rota_channel_free(channel);
    rota_metadata_free(metadata);
    return ok ? 0 : 1;
}
