// interop.h - what the C++ client and server share.
#ifndef CPP_INTEROP_H
#define CPP_INTEROP_H

#include <string>
#include <vector>

#include "interop.grpc.pb.h"

inline const char kInitialKey[] = "x-grpc-test-echo-initial";
inline const char kTrailingKey[] = "x-grpc-test-echo-trailing-bin";

struct Flags {
    std::string server_host = "localhost", test_case, ca_file, tls_cert_file, tls_key_file;
    int server_port = 0, port = 0;
    bool use_tls = false;
    int soak_iterations = 10, soak_max_failures = 0, soak_per_iteration_max_acceptable_latency_ms = 1000;
    int soak_overall_timeout_seconds = 10, soak_min_time_ms_between_rpcs = 0;
    int soak_request_size = 271828, soak_response_size = 314159;
};

// Whether the message that the call received last came compressed. What libgrpc has for its own interop tests.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);
inline bool CameCompressed(grpc_call *call)
{
    const uint32_t kCompressed = 0x80000000u, kWasCompressed = 0x40000000u;
    return (grpc_call_test_only_get_message_flags(call) & (kCompressed | kWasCompressed)) != 0;
}

// The whole of a file; "" when it cannot be read.
std::string ReadFile(const std::string &path);

int RunServer(const Flags &flags);
int RunClient(const Flags &flags);

#endif
