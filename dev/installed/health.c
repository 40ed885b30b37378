/* health.c - asks rota's health service by code generated for this program, in one static program with rota's own. */
#include "health.rota.h"
#include <rota/rota.h>
#include <stdio.h>

int main(void)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];
    struct rota_errinfo info = {0};
    struct rota_server *server;
    struct rota_channel *channel;
    struct rota_health *health;
    struct rota_status status;
    bool serving;

    if (rota_loop_new(NULL, &server_options.loop) < 0)
        return 1;
    channel_options.loop = server_options.loop;
    if (rota_server_new(&server_options, &server, &info) < 0 || rota_health_add(server, NULL, &health) < 0 ||
        rota_server_listen(server, "127.0.0.1:0", bound, &info) < 0) {
        fprintf(stderr, "no server: %s\n", info.text);
        return 1;
    }
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    if (rota_channel_open(target, &channel_options, &channel, &info) < 0) {
        fprintf(stderr, "no channel: %s\n", info.text);
        return 1;
    }
    status = grpc_health_v1_health_check(channel, NULL, &request, &reply);
    serving = rota_status_ok(&status) && reply->n_before == 0 && reply->status == GRPC__HEALTH__V1__SERVING_STATUS__SERVING;
    printf("%s\n", serving ? "serving" : status.message);
    if (rota_status_ok(&status))
        grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    rota_channel_free(channel);
    rota_server_free(server);
    rota_loop_free(server_options.loop);
    return serving ? 0 : 1;
}
