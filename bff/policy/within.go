package policy

import (
	"net/netip"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// within is the one function that CEL has not got by itself: within(request.client_ip, "10.0.0.0/8"). Comparing addresses as text goes wrong:
// startsWith("10.1") takes 10.100.0.1 too.
const within = "within"

func withinFunction() cel.EnvOption {
	return cel.Function(within, cel.Overload("within_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
		cel.BinaryBinding(func(address, network ref.Val) ref.Val {
			a, err := netip.ParseAddr(string(address.(types.String)))
			if err != nil {
				return types.NewErr("no address")
			}
			p, err := netip.ParsePrefix(string(network.(types.String)))
			if err != nil {
				return types.NewErr("no network")
			}
			return types.Bool(p.Contains(a.Unmap()))
		})))
}
