// srv: a HelloService on gRPC C++ with its callback API, the fastest it has for servers: srv -addr HOST:PORT
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <string>

#include "hello.grpc.pb.h"

class Hello : public proto::HelloService::CallbackService {
    grpc::ServerUnaryReactor *Say(grpc::CallbackServerContext *context, const proto::HelloRequest *request, proto::HelloReply *reply) override
    {
        reply->set_code(200);
        reply->set_value("hello " + request->name());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int main(int argc, char **argv)
{
    Hello hello;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(argc > 2 ? argv[2] : "127.0.0.1:50081", grpc::InsecureServerCredentials());
    builder.RegisterService(&hello);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    fprintf(stderr, "READY\n");
    server->Wait();
}
