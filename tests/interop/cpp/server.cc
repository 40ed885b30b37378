// server.cc - the interop service over gRPC C++.
#include <csignal>
#include <chrono>
#include <iostream>
#include <thread>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "interop.h"

namespace {

using grpc::ServerContext;
using grpc::Status;
using namespace grpc::testing;

void EchoMetadata(ServerContext *context)
{
    const auto &sent = context->client_metadata();

    for (auto at = sent.lower_bound(kInitialKey); at != sent.upper_bound(kInitialKey); ++at)
        context->AddInitialMetadata(kInitialKey, std::string(at->second.data(), at->second.size()));
    for (auto at = sent.lower_bound(kTrailingKey); at != sent.upper_bound(kTrailingKey); ++at)
        context->AddTrailingMetadata(kTrailingKey, std::string(at->second.data(), at->second.size()));
}

Status Outcome(const EchoStatus &wanted)
{
    return Status(static_cast<grpc::StatusCode>(wanted.code()), wanted.message());
}

// What the client says about its message; OK is right.
template <class Request> Status CheckFlag(ServerContext *context, const Request &request)
{
    if (!request.has_expect_compressed() || request.expect_compressed().value() == CameCompressed(context->c_call()))
        return Status::OK;
    return Status(grpc::StatusCode::INVALID_ARGUMENT, "the message's compression is not as expected");
}

// The replies to one request of a streaming method, and how the call ends if it is not OK.
template <class Stream> Status Answer(const StreamingOutputCallRequest &request, Stream *stream)
{
    if (request.response_status().code() != 0)
        return Outcome(request.response_status());
    for (const auto &asked : request.response_parameters()) {
        StreamingOutputCallResponse reply;
        std::this_thread::sleep_for(std::chrono::microseconds(asked.interval_us()));
        reply.mutable_payload()->set_body(std::string(asked.size(), '\0'));
        grpc::WriteOptions options;
        if (!asked.compressed().value())
            options.set_no_compression();
        if (!stream->Write(reply, options))
            return Status::CANCELLED;
    }
    return Status::OK;
}

class Service final : public TestService::Service {
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        EchoMetadata(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *request, SimpleResponse *reply) override
    {
        EchoMetadata(context);
        const Status flag = CheckFlag(context, *request);
        if (!flag.ok())
            return flag;
        if (request->response_status().code() != 0)
            return Outcome(request->response_status());
        context->set_compression_algorithm(request->response_compressed().value() ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
        reply->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context, grpc::ServerReader<StreamingInputCallRequest> *reader,
                              StreamingInputCallResponse *reply) override
    {
        StreamingInputCallRequest request;
        size_t total = 0;

        EchoMetadata(context);
        while (reader->Read(&request)) {
            const Status flag = CheckFlag(context, request);
            if (!flag.ok())
                return flag;
            total += request.payload().body().size();
        }
        reply->set_aggregated_payload_size(static_cast<int>(total));
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *request,
                               grpc::ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        EchoMetadata(context);
        for (const auto &asked : request->response_parameters())
            if (asked.compressed().value())
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        return Answer(*request, writer);
    }

    Status FullDuplexCall(ServerContext *context,
                          grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest> *stream) override
    {
        StreamingOutputCallRequest request;
        Status status;

        EchoMetadata(context);
        while (status.ok() && stream->Read(&request))
            status = Answer(request, stream);
        return status;
    }
};

} // namespace

int RunServer(const Flags &flags)
{
    Service service;
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0, number;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr); // before there are threads
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({ReadFile(flags.tls_key_file), ReadFile(flags.tls_cert_file)});
    builder.AddListeningPort("[::]:" + std::to_string(flags.port),
                             flags.use_tls ? grpc::SslServerCredentials(tls) : grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr)
        return 1;
    std::cout << "listening on port " << port << std::endl;
    sigwait(&stop, &number);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    return 0;
}
