// cli measures gRPC C++ as a client, with one completion queue and one thread that polls it. Its modes:
//   bench  closed loop, -c calls outstanding: rps= cpu_us= p50= p99= p999= (us) hwm_kb=
//   scale  -n endpoints: settle_s= cpu_ms_settled= per_ep_kb= idle_cpu_ms_per_s=, then as bench
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hello.grpc.pb.h"

using Clock = std::chrono::steady_clock;

static std::map<std::string, std::string> options = {
    {"-mode", "bench"}, {"-host", "127.0.0.1"}, {"-base", "50051"}, {"-n", "3"}, {"-c", "64"}, {"-warm", "1"}, {"-dur", "5"}};
static std::unique_ptr<proto::HelloService::Stub> stub;
static grpc::CompletionQueue queue;
static std::atomic<int> phase{0}; // 0: not counted yet, 1: counted, 2: over
static std::atomic<long> live{0}, failed{0};
static std::vector<float> times_us;

static double number(const char *name)
{
    return atof(options[name].c_str());
}

static double seconds_since(Clock::time_point then)
{
    return std::chrono::duration<double>(Clock::now() - then).count();
}

static double cpu_us()
{
    rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static long memory_kb(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = atol(line + strlen(key) + 1);
    fclose(file);
    return kb;
}

static std::shared_ptr<grpc::Channel> dial()
{
    std::string target = "ipv4:";
    for (int i = 0; i < number("-n"); i++)
        target += (i ? "," : "") + options["-host"] + ":" + std::to_string(static_cast<int>(number("-base")) + i);
    grpc::ChannelArguments arguments;
    arguments.SetServiceConfigJSON(R"({"loadBalancingConfig":[{"round_robin":{}}]})");
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

struct Call {
    grpc::ClientContext context;
    proto::HelloRequest request;
    proto::HelloReply reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<proto::HelloReply>> reader;
    Clock::time_point started = Clock::now();
};

static void start()
{
    Call *call = new Call;
    call->request.set_name("world");
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    call->reader = stub->AsyncSay(&call->context, call->request, &queue);
    call->reader->Finish(&call->reply, &call->status, call);
}

static void poll()
{
    void *tag;
    bool ok;
    while (queue.Next(&tag, &ok)) {
        std::unique_ptr<Call> call(static_cast<Call *>(tag));
        if (!call->status.ok())
            failed++;
        else if (phase == 1)
            times_us.push_back(seconds_since(call->started) * 1e6);
        if (phase < 2)
            start();
        else if (--live == 0)
            queue.Shutdown();
    }
}

static void bench(std::shared_ptr<grpc::Channel> channel)
{
    stub = proto::HelloService::NewStub(channel);
    times_us.reserve(4000000);
    live = number("-c");
    for (int i = 0; i < number("-c"); i++)
        start();
    std::thread poller(poll);
    usleep(number("-warm") * 1e6);
    double used_us = cpu_us();
    Clock::time_point started = Clock::now();
    phase = 1;
    usleep(number("-dur") * 1e6);
    phase = 2;
    double elapsed = seconds_since(started);
    used_us = cpu_us() - used_us;
    poller.join();
    std::sort(times_us.begin(), times_us.end());
    size_t n = times_us.size();
    if (n == 0)
        exit(1);
    printf("rps=%.0f cpu_us=%.2f p50=%.0f p99=%.0f p999=%.0f hwm_kb=%ld failed=%ld\n", n / elapsed, used_us / n, times_us[n / 2],
        times_us[n * 99 / 100], times_us[n * 999 / 1000], memory_kb("VmHWM:"), failed.load());
}

// Its idle channels make progress only while somebody polls: a thread watches the state meanwhile.
static std::shared_ptr<grpc::Channel> scale()
{
    const double pause = 0.25, limit = 120, quiet_us = 2500;
    long before = memory_kb("VmRSS:");
    double used_us = cpu_us();
    Clock::time_point started = Clock::now();
    auto channel = dial();
    channel->GetState(true);
    channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(60));
    std::atomic<bool> over{false};
    std::thread watcher([&] {
        while (!over)
            channel->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + std::chrono::milliseconds(500));
    });
    double settled = seconds_since(started);
    for (double last = cpu_us(), now; seconds_since(started) < limit; last = now) {
        usleep(pause * 1e6);
        now = cpu_us();
        if (now - last < quiet_us)
            break;
        settled = seconds_since(started);
    }
    printf("settle_s=%.3f cpu_ms_settled=%.1f per_ep_kb=%.1f rss_kb=%ld ", settled, (cpu_us() - used_us) / 1e3,
        (memory_kb("VmRSS:") - before) / number("-n"), memory_kb("VmRSS:"));
    used_us = cpu_us();
    usleep(3000000);
    printf("idle_cpu_ms_per_s=%.3f ", (cpu_us() - used_us) / 3e3);
    over = true;
    watcher.join();
    return channel;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2)
        options[argv[i]] = argv[i + 1];
    bench(options["-mode"] == "scale" ? scale() : dial());
}
