// client.cc - the interop client over gRPC C++.
#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "interop.h"

namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using namespace grpc::testing;
using Duplex = grpc::ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

const int kLargeRequest = 271828, kLargeReply = 314159;
const std::vector<int> kRequestSizes = {27182, 8, 1828, 45904}, kReplySizes = {31415, 9, 2653, 58979};
const std::string kInitialValue = "test_initial_metadata_value", kTrailingValue = "\xab\xab\xab";

struct Client {
    explicit Client(const Flags &the_flags) : flags(the_flags)
    {
        grpc::ChannelArguments arguments;
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // or channels to one address share connections
        channel = grpc::CreateCustomChannel(flags.server_host + ":" + std::to_string(flags.server_port),
                                            flags.use_tls ? Secure() : grpc::InsecureChannelCredentials(), arguments);
        stub = TestService::NewStub(channel);
    }

    std::shared_ptr<grpc::ChannelCredentials> Secure() const
    {
        grpc::SslCredentialsOptions options;
        options.pem_root_certs = ReadFile(flags.ca_file);
        return grpc::SslCredentials(options);
    }

    const Flags &flags;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<TestService::Stub> stub;
};

void Expect(bool holds, const std::string &otherwise)
{
    if (!holds)
        throw std::runtime_error(otherwise);
}

void ExpectCode(const Status &status, StatusCode code)
{
    Expect(status.error_code() == code, "the call ended with " + std::to_string(status.error_code()) + " \"" +
                                            status.error_message() + "\", expected " + std::to_string(code));
}

void ExpectStatus(const Status &status, StatusCode code, const std::string &message)
{
    ExpectCode(status, code);
    Expect(status.error_message() == message, "the message is \"" + status.error_message() + "\"");
}

void ExpectZeros(const Payload &payload, int size)
{
    Expect(payload.body() == std::string(size, '\0'), "the payload is not " + std::to_string(size) + " zeros");
}

void Large(const Client &client, ClientContext *context, int request_size, int reply_size)
{
    SimpleRequest request;
    SimpleResponse reply;

    request.set_response_size(reply_size);
    request.mutable_payload()->set_body(std::string(request_size, '\0'));
    ExpectCode(client.stub->UnaryCall(context, request, &reply), StatusCode::OK);
    ExpectZeros(reply.payload(), reply_size);
}

StreamingOutputCallRequest Ask(int request_size, const std::vector<int> &reply_sizes)
{
    StreamingOutputCallRequest request;

    request.mutable_payload()->set_body(std::string(request_size, '\0'));
    for (int size : reply_sizes)
        request.add_response_parameters()->set_size(size);
    return request;
}

// Exactly these, then the end and OK.
template <class Stream> void ExpectReplies(Stream *stream, const std::vector<int> &sizes)
{
    StreamingOutputCallResponse reply;

    for (int size : sizes) {
        Expect(stream->Read(&reply), "a reply is missing");
        ExpectZeros(reply.payload(), size);
    }
    Expect(!stream->Read(&reply), "a reply that nobody asked for");
    ExpectCode(stream->Finish(), StatusCode::OK);
}

void EmptyUnary(const Client &client)
{
    ClientContext context;
    Empty request, reply;

    ExpectCode(client.stub->EmptyCall(&context, request, &reply), StatusCode::OK);
}

void LargeUnary(const Client &client)
{
    ClientContext context;

    Large(client, &context, kLargeRequest, kLargeReply);
}

void ConcurrentLargeUnary(const Client &client)
{
    std::vector<std::future<void>> calls;

    for (int i = 0; i < 1000; i++)
        calls.push_back(std::async(std::launch::async, [&client] { LargeUnary(client); }));
    for (auto &call : calls)
        call.get();
}

void ClientStreaming(const Client &client)
{
    ClientContext context;
    StreamingInputCallRequest request;
    StreamingInputCallResponse reply;
    const auto writer = client.stub->StreamingInputCall(&context, &reply);
    int total = 0;

    for (int size : kRequestSizes) {
        request.mutable_payload()->set_body(std::string(size, '\0'));
        Expect(writer->Write(request), "the stream broke");
        total += size;
    }
    writer->WritesDone();
    ExpectCode(writer->Finish(), StatusCode::OK);
    Expect(reply.aggregated_payload_size() == total, "the size is " + std::to_string(reply.aggregated_payload_size()));
}

void ServerStreaming(const Client &client)
{
    ClientContext context;

    ExpectReplies(client.stub->StreamingOutputCall(&context, Ask(0, kReplySizes)).get(), kReplySizes);
}

void Ping(Duplex *stream, int request_size, int reply_size)
{
    StreamingOutputCallResponse reply;

    Expect(stream->Write(Ask(request_size, {reply_size})), "the stream broke");
    Expect(stream->Read(&reply), "a reply is missing");
    ExpectZeros(reply.payload(), reply_size);
}

