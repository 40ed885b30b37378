/* report_table.c - results as a table, for terminals or in Markdown: a line a policy. */
#include "base/assert.h"
#include "sim/report.h"
#include <stdio.h>

#define CELL 24

enum { LABEL, P50, P99, P999, OK_RATE, ERRORS, UNFINISHED, RETRIES, BAD, LATE, OTHERS, LEAVE, RETURN, COLUMNS };

static const char *const heads[COLUMNS] = {"policy",     "p50 ms",   "p99 ms",   "p99.9 ms",  "ok/s",     "errors", "unfinished",
                                           "retry/call", "bad share", "after 1 s", "others", "leave", "return"};

const char *rota_sim_verb_name(enum rota_sim_verb verb)
{
    static const char *const names[] = {"slow", "fail", "stall", "pause", "kill", "flap", "leave", "join", "restart", "load"};

    return (unsigned)verb < ROTA_COUNT(names) ? names[verb] : "?";
}

static void put_ms(char *cell, double ms)
{
    snprintf(cell, CELL, ms < 10 ? "%.2f" : ms < 1000 ? "%.1f" : "%.0f", ms);
}

static void put_seconds(char *cell, int64_t ns)
{
    if (ns == -1)
        snprintf(cell, CELL, "never");
    else if (ns < 0)
        snprintf(cell, CELL, "-");
    else
        snprintf(cell, CELL, "%.1f s", (double)ns / 1e9);
}

static void put_share(char *cell, double share)
{
    snprintf(cell, CELL, share == 0 ? "0" : share < 0.001 ? "%.3f %%" : share < 0.1 ? "%.2f %%" : "%.1f %%", share * 100);
}

static void fill(char cells[COLUMNS][CELL], const struct rota_sim_result *r)
{
    struct rota_sim_summary sum = rota_sim_summarise(r);
    bool bad = r->n_episodes > 0 && sum.bad_fair < 1;

    snprintf(cells[LABEL], CELL, "%.23s", r->label);
    put_ms(cells[P50], sum.p50_ms);
    put_ms(cells[P99], sum.p99_ms);
    put_ms(cells[P999], sum.p999_ms);
    snprintf(cells[OK_RATE], CELL, "%.0f", sum.ok_per_s);
    put_share(cells[ERRORS], sum.error_share);
    snprintf(cells[UNFINISHED], CELL, "%llu", (unsigned long long)r->unfinished);
    snprintf(cells[RETRIES], CELL, "%.3f", sum.retries_per_call);
    snprintf(cells[OTHERS], CELL, "%.2f..%.2f", sum.low_share, sum.high_share);
    if (bad) {
        put_share(cells[BAD], sum.bad_share);
        put_share(cells[LATE], sum.late_share);
    } else {
        snprintf(cells[BAD], CELL, "-");
        snprintf(cells[LATE], CELL, "-");
    }
    put_seconds(cells[LEAVE], sum.leave_ns);
    put_seconds(cells[RETURN], sum.return_ns);
}

static rota_err put_row(struct rota_buffer *out, char cells[COLUMNS][CELL], const int *widths, bool markdown)
{
    rota_err err = markdown ? rota_buffer_printf(out, "|") : 0;

    for (int c = 0; c < COLUMNS && err == 0; c++) {
        if (markdown)
            err = rota_buffer_printf(out, " %s |", cells[c]);
        else
            err = rota_buffer_printf(out, c == LABEL ? "%-*s" : "  %*s", widths[c], cells[c]);
    }
    return err < 0 ? err : rota_buffer_printf(out, "\n");
}

static rota_err put_head(struct rota_buffer *out, const struct rota_sim_scenario *s, bool markdown)
{
    return rota_buffer_printf(out, "%s%s\n%u client%s, %u servers, %g s of which %g s are measured, seed %llu\n\n", s->title, markdown ? "\n" : "",
                              s->n_clients, s->n_clients == 1 ? "" : "s", s->n_servers, (double)s->duration_ns / 1e9,
                              (double)(s->duration_ns - s->warmup_ns) / 1e9, (unsigned long long)s->seed);
}

rota_err rota_sim_report_table(const struct rota_sim_scenario *s, const struct rota_sim_result *const *results, size_t count, bool markdown,
                               struct rota_buffer *out)
{
    char cells[1 + ROTA_SIM_POLICIES_MAX][COLUMNS][CELL];
    int widths[COLUMNS] = {0};
    rota_err err = put_head(out, s, markdown);

    for (int c = 0; c < COLUMNS; c++)
        snprintf(cells[0][c], CELL, "%s", heads[c]);
    for (size_t i = 0; i < count; i++)
        fill(cells[1 + i], results[i]);
    for (size_t i = 0; i <= count; i++)
        for (int c = 0; c < COLUMNS; c++)
            widths[c] = (int)strlen(cells[i][c]) > widths[c] ? (int)strlen(cells[i][c]) : widths[c];
    for (size_t i = 0; i <= count && err == 0; i++) {
        err = put_row(out, cells[i], widths, markdown);
        for (int c = 0; c < COLUMNS && markdown && i == 0 && err == 0; c++)
            err = rota_buffer_printf(out, c == 0 ? "|---|" : c == COLUMNS - 1 ? "---|\n" : "---|");
    }
    return err;
}
