// cppinterop is gRPC's interop client and server over gRPC C++.
//
//     cppinterop server --port=PORT
//     cppinterop client --server_host=HOST --server_port=PORT --test_case=CASE [--soak_...]
//
// The client's exit code: 0 passed, 1 failed, 2 wrong arguments or a case that is not supported.
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "interop.h"

namespace {

bool Set(Flags *flags, const std::string &name, const std::string &value)
{
    const struct {
        const char *name;
        int *value;
    } numbers[] = {
        {"server_port", &flags->server_port},
        {"port", &flags->port},
        {"soak_iterations", &flags->soak_iterations},
        {"soak_max_failures", &flags->soak_max_failures},
        {"soak_per_iteration_max_acceptable_latency_ms", &flags->soak_per_iteration_max_acceptable_latency_ms},
        {"soak_overall_timeout_seconds", &flags->soak_overall_timeout_seconds},
        {"soak_min_time_ms_between_rpcs", &flags->soak_min_time_ms_between_rpcs},
        {"soak_request_size", &flags->soak_request_size},
        {"soak_response_size", &flags->soak_response_size},
    };

    for (const auto &number : numbers)
        if (name == number.name) {
            *number.value = std::stoi(value);
            return true;
        }
    if (name == "server_host")
        flags->server_host = value;
    else if (name == "test_case")
        flags->test_case = value;
    else if (name == "ca_file")
        flags->ca_file = value;
    else if (name == "tls_cert_file")
        flags->tls_cert_file = value;
    else if (name == "tls_key_file")
        flags->tls_key_file = value;
    else if (name == "use_tls")
        flags->use_tls = value == "true";
    else
        return false;
    return true;
}

} // namespace

std::string ReadFile(const std::string &path)
{
    std::ifstream file(path);

    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

int main(int argc, char **argv)
{
    Flags flags;

    for (int i = 2; i < argc; i++) {
        const std::string arg = argv[i];
        const size_t equals = arg.find('=');
        if (arg.rfind("--", 0) != 0 || equals == std::string::npos || !Set(&flags, arg.substr(2, equals - 2), arg.substr(equals + 1))) {
            std::cerr << arg << " is not supported" << std::endl;
            return 2;
        }
    }
    if (argc >= 2 && strcmp(argv[1], "server") == 0)
        return RunServer(flags);
    if (argc >= 2 && strcmp(argv[1], "client") == 0)
        return RunClient(flags);
    std::cerr << "usage: cppinterop server|client FLAGS" << std::endl;
    return 2;
}