void PingPong(const Client &client)
{
    ClientContext context;
    const auto stream = client.stub->FullDuplexCall(&context);

    for (size_t i = 0; i < kRequestSizes.size(); i++)
        Ping(stream.get(), kRequestSizes[i], kReplySizes[i]);
    stream->WritesDone();
    ExpectReplies(stream.get(), {});
}

void EmptyStream(const Client &client)
{
    ClientContext context;
    const auto stream = client.stub->FullDuplexCall(&context);

    stream->WritesDone();
    ExpectReplies(stream.get(), {});
}

void ExpectEchoed(const ClientContext &context)
{
    const auto &initial = context.GetServerInitialMetadata();
    const auto &trailing = context.GetServerTrailingMetadata();
    const auto a = initial.find(kInitialKey);
    const auto b = trailing.find(kTrailingKey);

    Expect(a != initial.end() && a->second == kInitialValue, "the initial metadata is not the one sent");
    Expect(b != trailing.end() && b->second == kTrailingValue, "the trailing metadata is not the one sent");
}

void CustomMetadata(const Client &client)
{
    ClientContext unary, duplex;

    for (ClientContext *context : {&unary, &duplex}) {
        context->AddMetadata(kInitialKey, kInitialValue);
        context->AddMetadata(kTrailingKey, kTrailingValue);
    }
    Large(client, &unary, kLargeRequest, kLargeReply);
    ExpectEchoed(unary);
    const auto stream = client.stub->FullDuplexCall(&duplex);
    Expect(stream->Write(Ask(kLargeRequest, {kLargeReply})), "the stream broke");
    stream->WritesDone();
    ExpectReplies(stream.get(), {kLargeReply});
    ExpectEchoed(duplex);
}

void UnaryStatus(const Client &client, const std::string &message)
{
    ClientContext context;
    SimpleRequest request;
    SimpleResponse reply;

    request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
    request.mutable_response_status()->set_message(message);
    ExpectStatus(client.stub->UnaryCall(&context, request, &reply), StatusCode::UNKNOWN, message);
}

void StatusCodeAndMessage(const Client &client)
{
    const std::string message = "test status message";
    ClientContext context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse reply;

    UnaryStatus(client, message);
    request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
    request.mutable_response_status()->set_message(message);
    const auto stream = client.stub->FullDuplexCall(&context);
    Expect(stream->Write(request), "the stream broke");
    stream->WritesDone();
    Expect(!stream->Read(&reply), "a reply that nobody asked for");
    ExpectStatus(stream->Finish(), StatusCode::UNKNOWN, message);
}

