/* gauge.h - a server's load as it would report it: calls, failures and busy time over a window, as an ORCA report (gRFC A51). */
#ifndef ROTA_SIM_GAUGE_H
#define ROTA_SIM_GAUGE_H

#include <stddef.h>
#include <stdint.h>

#define ROTA_SIM_REPORT_SIZE 64

struct rota_sim_gauge {
    int64_t window_ns;
    double slots;       /* what full is */
    int64_t since_ns;   /* the window's start */
    int64_t last_ns;    /* busy_ns is up to here */
    double busy_ns;     /* time times calls being served */
    uint32_t running;
    uint32_t calls, failures;
    char report[ROTA_SIM_REPORT_SIZE]; /* of the last whole window, base64 as in the trailer; "": none yet */
};

void rota_sim_gauge_init(struct rota_sim_gauge *gauge, int64_t window_ns, uint32_t slots, int64_t now_ns);
void rota_sim_gauge_running(struct rota_sim_gauge *gauge, uint32_t running, int64_t now_ns); /* so many from now on */
void rota_sim_gauge_served(struct rota_sim_gauge *gauge, int failed, int64_t now_ns);        /* one more; brings the report up to date */

/* An OrcaLoadReport in protobuf's wire format: cpu_utilization, rps_fractional, eps. Returns its size, at most 27. */
size_t rota_sim_report_encode(double utilization, double calls_per_s, double failures_per_s, uint8_t *out);

#endif
