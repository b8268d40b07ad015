//go:build darwin || freebsd

package memory

const noReserve = 0