void SpecialStatusMessage(const Client &client)
{
    UnaryStatus(client, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n");
}

void UnimplementedMethod(const Client &client)
{
    ClientContext context;
    Empty request, reply;

    ExpectCode(client.stub->UnimplementedCall(&context, request, &reply), StatusCode::UNIMPLEMENTED);
}

void UnimplementedServiceCase(const Client &client)
{
    ClientContext context;
    Empty request, reply;

    ExpectCode(UnimplementedService::NewStub(client.channel)->UnimplementedCall(&context, request, &reply), StatusCode::UNIMPLEMENTED);
}

void CancelAfterBegin(const Client &client)
{
    ClientContext context;
    StreamingInputCallResponse reply;
    const auto writer = client.stub->StreamingInputCall(&context, &reply);

    context.TryCancel();
    ExpectCode(writer->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(const Client &client)
{
    ClientContext context;
    const auto stream = client.stub->FullDuplexCall(&context);

    Ping(stream.get(), kRequestSizes[0], kReplySizes[0]);
    context.TryCancel();
    ExpectCode(stream->Finish(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(const Client &client)
{
    ClientContext context;

    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    const auto stream = client.stub->FullDuplexCall(&context);
    stream->Write(Ask(kRequestSizes[0], {})); // may fail: the millisecond may be over
    ExpectCode(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void Soak(const Client &client, bool new_channels)
{
    using Clock = std::chrono::steady_clock;
    const Flags &flags = client.flags;
    const auto end = Clock::now() + std::chrono::seconds(flags.soak_overall_timeout_seconds);
    int made = 0, failed = 0;

    for (; made < flags.soak_iterations && Clock::now() < end; made++) {
        const auto begin = Clock::now();
        std::string why;
        try {
            ClientContext context;
            if (new_channels)
                Large(Client(flags), &context, flags.soak_request_size, flags.soak_response_size);
            else
                Large(client, &context, flags.soak_request_size, flags.soak_response_size);
        } catch (const std::runtime_error &error) {
            why = error.what();
        }
        const auto took = Clock::now() - begin;
        if (!why.empty() || took > std::chrono::milliseconds(flags.soak_per_iteration_max_acceptable_latency_ms)) {
            failed++;
            std::cout << "iteration " << made << ": " << std::chrono::duration<double, std::milli>(took).count() << " ms " << why << "\n";
        }
        std::this_thread::sleep_until(begin + std::chrono::milliseconds(flags.soak_min_time_ms_between_rpcs));
    }
    Expect(made == flags.soak_iterations && failed <= flags.soak_max_failures,
           std::to_string(made) + " iterations, " + std::to_string(failed) + " failed");
}

SimpleRequest LargeRequest()
{
    SimpleRequest request;

    request.set_response_size(kLargeReply);
    request.mutable_payload()->set_body(std::string(kLargeRequest, '\0'));
    return request;
}

void ClientCompressedUnary(const Client &client)
{
    const struct {
        bool compressed, claimed;
        StatusCode code;
    } rows[] = {{false, true, StatusCode::INVALID_ARGUMENT}, {true, true, StatusCode::OK}, {false, false, StatusCode::OK}};

    for (const auto &row : rows) {
        ClientContext context;
        SimpleRequest request = LargeRequest();
        SimpleResponse reply;
        if (row.compressed)
            context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
        request.mutable_expect_compressed()->set_value(row.claimed);
        ExpectCode(client.stub->UnaryCall(&context, request, &reply), row.code);
        if (row.code == StatusCode::OK)
            ExpectZeros(reply.payload(), kLargeReply);
    }
}

void ServerCompressedUnary(const Client &client)
{
    for (bool compressed : {true, false}) {
        ClientContext context;
        SimpleRequest request = LargeRequest();
        SimpleResponse reply;
        request.mutable_response_compressed()->set_value(compressed);
        ExpectCode(client.stub->UnaryCall(&context, request, &reply), StatusCode::OK);
        Expect(CameCompressed(context.c_call()) == compressed, compressed ? "the reply came uncompressed" : "the reply came compressed");
        ExpectZeros(reply.payload(), kLargeReply);
    }
}

bool WriteInput(grpc::ClientWriter<StreamingInputCallRequest> *writer, int size, bool compressed, bool claimed)
{
    StreamingInputCallRequest request;
    grpc::WriteOptions options;

    if (!compressed)
        options.set_no_compression();
    request.mutable_payload()->set_body(std::string(size, '\0'));
    request.mutable_expect_compressed()->set_value(claimed);
    return writer->Write(request, options);
}

void ClientCompressedStreaming(const Client &client)
{
    StreamingInputCallResponse reply;
    {
        ClientContext context;
        context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
        const auto writer = client.stub->StreamingInputCall(&context, &reply);
        WriteInput(writer.get(), 27182, false, true);
        writer->WritesDone();
        ExpectCode(writer->Finish(), StatusCode::INVALID_ARGUMENT);
    }
    ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    const auto writer = client.stub->StreamingInputCall(&context, &reply);
    Expect(WriteInput(writer.get(), 27182, true, true) && WriteInput(writer.get(), 45904, false, false), "the stream broke");
    writer->WritesDone();
    ExpectCode(writer->Finish(), StatusCode::OK);
    Expect(reply.aggregated_payload_size() == 27182 + 45904, "the size is " + std::to_string(reply.aggregated_payload_size()));
}

void ServerCompressedStreaming(const Client &client)
{
    ClientContext context;
    StreamingOutputCallRequest request = Ask(0, {31415, 92653});
    StreamingOutputCallResponse reply;

    request.mutable_response_parameters(0)->mutable_compressed()->set_value(true);
    request.mutable_response_parameters(1)->mutable_compressed()->set_value(false);
    const auto reader = client.stub->StreamingOutputCall(&context, request);
    for (const auto &asked : request.response_parameters()) {
        Expect(reader->Read(&reply), "a reply is missing");
        Expect(CameCompressed(context.c_call()) == asked.compressed().value(), "a reply's compression is not as asked for");
        ExpectZeros(reply.payload(), asked.size());
    }
    Expect(!reader->Read(&reply), "a reply that nobody asked for");
    ExpectCode(reader->Finish(), StatusCode::OK);
}

const std::map<std::string, std::function<void(const Client &)>> kCases = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"concurrent_large_unary", ConcurrentLargeUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"client_compressed_unary", ClientCompressedUnary},
    {"server_compressed_unary", ServerCompressedUnary},
    {"client_compressed_streaming", ClientCompressedStreaming},
    {"server_compressed_streaming", ServerCompressedStreaming},
    {"rpc_soak", [](const Client &client) { Soak(client, false); }},
    {"channel_soak", [](const Client &client) { Soak(client, true); }},
};

} // namespace

int RunClient(const Flags &flags)
{
    const auto found = kCases.find(flags.test_case);

    if (found == kCases.end()) {
        std::cerr << "the case \"" << flags.test_case << "\" is not supported" << std::endl;
        return 2;
    }
    try {
        found->second(Client(flags));
    } catch (const std::exception &error) {
        std::cout << flags.test_case << ": failed: " << error.what() << std::endl;
        return 1;
    }
    std::cout << flags.test_case << ": passed" << std::endl;
    return 0;
}
