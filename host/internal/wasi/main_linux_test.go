package wasi

// withoutOpenat2 has trees use os.Root, and reports whether they did not before.
func withoutOpenat2() bool {
	had := hasOpenat2()
	hasOpenat2 = func() bool { return false }
	return had
}
