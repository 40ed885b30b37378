/* report_json.c - results as JSON: every figure of the table and what it was made from. Members and numbers are documented in
 * docs/simulator.md.
 */
#include "sim/report.h"

static const uint32_t quantiles[] = {500000, 900000, 950000, 990000, 995000, 999000, 999900, 1000000};

static rota_err put_text(struct rota_buffer *out, const char *text)
{
    rota_err err = rota_buffer_printf(out, "\"");

    for (; *text != '\0' && err == 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            err = rota_buffer_printf(out, "\\%c", c);
        else if (c < ' ')
            err = rota_buffer_printf(out, "\\u%04x", c);
        else
            err = rota_buffer_printf(out, "%c", c);
    }
    return err < 0 ? err : rota_buffer_printf(out, "\"");
}

/* Milliseconds; null for "never", left out of lists by the caller where it cannot be told. */
static rota_err put_time(struct rota_buffer *out, const char *name, int64_t ns)
{
    if (ns < 0)
        return rota_buffer_printf(out, ",\"%s\":%s", name, ns == -1 ? "\"never\"" : "null");
    return rota_buffer_printf(out, ",\"%s\":%.6f", name, (double)ns / 1e6);
}

static rota_err put_latency(struct rota_buffer *out, const struct rota_sim_result *r, const struct rota_sim_summary *sum)
{
    rota_err err = rota_buffer_printf(out, ",\"latency_ms\":{\"mean\":%.6f", sum->mean_ms);

    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]) && err == 0; i++)
        err = rota_buffer_printf(out, ",\"p%g\":%.6f", quantiles[i] / 1e4, (double)rota_sim_histogram_at(&r->latency, quantiles[i]) / 1e6);
    return err < 0 ? err : rota_buffer_printf(out, "}");
}

static rota_err put_codes(struct rota_buffer *out, const struct rota_sim_result *r)
{
    const char *comma = "";
    rota_err err = rota_buffer_printf(out, ",\"codes\":{");

    for (int code = 0; code < ROTA_SIM_CODES && err == 0; code++) {
        if (r->codes[code] == 0)
            continue;
        err = rota_buffer_printf(out, "%s\"%s\":%llu", comma, rota_code_name((enum rota_code)code), (unsigned long long)r->codes[code]);
        comma = ",";
    }
    return err < 0 ? err : rota_buffer_printf(out, "}");
}

static rota_err put_servers(struct rota_buffer *out, const struct rota_sim_result *r)
{
    const struct rota_sim_server_result *servers = rota_sim_result_servers(r);
    rota_err err = rota_buffer_printf(out, ",\"servers\":[");

    for (uint32_t i = 0; i < r->n_servers && err == 0; i++)
        err = rota_buffer_printf(out, "%s{\"attempts\":%llu,\"share\":%.6f,\"ok\":%llu,\"failed\":%llu,\"bad\":%s}", i == 0 ? "" : ",",
                                 (unsigned long long)servers[i].attempts,
                                 r->attempts == 0 ? 0.0 : (double)servers[i].attempts / (double)r->attempts, (unsigned long long)servers[i].ok,
                                 (unsigned long long)servers[i].failed, servers[i].bad ? "true" : "false");
    return err < 0 ? err : rota_buffer_printf(out, "]");
}

static rota_err put_episodes(struct rota_buffer *out, const struct rota_sim_result *r)
{
    rota_err err = rota_buffer_printf(out, ",\"episodes_left_out\":%u,\"episodes\":[", r->n_episodes_lost);

    for (uint32_t i = 0; i < r->n_episodes && err == 0; i++) {
        const struct rota_sim_episode *e = &r->episodes[i];
        err = rota_buffer_printf(out, "%s{\"server\":%u,\"what\":\"%s\",\"from_ms\":%.6f", i == 0 ? "" : ",", e->server, rota_sim_verb_name(e->verb),
                                 (double)e->from_ns / 1e6);
        if (err == 0)
            err = put_time(out, "to_ms", e->to_ns == INT64_MAX ? -2 : e->to_ns);
        if (err == 0)
            err = put_time(out, "leave_ms", e->leave_ns);
        if (err == 0)
            err = put_time(out, "return_ms", e->return_ns);
        if (err == 0)
            err = rota_buffer_printf(out, ",\"late_share\":%.6f}", e->late_share);
    }
    return err < 0 ? err : rota_buffer_printf(out, "]");
}

