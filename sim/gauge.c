/* gauge.c - contract in gauge.h. Field numbers: xds.data.orca.v3.OrcaLoadReport. */
#include "sim/gauge.h"
#include "wire/text.h"

#define CPU_UTILIZATION 1
#define RPS_FRACTIONAL 6
#define EPS 7
#define FIXED64 1
#define UNLIMITED_SLOTS 100 /* what counts as full where nothing is the limit; weights only see ratios */

static uint8_t *put(uint8_t *out, unsigned field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    *out++ = (uint8_t)(field << 3 | FIXED64);
    for (int i = 0; i < 8; i++)
        *out++ = (uint8_t)(bits >> (8 * i));
    return out;
}

size_t rota_sim_report_encode(double utilization, double calls_per_s, double failures_per_s, uint8_t *out)
{
    uint8_t *end = put(put(put(out, CPU_UTILIZATION, utilization), RPS_FRACTIONAL, calls_per_s), EPS, failures_per_s);

    return (size_t)(end - out);
}

void rota_sim_gauge_init(struct rota_sim_gauge *g, int64_t window_ns, uint32_t slots, int64_t now_ns)
{
    *g = (struct rota_sim_gauge){.window_ns = window_ns, .slots = slots == 0 ? UNLIMITED_SLOTS : slots, .since_ns = now_ns, .last_ns = now_ns};
}

static void publish(struct rota_sim_gauge *g, int64_t now_ns)
{
    uint8_t bytes[27];
    double passed_ns = (double)(now_ns - g->since_ns);
    size_t size = rota_sim_report_encode(g->busy_ns / passed_ns / g->slots, g->calls * 1e9 / passed_ns, g->failures * 1e9 / passed_ns, bytes);

    rota_base64_encode(rota_slice(bytes, size), g->report);
    g->report[rota_base64_encoded_size(size)] = '\0';
    g->since_ns = now_ns;
    g->busy_ns = 0;
    g->calls = g->failures = 0;
}

void rota_sim_gauge_running(struct rota_sim_gauge *g, uint32_t running, int64_t now_ns)
{
    g->busy_ns += (double)(now_ns - g->last_ns) * g->running;
    g->last_ns = now_ns;
    g->running = running;
}

void rota_sim_gauge_served(struct rota_sim_gauge *g, int failed, int64_t now_ns)
{
    g->calls++;
    g->failures += failed != 0;
    if (now_ns - g->since_ns >= g->window_ns) {
        rota_sim_gauge_running(g, g->running, now_ns);
        publish(g, now_ns);
    }
}
