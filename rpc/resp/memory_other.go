//go:build !linux

package resp

func systemMemory() uint64 { return 0 }
