//go:build !linux

package storetest

import "syscall"

// dieWithTest has no equivalent here: a killed test leaves its server behind.
func dieWithTest() *syscall.SysProcAttr { return nil }
