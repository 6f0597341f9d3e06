package storetest

import "syscall"

// dieWithTest makes the kernel end the server when the test binary ends, also when it is killed.
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