static rota_err put_windows(struct rota_buffer *out, const struct rota_sim_result *r)
{
    const struct rota_sim_window *windows = rota_sim_result_windows(r);
    rota_err err = rota_buffer_printf(out, ",\"windows\":[");

    for (uint32_t i = 0; i < r->n_windows && err == 0; i++)
        err = rota_buffer_printf(out, "%s[%u,%u,%u,%u,%.3f]", i == 0 ? "" : ",", windows[i].attempts, windows[i].bad_attempts, windows[i].calls,
                                 windows[i].failed, (double)windows[i].worst_ns / 1e6);
    return err < 0 ? err : rota_buffer_printf(out, "]");
}

static rota_err put_result(struct rota_buffer *out, const struct rota_sim_result *r)
{
    struct rota_sim_summary sum = rota_sim_summarise(r);
    rota_err err = rota_buffer_printf(out, "{\"policy\":\"%s\",\"calls\":%llu,\"ok\":%llu,\"unfinished\":%llu,\"attempts\":%llu,\"retries\":%llu", r->label,
                                      (unsigned long long)r->calls, (unsigned long long)r->ok, (unsigned long long)r->unfinished,
                                      (unsigned long long)r->attempts, (unsigned long long)r->retries);

    if (err == 0)
        err = rota_buffer_printf(out, ",\"events\":%llu,\"ok_per_s\":%.3f,\"error_share\":%.6f,\"attempts_per_call\":%.6f,\"retries_per_call\":%.6f",
                                 (unsigned long long)r->events, sum.ok_per_s, sum.error_share, sum.attempts_per_call, sum.retries_per_call);
    if (err == 0)
        err = rota_buffer_printf(out, ",\"bad_share\":%.6f,\"bad_fair\":%.6f,\"late_share\":%.6f,\"others_low\":%.6f,\"others_high\":%.6f", sum.bad_share,
                                 sum.bad_fair, sum.late_share, sum.low_share, sum.high_share);
    if (err == 0)
        err = put_time(out, "leave_ms", sum.leave_ns);
    if (err == 0)
        err = put_time(out, "return_ms", sum.return_ns);
    if (err == 0)
        err = put_latency(out, r, &sum);
    if (err == 0)
        err = put_codes(out, r);
    if (err == 0)
        err = put_episodes(out, r);
    if (err == 0)
        err = put_servers(out, r);
    if (err == 0)
        err = put_windows(out, r);
    return err < 0 ? err : rota_buffer_printf(out, "}");
}

rota_err rota_sim_report_json(const struct rota_sim_scenario *s, const struct rota_sim_result *const *results, size_t count, struct rota_buffer *out)
{
    rota_err err = rota_buffer_printf(out, "{\"title\":");

    if (err == 0)
        err = put_text(out, s->title);
    if (err == 0)
        err = rota_buffer_printf(out, ",\"seed\":%llu,\"clients\":%u,\"servers\":%u,\"duration_ms\":%.3f,\"warmup_ms\":%.3f,\"window_ms\":%.3f,\"results\":[\n",
                                 (unsigned long long)s->seed, s->n_clients, s->n_servers, (double)s->duration_ns / 1e6, (double)s->warmup_ns / 1e6,
                                 (double)s->window_ns / 1e6);
    for (size_t i = 0; i < count && err == 0; i++) {
        err = put_result(out, results[i]);
        if (err == 0)
            err = rota_buffer_printf(out, i + 1 < count ? ",\n" : "\n");
    }
    return err < 0 ? err : rota_buffer_printf(out, "]}\n");
}
