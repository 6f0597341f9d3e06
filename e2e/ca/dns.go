package ca

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a DNS server for which every name is this machine. It speaks TCP, as Pebble does.
type names struct {
	listener net.Listener
	done     sync.WaitGroup
}

func startNames() (*names, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start DNS server: %w", err)
	}
	n := &names{listener: listener}
	n.done.Go(n.serve)
	return n, nil
}

func (n *names) close() {
	n.listener.Close()
	n.done.Wait()
}

func (n *names) serve() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.done.Go(func() {
			defer conn.Close()
			answerAll(conn)
		})
	}
}

// answerAll answers each question of a connection (RFC 1035, section 4.2.2: a message follows its length).
func answerAll(conn net.Conn) {
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		packet := make([]byte, size)
		if _, err := io.ReadFull(conn, packet); err != nil {
			return
		}
		answer := here(packet)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// here answers a question for an IPv4 address with 127.0.0.1, and any other with nothing.
func here(packet []byte) []byte {
	var question dnsmessage.Message
	if question.Unpack(packet) != nil || len(question.Questions) != 1 {
		return nil
	}
	q := question.Questions[0]
	answer := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: question.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: question.Questions,
	}
	if q.Type == dnsmessage.TypeA {
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	out, err := answer.Pack()
	if err != nil {
		return nil
	}
	return out
}
