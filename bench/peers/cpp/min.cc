// min makes one call and ends: min HOST:PORT
#include <grpcpp/grpcpp.h>

#include <string>

#include "hello.grpc.pb.h"

int main(int, char **argv)
{
    grpc::ChannelArguments arguments;
    arguments.SetLoadBalancingPolicyName("round_robin");
    auto channel = grpc::CreateCustomChannel(std::string("ipv4:") + argv[1], grpc::InsecureChannelCredentials(), arguments);
    auto stub = proto::HelloService::NewStub(channel);
    grpc::ClientContext context;
    proto::HelloRequest request;
    proto::HelloReply reply;
    request.set_name("world");
    return stub->Say(&context, request, &reply).ok() && reply.value() == "hello world" ? 0 : 1;
}
