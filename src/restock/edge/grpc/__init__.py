"""gRPC: the published stream interface. It needs the extra `grpc`; nothing of it is loaded before a server is asked for."""
