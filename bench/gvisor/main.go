// gVisor's TCP as a server over the TUN that is its descriptor 0, one segment a packet:
// `gvisor ADDRESS PORT PORTS echo|sink|source`.
package main

import (
	"io"
	"log"
	"net"
	"os"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	nic   = 1
	mtu   = 1500
	chunk = 1 << 17
)

func must(what string, err tcpip.Error) {
	if err != nil {
		log.Fatalf("%s: %s", what, err)
	}
}

func newStack(address tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	must("SACK", s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack))
	link, err := fdbased.New(&fdbased.Options{FDs: []int{0}, MTU: mtu})
	if err != nil {
		log.Fatal(err)
	}
	must("NIC", s.CreateNIC(nic, link))
	must("address", s.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: 24},
	}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return s
}

// A question is small, and there are many.
func size(job string) int {
	if job == "echo" {
		return 2048
	}
	return chunk
}

func serve(c net.Conn, job string) {
	defer c.Close()
	data := make([]byte, size(job))
	switch job {
	case "source":
		for {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	case "sink":
		for {
			if _, err := c.Read(data); err != nil {
				return
			}
		}
	default:
		for {
			n, err := c.Read(data)
			if err != nil {
				return
			}
			if _, err := c.Write(data[:n]); err != nil && err != io.EOF {
				return
			}
		}
	}
}

func number(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	return uint16(n)
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: gvisor ADDRESS PORT PORTS echo|sink|source, a TUN as descriptor 0")
	}
	address := tcpip.Address(net.ParseIP(os.Args[1]).To4())
	s := newStack(address)
	first, ports := number(os.Args[2]), number(os.Args[3])
	for port := first; port < first+ports; port++ {
		at := tcpip.FullAddress{NIC: nic, Addr: address, Port: port}
		l, err := gonet.ListenTCP(s, at, ipv4.ProtocolNumber)
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					log.Fatal(err)
				}
				go serve(c, os.Args[4])
			}
		}()
	}
	select {}
}
