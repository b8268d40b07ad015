//go:build !linux

package sched

func checkBound(*Worker) error { return nil }
