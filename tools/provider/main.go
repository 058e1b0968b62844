// A provider that tests serve from a registry of their own: engines can install and start it, and it has no resource.
// It speaks the plugin protocol 5 of https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol.
package main

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// A schema of the provider itself with no attribute: field 1 (provider), in it field 2 (block), empty.
var schema = []byte{0x0a, 0x02, 0x12, 0x00}

type served struct {
	plugin.NetRPCUnsupportedPlugin
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	answers := map[string][]byte{"GetSchema": schema, "PrepareProviderConfig": nil, "Configure": nil, "Stop": nil}
	described := grpc.ServiceDesc{ServiceName: "tfplugin5.Provider", HandlerType: (*any)(nil)}
	for name, answer := range answers {
		described.Methods = append(described.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := decode(&emptypb.Empty{}); err != nil {
					return nil, err
				}
				response := &emptypb.Empty{}
				response.ProtoReflect().SetUnknown(answer)
				return response, nil
			},
		})
	}
	server.RegisterService(&described, struct{}{})
	return nil
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  4,
			MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
			MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
		},
		VersionedPlugins: map[int]plugin.PluginSet{5: {"provider": &served{}}},
		GRPCServer:       plugin.DefaultGRPCServer,
		Logger:           hclog.NewNullLogger(),
	})
}
